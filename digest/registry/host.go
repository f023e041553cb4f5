package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/digest/registry/internal/challenge"
	"github.com/kubepromote/kubepromote/internal/address"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// pingTimeout bounds a ping with its tries, and is longer than a TLS handshake may
// take that is followed by plain HTTP. What is asked by a ping is nothing to look for,
// so that a registry which says nothing for so long will not. Callers wait as long as
// their own context allows.
const pingTimeout = 12 * time.Second

// host is what is known of one registry.
type host struct {
	name  string
	guest bool // reached by another registry's redirect: no credentials
	// pool has connections to this registry; set by the ping.
	pinged atomic.Pointer[pinged]

	mu        sync.Mutex
	tokens    map[string]*token
	announced map[string]*batch // by repository; nil until a batch is formed
	pending   []string          // announced repositories without a batch, in order
	first     *batch            // the first that was formed
	batches   bool              // the first was asked for
	unbatched bool              // batches are not granted
}

// pinged is how a registry wants to be spoken to.
type pinged struct {
	scheme    string
	private   bool // it is on a loopback or private address
	challenge challenge.Challenge
	pool      http.RoundTripper
}

func (t *transport) host(name string) *host {
	return loadHost(&t.hosts, name, false)
}

func (t *transport) guest(name string) *host {
	return loadHost(&t.guests, name, true)
}

func loadHost(m *sync.Map, name string, guest bool) *host {
	if h, ok := m.Load(name); ok {
		return h.(*host)
	}
	h, _ := m.LoadOrStore(name, &host{name: name, guest: guest})
	return h.(*host)
}

// pingAnswer stands in for the registry's: clients send a GET /v2/ per
// repository to learn the scheme and whether to authenticate, and both are
// the client's business. The scheme is the one that go-containerregistry
// expects of the name, because it compares later URLs with that.
func pingAnswer(req *http.Request) *http.Response {
	resp := emptyAnswer(req, http.StatusOK)
	resp.Header.Set("Docker-Distribution-Api-Version", "registry/2.0")
	if r, err := name.NewRegistry(req.URL.Host); err == nil && r.Scheme() != req.URL.Scheme {
		own := *req
		u := *req.URL
		u.Scheme, own.URL = r.Scheme(), &u
		resp.Request = &own
	}
	return resp
}

// ask sends a request to a registry, with what it wants for authentication.
func (t *transport) ask(out *outgoing, h *host, e endpoint, u *url.URL) (*http.Response, error) {
	return t.patiently(h.name, out, e, func() (*http.Response, error) { return t.authorized(out, h, e, u) })
}

func (t *transport) authorized(out *outgoing, h *host, e endpoint, u *url.URL) (*http.Response, error) {
	ctx := out.in.Context()
	g, err := t.ping(ctx, h)
	if err != nil {
		return nil, err
	}
	e = e.withMount(u.Query())
	used, err := t.authorize(ctx, h, g, e)
	if err != nil {
		return nil, err
	}
	at := *u
	at.Scheme = g.scheme
	r := route{url: &at, pool: g.pool, limit: e.limit()}
	resp, err := t.deliver(out, r, used.header)
	if err == nil && out.repeatable() && mayBeAuthorization(resp, used) {
		again, err := t.reauthorize(ctx, h, g, e, used, resp)
		if err != nil {
			return nil, err
		}
		if again != nil {
			closeBody(resp)
			resp, err = t.deliver(out, r, again.header)
		}
		if err != nil {
			return nil, err
		}
	}
	if err == nil {
		t.noteUpload(resp, h, e, &at)
	}
	return resp, err
}

// noteUpload remembers where an upload goes on, if that is on the same registry.
func (t *transport) noteUpload(resp *http.Response, h *host, e endpoint, at *url.URL) {
	location := resp.Header.Get("Location")
	if e.kind != kindUpload || location == "" {
		return
	}
	next, err := at.Parse(location)
	if err == nil && next.Host == h.name && parseEndpoint(http.MethodPut, next.Path).kind == kindOther {
		t.uploads.note(next, e)
	}
}

