package digest

import (
	"net/http"
	"net/url"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubepromote/kubepromote/digest/internal/address"
	"github.com/kubepromote/kubepromote/digest/internal/flight"
)

const (
	defaultPerRegistry = 32
	defaultCertsDir    = "/etc/docker/certs.d"
	maxRedirects       = 10
)

// TransportOptions adjust a [Transport]. The zero value is fit for use.
type TransportOptions struct {
	// Keychain gives credentials. Nil means [NewKeychain] with its defaults. A
	// keychain that is not a [*Keychain] is asked once per registry, about the
	// registry and not a repository, and its answer is kept.
	Keychain authn.Keychain
	// Base carries all requests. Nil means connections of the Transport's own
	// with all checks. With a Base of the caller's, addresses are checked only
	// where a URL has one in place of a name, and CertsDir is not read.
	Base http.RoundTripper
	// PerRegistry is how many requests may wait for the answer of one host;
	// 0 or less means 32.
	PerRegistry int
	// Rate is how many requests a second go to one host; 0 or less means no limit.
	Rate float64
	// AllowLinkLocal allows link-local addresses, those of clouds' metadata
	// services, multicast and unspecified ones.
	AllowLinkLocal bool
	// Registries has mirrors and blocked registries; nil means none.
	Registries *Registries
	// UserAgent is sent with all requests, before what a request has itself;
	// empty means "kubepromote".
	UserAgent string
	// CertsDir has a directory per registry with its certificates, as Docker's
	// has: *.crt for its authorities, *.cert and *.key for the client. Empty
	// means /etc/docker/certs.d.
	CertsDir string
}

// Transport is an [http.RoundTripper] for registries. It authenticates by
// itself, so a client sends plain requests for "https://HOST/v2/…"; with
// go-containerregistry that is [Transport.RemoteOptions] and no authenticator.
// It is safe for concurrent use. Make it with [NewTransport].
//
// Requests that are needed beside those of the caller are shared by all: one
// greeting, GET /v2/, per registry, which tells the scheme and how to
// authenticate; one token per repository and action, or per 50 repositories
// announced by [Transport.Announce]; each for as long as it is valid. A GET
// /v2/ of the caller is answered without the network.
//
// The scheme of a request to a registry does not matter: it is HTTPS, or plain
// HTTP where that fails on a loopback or private address or the registries
// configuration allows it.
//
// A request that fails for the moment (reset connection, an answer cut short,
// 408, 429, 500, 502, 503, 504) is sent up to three times if it can be
// repeated, after 0.1 s and 0.3 s or what Retry-After asks for, as long as that
// ends before the context does. A 429 with Retry-After holds back all requests
// to that host. More than ten redirects are an error. Answers other than
// blobs are read to their end before RoundTrip returns, and are an error when
// they have more than 4 MiB; of an error's body the first 64 KiB are kept.
//
// What a registry points to, by a redirect or as its token server, is not
// trusted: it is reached by HTTPS, unless the registry itself is not; it is not
// on a private or loopback address, unless the registry itself is; it gets
// none of the registry's tokens.
type Transport struct {
	keys       *Keychain
	net        *network
	registries *Registries
	userAgent  string
	perHost    int
	rate       float64

	hosts     sync.Map // name (string) → *host
	guests    sync.Map // name (string) → *host that a registry redirected to
	gates     sync.Map // host and port (string) → *gate
	uploads   uploads
	greetings flight.Group[*host, *greeting]
	tokens    flight.Group[tokenKey, *token]
	batches   flight.Group[*batch, struct{}]
}

// NewTransport makes a Transport. It asks nothing yet.
func NewTransport(o TransportOptions) *Transport {
	t := &Transport{
		keys:       asKeychain(o.Keychain),
		registries: o.Registries,
		userAgent:  o.UserAgent,
		perHost:    positive(o.PerRegistry, defaultPerRegistry),
		rate:       o.Rate,
	}
	if t.userAgent == "" {
		t.userAgent = defaultUserAgent
	}
	t.net = newNetwork(o)
	return t
}

// asTransport is given if it is a Transport; else it is the Base of one.
func asTransport(given http.RoundTripper, o TransportOptions) *Transport {
	if t, ok := given.(*Transport); ok {
		return t
	}
	o.Base = given
	return NewTransport(o)
}

