package registry

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/kubepromote/kubepromote/digest/registry/cache"
	"github.com/kubepromote/kubepromote/digest/registry/credentials"
	"github.com/kubepromote/kubepromote/digest/registry/internal/flight"
	"github.com/kubepromote/kubepromote/internal/address"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	defaultPerRegistry = 32
	defaultCertsDir    = "/etc/docker/certs.d"
	defaultUserAgent   = "kubepromote"
	maxRedirects       = 10
)

// Options adjust a [Client]. The zero value is fit for use.
type Options struct {
	// Keychain gives credentials. Nil means [credentials.NewKeychain] with its defaults. A
	// keychain that is not a [*credentials.Keychain] is asked once per registry, about the
	// registry and not a repository, and its answer is kept.
	Keychain authn.Keychain
	// Base carries all requests. Nil means connections of the Client's own
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
	Registries *Config
	// UserAgent is sent with all requests, before what a request has itself;
	// empty means "kubepromote".
	UserAgent string
	// CertsDir has a directory per registry with its certificates, as Docker's
	// has: *.crt for its authorities, *.cert and *.key for the client. Empty
	// means /etc/docker/certs.d.
	CertsDir string
}

// Client is an [http.RoundTripper] for registries. It authenticates by
// itself, so a library sends plain requests for "https://HOST/v2/…": with
// go-containerregistry that is remote.WithTransport, no authenticator, and a
// remote.WithRetryBackoff of one step, as its tries would multiply with these.
// It is safe for concurrent use. Make it with [New].
//
// Requests that are needed beside those of the caller are shared by all: one
// ping, GET /v2/, per registry, which tells the scheme and how to
// authenticate; one token per repository and action, or per 50 repositories
// announced by [Client.Announce]; each for as long as it is valid. A GET
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
// The time that all callers together lose with a registry that fails is bounded, at a
// minute and a half for 32 of them. One that fails 16 times in a row and for five
// seconds, or three times and for twenty, is not asked for the next half a minute:
// that is an error at once. One that fails now and then is asked in haste after half a
// minute, and after ten seconds without a good answer: it has a second, or twice what
// its good answers take.
//
// What a registry points to, by a redirect or as its token server, is not
// trusted: it is reached by HTTPS, unless the registry itself is not; it is not
// on a private or loopback address, unless the registry itself is; it gets
// none of the registry's tokens.
type Client struct {
	transport *transport
	cache     *cache.Cache
	hurried   bool
}

// transport is what all requests go through.
type transport struct {
	keys       *credentials.Keychain
	net        *network
	registries *Config
	userAgent  string
	perHost    int
	rate       float64

	hosts    sync.Map // name (string) → *host
	guests   sync.Map // name (string) → *host that a registry redirected to
	limiters sync.Map // host and port (string) → *limiter
	patience sync.Map // host (string) → *patience
	overall  patience // with all of them
	uploads  uploads
	pings    flight.Group[*host, *pinged]
	tokens   flight.Group[tokenKey, *token]
	batches  flight.Group[*batch, struct{}]
}

// New makes a Client. It asks nothing yet.
func New(o Options) *Client {
	t := &transport{
		keys:       asKeychain(o.Keychain),
		registries: o.Registries,
		userAgent:  cmp.Or(o.UserAgent, defaultUserAgent),
		perHost:    cmp.Or(max(o.PerRegistry, 0), defaultPerRegistry),
		rate:       o.Rate,
		net:        newNetwork(o),
	}
	t.overall.most = 2 * maxLost
	return &Client{transport: t}
}

// asKeychain makes one of any keychain; nil means the default.
func asKeychain(inner authn.Keychain) *credentials.Keychain {
	switch k := inner.(type) {
	case nil:
		return credentials.NewKeychain(credentials.KeychainOptions{})
	case *credentials.Keychain:
		return k
	}
	return credentials.NewKeychain(credentials.KeychainOptions{WithoutDefault: true, Keychains: []authn.Keychain{inner}})
}