// ping asks once for all callers, and again only if that failed.
func (t *transport) ping(ctx context.Context, h *host) (*pinged, error) {
	if g := h.pinged.Load(); g != nil {
		return g, nil
	}
	ctx, cancel := inHaste(ctx)
	defer cancel()
	g, err := t.pings.Do(ctx, h, func(ctx context.Context) (*pinged, error) {
		if g := h.pinged.Load(); g != nil {
			return g, nil
		}
		ctx = context.WithValue(ctx, hurryKey{}, false) // others may wait for it who are in no hurry
		ctx, cancel := context.WithTimeout(ctx, pingTimeout)
		defer cancel()
		g, err := t.probe(ctx, h)
		if err == nil {
			h.pinged.Store(g)
		}
		return g, err
	})
	if ctx.Err() != nil {
		return nil, &fault.Ended{Err: ctx.Err()}
	}
	return g, err
}

// probe tries HTTPS and, where that is not answered and it is allowed, HTTP.
func (t *transport) probe(ctx context.Context, h *host) (*pinged, error) {
	if address.OfHost(h.name) == address.Forbidden && !t.net.anywhere {
		return nil, addressFault(h.name, address.Forbidden)
	}
	insecure := t.registries.insecure(h.name)
	plain := insecure
	if r, err := name.NewRegistry(h.name); err == nil {
		plain = plain || r.Scheme() == "http"
	}
	pool, err := t.net.of(h.name, insecure)
	if err != nil {
		return nil, err
	}
	g, err := t.probeBy(ctx, h, "https", plain, pool)
	if err == nil || !plain || ctx.Err() != nil || isAnswer(err) {
		return g, err
	}
	g, plainErr := t.probeBy(ctx, h, "http", plain, pool)
	switch {
	case plainErr == nil:
		return g, nil
	case errors.Is(err, http.ErrSchemeMismatch):
		return nil, plainErr
	case isAnswer(plainErr):
		return nil, err // HTTP spoken to a port for HTTPS: the first says why
	}
	return nil, errors.Join(err, plainErr)
}

// isAnswer tells an answer that is not liked from one that never came.
func isAnswer(err error) bool {
	var refused *refusal
	var own fault.Text
	return errors.As(err, &refused) || errors.As(err, &own)
}

func (t *transport) probeBy(ctx context.Context, h *host, scheme string, plain bool, pool http.RoundTripper) (*pinged, error) {
	g := &pinged{scheme: scheme, private: address.OfHost(h.name) == address.Private, pool: pool}
	var first sync.Once
	var mu sync.Mutex
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		first.Do(func() {
			mu.Lock()
			defer mu.Unlock()
			g.private = g.private || isPrivate(info.Conn.RemoteAddr())
		})
	}}
	u := &url.URL{Scheme: scheme, Host: h.name, Path: "/v2/"}
	if !t.net.proxied(u) {
		ctx = httptrace.WithClientTrace(ctx, trace)
	}
	v := &visit{t: t, from: h, pinged: g, limit: maxErrorBody, once: scheme == "https" && plain}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := v.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	mu.Lock()
	defer mu.Unlock()
	switch resp.StatusCode {
	case http.StatusOK:
		return g, nil
	case http.StatusUnauthorized:
		c, ok := challenge.Pick(resp.Header)
		if !ok {
			return nil, fault.Text("unauthorized (401) without a way to authenticate that is known here")
		}
		g.challenge = c
		return g, nil
	}
	return nil, refused("", resp)
}

func isPrivate(a net.Addr) bool {
	ap, err := netip.ParseAddrPort(a.String())
	return err == nil && address.Of(ap.Addr()) == address.Private
}

