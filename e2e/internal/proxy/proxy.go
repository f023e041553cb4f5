// Package proxy stands between a client and a registry: it makes the way long,
// counts what comes by, and breaks answers on request.
package proxy

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Proxy is a running proxy. All of its methods may be called while it runs.
type Proxy struct {
	// Host is its address, as image references begin with it.
	Host string

	server *httptest.Server
	pass   *httputil.ReverseProxy
	delay  time.Duration

	mu     sync.Mutex
	counts map[string]int
	fault  Fault
}

// Fault answers a request in place of the registry, or leaves it to pass, which
// passes it on.
type Fault func(w http.ResponseWriter, r *http.Request, pass http.Handler)

// Start runs a proxy before the registry at host on a loopback port. Each answer
// comes later by delay. The caller stops it.
func Start(host string, delay time.Duration) *Proxy {
	p := &Proxy{delay: delay, counts: map[string]int{}}
	p.pass = &httputil.ReverseProxy{
		// The host that the client asked for is kept: the registry puts it into
		// the addresses that it gives out.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: host})
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 256},
		ErrorLog:  log.New(io.Discard, "", 0), // of clients that went away
	}
	p.server = httptest.NewUnstartedServer(p)
	p.server.Config.ErrorLog = p.pass.ErrorLog
	p.server.Start()
	p.Host = p.server.Listener.Addr().String()
	return p
}

// Stop ends it.
func (p *Proxy) Stop() {
	p.server.CloseClientConnections()
	p.server.Close()
}

// Break sets the fault of all further requests; nil mends everything.
func (p *Proxy) Break(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

// Count gives how many requests of a kind came by since the last Reset. The
// kinds are "challenge" for the base of the protocol, and the method and the
// last collection of the path for all others: "HEAD manifests", "GET blobs".
func (p *Proxy) Count(kind string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[kind]
}

// Reset begins to count anew.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts = map[string]int{}
}

// ServeHTTP implements [http.Handler].
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.counts[kind(r)]++
	fault := p.fault
	p.mu.Unlock()
	select {
	case <-time.After(p.delay):
	case <-r.Context().Done():
		return
	}
	if fault != nil {
		fault(w, r, p.pass)
		return
	}
	p.pass.ServeHTTP(w, r)
}

func kind(r *http.Request) string {
	path := strings.Trim(strings.TrimPrefix(r.URL.Path, "/v2"), "/")
	if path == "" {
		return "challenge"
	}
	for _, c := range []string{"manifests", "blobs", "referrers", "tags"} {
		if strings.Contains("/"+path, "/"+c+"/") {
			return r.Method + " " + c
		}
	}
	return r.Method + " " + path
}
