package registry

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/kubepromote/kubepromote/digest/registry/credentials"
	"github.com/kubepromote/kubepromote/digest/registry/internal/challenge"
)

// authorization is what a request was sent with.
type authorization struct {
	header string
	token  *token // nil for none and for basic
	held   bool   // the token was there before the request
}

// authorize finds what a registry wants to see of a request.
func (t *transport) authorize(ctx context.Context, h *host, g *pinged, e endpoint) (*authorization, error) {
	switch g.challenge.Scheme {
	case "basic":
		config, err := t.config(ctx, h, e.repo)
		if err != nil {
			return nil, err
		}
		return &authorization{header: basic(config)}, nil
	case "bearer":
		key := tokenKey{h, t.namespace(h, e.repo), strings.Join(e.scopes, " ")}
		if k := h.token(key); k != nil {
			return &authorization{"Bearer " + k.value, k, true}, nil
		}
		k, err := t.token(ctx, g, key, e)
		if err != nil {
			return nil, err
		}
		return &authorization{"Bearer " + k.value, k, false}, nil
	}
	return &authorization{}, nil
}

func basic(c *authn.AuthConfig) string {
	switch {
	case c.RegistryToken != "":
		return "Bearer " + c.RegistryToken
	case c.Username == "" && c.Password == "":
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password))
}

func (t *transport) namespace(h *host, repo string) string {
	if h.guest {
		return ""
	}
	return t.keys.Namespace(h.name, repo)
}

// config gives the credentials for a repository. A host that another registry
// has redirected to gets none.
func (t *transport) config(ctx context.Context, h *host, repo string) (*authn.AuthConfig, error) {
	if h.guest {
		return &authn.AuthConfig{}, nil
	}
	c, err := t.keys.Find(ctx, h.name, repo)
	if err != nil {
		return nil, err
	}
	config, err := authn.Authorization(ctx, c.Auth)
	if err != nil {
		return nil, &credentials.Error{Source: c.Source, Err: err}
	}
	return config, nil
}

// mayBeAuthorization tells refusals that another token may change. A token for
// many scopes may also be too long for a server.
func mayBeAuthorization(resp *http.Response, used *authorization) bool {
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return true
	case http.StatusBadRequest, http.StatusForbidden, http.StatusRequestHeaderFieldsTooLarge:
		return used.token != nil && used.token.batched
	}
	return false
}

// reauthorize finds something better to send after a refusal; nil when there is
// nothing better.
func (t *transport) reauthorize(ctx context.Context, h *host, g *pinged, e endpoint, used *authorization, resp *http.Response) (*authorization, error) {
	c, challenged := challenge.Pick(resp.Header)
	if used.token == nil {
		if g.challenge.Scheme != "" || !challenged {
			return nil, nil
		}
		// Open to pings but not to this.
		known := *g
		known.challenge = c
		h.pinged.Store(&known)
		return t.authorize(ctx, h, &known, e)
	}
	key := tokenKey{h, t.namespace(h, e.repo), strings.Join(e.scopes, " ")}
	wanted := strings.Fields(c.Scope)
	switch {
	case used.held && (used.token.granted || !used.token.batched) && resp.StatusCode == http.StatusUnauthorized:
		h.drop(key, used.token) // given up by the registry before its time
	case used.token.batched:
		h.unbatch(e.repo)
		h.drop(key, used.token)
	case len(wanted) > 0 && len(wanted) <= len(e.scopes)+1 && !slices.Equal(wanted, e.scopes):
		e.scopes = wanted // the registry knows better than the path what is needed
	default:
		return nil, nil
	}
	return t.authorize(ctx, h, g, e)
}

// guestAuthorization answers the challenge of a host that a registry has
// redirected to.
func (t *transport) guestAuthorization(ctx context.Context, guest *host, e endpoint, from *pinged, resp *http.Response) (string, error) {
	c, ok := challenge.Pick(resp.Header)
	if !ok || c.Scheme != "bearer" {
		return "", nil
	}
	g := &pinged{scheme: from.scheme, private: from.private, challenge: c}
	used, err := t.authorize(ctx, guest, g, e)
	if err != nil {
		return "", err
	}
	return used.header, nil
}
