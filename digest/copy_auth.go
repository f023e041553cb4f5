package digest

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// handshakes authenticates each request by what it is about: one handshake for
// each repository that is read, and one for each that is written.
type handshakes struct {
	base http.RoundTripper
	keys *keychain

	mu   sync.Mutex
	made map[handshakeKey]*handshake
}

type handshakeKey struct {
	host, path string
	from       string // the repository a blob is mounted from, else empty
	push       bool
}

// handshake is made by whoever holds its turn. Each who waits does so under a
// context of its own, and makes it when the one before has failed.
type handshake struct {
	turn      chan struct{}
	transport http.RoundTripper
}

func newHandshakes(keys authn.Keychain) *handshakes {
	h := &handshakes{
		base: newTransport(),
		keys: &keychain{inner: keys, source: "given keychain"},
		made: map[handshakeKey]*handshake{},
	}
	if keys == nil {
		h.keys.inner, h.keys.source = authn.DefaultKeychain, "docker config"
	}
	return h
}

// Tried says which credentials are in use for a registry, never their value.
func (h *handshakes) Tried(target authn.Resource) string {
	return h.keys.tried(target.RegistryStr())
}

// RoundTrip implements [http.RoundTripper].
func (h *handshakes) RoundTrip(req *http.Request) (*http.Response, error) {
	path, ok := repositoryOf(req.URL.Path)
	if !ok || chosenBy(req).URL.Host != req.URL.Host {
		return h.base.RoundTrip(req)
	}
	t, err := h.transport(req.Context(), handshakeKey{
		host: req.URL.Host,
		path: path,
		from: req.URL.Query().Get("from"),
		push: req.Method != http.MethodGet && req.Method != http.MethodHead,
	})
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	return t.RoundTrip(req)
}

// CloseIdleConnections closes what the base keeps open.
func (h *handshakes) CloseIdleConnections() {
	if c, ok := h.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// repositoryOf finds NAME in "/v2/NAME/manifests/…" and its like.
func repositoryOf(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return "", false
	}
	for _, what := range []string{"/blobs/uploads/", "/blobs/", "/manifests/", "/referrers/"} {
		if i := strings.LastIndex(rest, what); i > 0 {
			return rest[:i], true
		}
	}
	return "", false
}

func (h *handshakes) transport(ctx context.Context, key handshakeKey) (http.RoundTripper, error) {
	h.mu.Lock()
	shake := h.made[key]
	if shake == nil {
		shake = &handshake{turn: make(chan struct{}, 1)}
		h.made[key] = shake
	}
	h.mu.Unlock()
	select {
	case shake.turn <- struct{}{}:
		defer func() { <-shake.turn }()
	case <-ctx.Done():
		return nil, &endedError{ctx.Err()}
	}
	if shake.transport != nil {
		return shake.transport, nil
	}
	registry, err := name.NewRegistry(key.host)
	if err != nil {
		return nil, fault("registry not accepted")
	}
	auth, err := h.keys.ResolveContext(ctx, registry)
	if err != nil {
		return nil, err
	}
	action := transport.PullScope
	if key.push {
		action = transport.PushScope
	}
	// Some registries look at the first scope only: the one written to.
	scopes := []string{registry.Repo(key.path).Scope(action)}
	if key.from != "" {
		scopes = append(scopes, registry.Repo(key.from).Scope(transport.PullScope))
	}
	t, err := transport.NewWithContext(ctx, registry, auth, h.base, scopes)
	if err != nil {
		return nil, err
	}
	shake.transport = t
	return t, nil
}