// Cached is the same client, with its connections and tokens, of which manifests
// and blobs that are asked for by digest come from a cache where it has them, and
// are put into it. Nothing is asked of a registry for content that is on this disk
// already, not even whether it may still be read there: whoever knows the digest
// and owns the disk has the content. A nil cache keeps nothing. What a tag stands
// for, and whether a manifest is there, is asked each time.
func (c *Client) Cached(in *cache.Cache) *Client { return &Client{c.transport, in, c.hurried} }

// Hurried is the same client, with its connections and tokens, for questions on
// which little depends: a registry or token server that says nothing for a second is not
// waited for, and not asked again. Helpers that look for credentials have their time.
func (c *Client) Hurried() *Client { return &Client{c.transport, c.cache, true} }

// CloseIdleConnections closes connections that are kept for later requests. The
// Client stays usable.
func (c *Client) CloseIdleConnections() { c.transport.net.closeIdle() }

// Announce says that repositories of a registry will be read from, so that one
// token can be asked for many of them. The registry and the repositories are
// as in URLs: "index.docker.io", "library/nginx". Announcing does not ask
// anything yet, and again is the same as once.
func (c *Client) Announce(registry string, repositories ...string) {
	c.transport.announce(registry, repositories)
}

// RoundTrip implements [http.RoundTripper], for libraries that speak to
// registries themselves. It returns when the context of req ends, provided that
// Base does. It knows no cache.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	return c.transport.RoundTrip(req)
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	out := &outgoing{in: req}
	defer out.closeUnsent()
	if err := req.Context().Err(); err != nil {
		return nil, &fault.Ended{Err: err}
	}
	if req.Response != nil {
		return t.redirected(out)
	}
	e := parseEndpoint(req.Method, req.URL.Path)
	switch e.kind {
	case kindPing:
		return pingAnswer(req), nil
	case kindOther:
		var known bool
		if e, known = t.uploads.get(req.URL); !known {
			return t.foreign(out, e, &host{name: req.URL.Host}, &pinged{scheme: req.URL.Scheme, private: address.OfHost(req.URL.Host) == address.Private})
		}
	}
	return t.routed(out, e)
}

// redirected carries a request that a client makes because an earlier one was
// redirected. On the host of the first one it is a request like any other.
func (t *transport) redirected(out *outgoing) (*http.Response, error) {
	first, hops := origin(out.in)
	if hops > maxRedirects {
		return nil, errRedirects
	}
	e := parseEndpoint(first.Method, first.URL.Path)
	h := t.host(first.URL.Host)
	g := h.pinged.Load()
	if g == nil {
		g = &pinged{scheme: first.URL.Scheme, private: address.OfHost(h.name) == address.Private}
	}
	if sameHost(out.in.URL, first.URL) {
		own := parseEndpoint(out.in.Method, out.in.URL.Path)
		if own.kind == kindOther || own.kind == kindPing {
			own = e // the same question, answered elsewhere on the registry
		}
		return t.ask(out, h, own, out.in.URL)
	}
	return t.foreign(out, e, h, g)
}

// foreign carries a request to where a registry has pointed, without that
// registry's credentials. Where another registry asks for a token there, one
// is got without credentials.
func (t *transport) foreign(out *outgoing, e endpoint, from *host, g *pinged) (*http.Response, error) {
	pool, err := t.target(out.in.URL, from, g)
	if err != nil {
		return nil, err
	}
	return t.patiently(out.in.URL.Host, out, e, func() (*http.Response, error) { return t.visitor(out, e, g, pool) })
}

func (t *transport) visitor(out *outgoing, e endpoint, g *pinged, pool http.RoundTripper) (*http.Response, error) {
	r := route{url: out.in.URL, pool: pool, limit: e.limit()}
	resp, err := t.deliver(out, r, "")
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !out.repeatable() {
		return resp, err
	}
	there := parseEndpoint(out.in.Method, out.in.URL.Path)
	if there.kind == kindOther || there.kind == kindPing || there.write {
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

// hostPort is the host of a URL with its port, or that of its scheme.
func hostPort(u *url.URL) string {
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme])
	return net.JoinHostPort(u.Hostname(), port)
}