// visit makes requests of the client's own: pings, and for tokens. It
// follows redirects by the rules for what a registry points to.
type visit struct {
	t      *transport
	from   *host
	pinged *pinged
	limit  int64
	once   bool
	token  bool // it is for a token
}

func (v *visit) do(req *http.Request) (*http.Response, error) {
	client := http.Client{Transport: v, CheckRedirect: func(next *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return errRedirects
		case sameHost(next.URL, via[0].URL):
			return nil
		case next.Method == http.MethodPost:
			return fault.Text("token request redirected to another host")
		}
		next.Header.Del("Authorization")
		return nil
	}}
	return client.Do(req)
}

// RoundTrip implements [http.RoundTripper].
func (v *visit) RoundTrip(req *http.Request) (*http.Response, error) {
	if v.token && v.t.otherRegistry(v.from, req.URL) {
		return nil, fault.Text("is another registry's, and not a token server of this one: not asked")
	}
	pool, err := v.t.target(req.URL, v.from, v.pinged)
	if err != nil {
		return nil, err
	}
	out := &outgoing{in: req}
	defer out.closeUnsent()
	return v.t.deliver(out, route{url: req.URL, pool: pool, limit: v.limit, once: v.once}, "")
}

// otherRegistry tells a token server that is a registry of its own: one that was asked
// for in this run, that registries.conf names, or that there are credentials for. A registry must not choose what
// is asked of another. A registry's own parent domain may give its tokens, as
// gitlab.com does for registry.gitlab.com.
func (t *transport) otherRegistry(h *host, u *url.URL) bool {
	at := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	own := strings.ToLower(hostname(h.name))
	if sameHost(u, &url.URL{Scheme: u.Scheme, Host: h.name}) || strings.HasSuffix(own, "."+at) {
		return false
	}
	if own == at && address.OfHost(at) == address.Public && !isAddress(at) {
		return false // another port of the same name
	}
	if strings.Contains(at, ":") {
		at = "[" + at + "]"
	}
	port := u.Port()
	if port != "" && port != map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		return t.isRegistry(at + ":" + port)
	}
	return t.isRegistry(at) || t.isRegistry(at+":443") || t.isRegistry(at+":80")
}

func (t *transport) isRegistry(host string) bool {
	host = grammar.FoldHost(host)
	_, asked := t.hosts.Load(host)
	return asked || t.registries.names(host) || t.keys.Knows(host)
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func hostname(host string) string { return (&url.URL{Host: host}).Hostname() }

const (
	errURLScheme      fault.Text = "points to a URL that is not https"
	errURLCredentials fault.Text = "points to a URL with credentials in it"
)

// target checks where a registry points to and gives the connections to use.
func (t *transport) target(u *url.URL, from *host, g *pinged) (http.RoundTripper, error) {
	switch {
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return nil, errURLScheme
	case u.User != nil:
		return nil, errURLCredentials
	case u.Scheme == "http" && g.scheme != "http":
		return nil, fault.Text(fmt.Sprintf("points to %q over plain HTTP", fault.Shorten(u.Host)))
	case u.Host == from.name && g.pool != nil:
		return g.pool, nil
	}
	if e := t.registries.find(foldHost(u.Host), parseEndpoint(http.MethodGet, u.Path).repo); e != nil && e.blocked {
		return nil, e.refusal()
	}
	switch class := address.OfHost(u.Host); {
	case class == address.Forbidden && !t.net.anywhere, class == address.Private && !g.private:
		return nil, addressFault(u.Host, class)
	}
	if g.private {
		return t.net.direct, nil
	}
	return t.net.guarded, nil
}

func addressFault(host string, class address.Class) error {
	what := "a private or loopback address"
	if class == address.Forbidden {
		what = "a link-local, multicast, unspecified or metadata address"
	}
	return fault.Text(fmt.Sprintf("%q is %s: not asked", fault.Shorten(cmp.Or(host, "?")), what))
}
