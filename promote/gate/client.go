package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kubepromote/kubepromote/internal/address"
	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

// NewClient makes a client for gates. Proxies and authorities come from the environment;
// link-local addresses, and with them the metadata services of clouds, are not asked, and
// nobody is followed to another server.
func NewClient() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	dialer.Control = func(_, addr string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(addr)
		if err != nil || address.Of(ap.Addr()) == address.Forbidden {
			return fault.Text("address " + addr + " is not asked")
		}
		return nil
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    32,
			MaxConnsPerHost:        64,
			IdleConnTimeout:        30 * time.Second,
			TLSHandshakeTimeout:    10 * time.Second,
			MaxResponseHeaderBytes: 256 << 10,
		},
		CheckRedirect: sameServer,
	}
}

// sameServer follows an answer to elsewhere on the same server alone: a header with a
// secret would go along.
func sameServer(req *http.Request, via []*http.Request) error {
	if len(via) > 5 {
		return fault.Text("it was sent on more than five times")
	}
	if first := via[0].URL; req.URL.Scheme != first.Scheme || req.URL.Host != first.Host {
		return fault.Text("it sends to another server, " + fault.Shorten(req.URL.Scheme+"://"+req.URL.Host))
	}
	return nil
}

// request is one that may be sent several times.
type request struct {
	method, url, body string
	header            http.Header
	retries           int
}

// answer is what a server has said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// what names a request without what may be secret of it.
func (r *request) what() string {
	u, err := url.Parse(r.url)
	if err != nil {
		return r.method
	}
	return r.method + " " + fault.Shorten(u.Scheme+"://"+u.Host+u.EscapedPath())
}

// secrets puts the values of variables into headers. One that is not set is a verdict.
func (d Deps) secrets(header http.Header, from map[string]pipeline.Variable) *promote.Verdict {
	for name, v := range from {
		value, ok := d.LookupEnv(v.Env)
		switch {
		case !ok || value == "":
			missing := unknown("the variable %s, for the header %s, is not set", v.Env, name)
			missing.Hint = "set " + v.Env + " in the environment"
			return &missing
		case strings.ContainsAny(value, "\r\n\x00"):
			broken := unknown("the variable %s, for the header %s, has a line break", v.Env, name)
			return &broken
		}
		header.Set(name, value)
	}
	return nil
}

// send sends a request until there is an answer that does not ask for patience, or no
// retry is left. The error is one line, and has no URL.
func (d Deps) send(ctx context.Context, r *request) (*answer, error) {
	for n := 0; ; n++ {
		a, err := d.sendOnce(ctx, r)
		if n >= r.retries || err == nil && !a.later() || ctx.Err() != nil || errors.As(err, new(fault.Text)) {
			return a, err
		}
		pause := 500 * time.Millisecond << min(n, 5)
		if a != nil {
			pause = max(pause, a.retryAfter())
		}
		if d.Sleep(ctx, pause) != nil {
			return a, err
		}
	}
}

func (d Deps) sendOnce(ctx context.Context, r *request) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, strings.NewReader(r.body))
	if err != nil {
		return nil, errors.New("the request cannot be made")
	}
	req.Header = r.header.Clone()
	res, err := d.Client.Do(req)
	if err != nil {
		var ours fault.Text
		if errors.As(err, &ours) {
			return nil, ours
		}
		return nil, errors.New(fault.Network(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, errors.New(fault.Network(err))
	}
	if len(body) > maxAnswer {
		return nil, fault.Text(fmt.Sprintf("the answer is larger than %d MiB", maxAnswer>>20))
	}
	return &answer{res.StatusCode, res.Header, body}, nil
}

// later tells whether the server may answer something else soon.
func (a *answer) later() bool {
	switch a.status {
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// success tells whether the status is one of success.
func (a *answer) success() bool { return a.status >= 200 && a.status < 300 }

func (a *answer) retryAfter() time.Duration {
	const most = 30
	n, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, most)) * time.Second
}