// CloseIdleConnections closes connections that are kept for later requests. The
// Transport stays usable.
func (t *Transport) CloseIdleConnections() { t.net.closeIdle() }

// Tried says which credentials are in use for a repository, such as "docker
// config", never their value; see [Keychain.Tried].
func (t *Transport) Tried(target authn.Resource) string { return t.keys.Tried(target) }

// RemoteOptions are what go-containerregistry's remote package needs to use the
// Transport: without its own retries, which would multiply with the Transport's,
// sleep past the end of the context and do not look at Retry-After.
func (t *Transport) RemoteOptions() []remote.Option {
	return []remote.Option{
		remote.WithTransport(t),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
		remote.WithRetryPredicate(func(error) bool { return false }),
		remote.WithRetryStatusCodes(),
	}
}

// RoundTrip implements [http.RoundTripper]. It returns when the context of req
// ends, provided that Base does.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	out := &outgoing{in: req}
	defer out.closeUnsent()
	if err := req.Context().Err(); err != nil {
		return nil, &endedError{err}
	}
	if req.Response != nil {
		return t.redirected(out)
	}
	e := parseEndpoint(req.Method, req.URL.Path)
	switch e.kind {
	case kindGreeting:
		return greetingAnswer(req), nil
	case kindOther:
		var known bool
		if e, known = t.uploads.get(req.URL); !known {
			return t.foreign(out, e, &host{name: req.URL.Host}, &greeting{scheme: req.URL.Scheme, private: address.OfHost(req.URL.Host) == address.Private})
		}
	}
	return t.routed(out, e)
}

// redirected carries a request that a client makes because an earlier one was
// redirected. On the host of the first one it is a request like any other.
func (t *Transport) redirected(out *outgoing) (*http.Response, error) {
	first, hops := origin(out.in)
	if hops > maxRedirects {
		return nil, errRedirects
	}
	e := parseEndpoint(first.Method, first.URL.Path)
	h := t.host(first.URL.Host)
	g := h.greeting.Load()
	if g == nil {
		g = &greeting{scheme: first.URL.Scheme, private: address.OfHost(h.name) == address.Private}
	}
	if sameHost(out.in.URL, first.URL) {
		own := parseEndpoint(out.in.Method, out.in.URL.Path)
		if own.kind == kindOther || own.kind == kindGreeting {
			own = e // the same question, answered elsewhere on the registry
		}
		return t.ask(out, h, own, out.in.URL)
	}
	return t.foreign(out, e, h, g)
}

// foreign carries a request to where a registry has pointed, without that
// registry's credentials. Where another registry asks for a token there, one
// is got without credentials.
func (t *Transport) foreign(out *outgoing, e endpoint, from *host, g *greeting) (*http.Response, error) {
	pool, err := t.target(out.in.URL, from, g)
	if err != nil {
		return nil, err
	}
	r := route{url: out.in.URL, pool: pool, limit: e.limit()}
	resp, err := t.deliver(out, r, "")
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !out.repeatable() {
		return resp, err
	}
	there := parseEndpoint(out.in.Method, out.in.URL.Path)
	if there.kind == kindOther || there.kind == kindGreeting || there.write {
		return resp, nil
	}
	guest := t.guest(out.in.URL.Host)
	authorization, err := t.guestAuthorization(out.in.Context(), guest, there, g, resp)
	if err != nil || authorization == "" {
		return resp, nil // the refusal says more than a failure to get past it
	}
	return t.deliver(out, r, authorization)
}

// origin is the first request of a chain of redirects, and the length of the chain.
func origin(req *http.Request) (*http.Request, int) {
	hops := 0
	for req.Response != nil && req.Response.Request != nil && hops <= maxRedirects {
		req = req.Response.Request
		hops++
	}
	return req, hops
}

// sameHost compares hosts with their ports, whatever the scheme: that of a
// registry is decided once, and not by a redirect.
func sameHost(a, b *url.URL) bool {
	return a.Hostname() == b.Hostname() && (a.Port() == b.Port() || hostPort(a) == hostPort(b))
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Hostname() + ":" + port
}
