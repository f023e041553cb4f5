package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	// tokenTimeout bounds a request for a token with its tries.
	tokenTimeout = 30 * time.Second
	// defaultTokenLife is what the protocol says where expires_in is missing.
	defaultTokenLife = time.Minute
	maxTokenLife     = 24 * time.Hour
	// maxRenewAhead is how long before its end a token is given up, at most.
	maxRenewAhead = 30 * time.Second
)

// token is a bearer token. Tokens are values: a new one replaces an old one.
type token struct {
	value   string
	renew   time.Time // when it is given up, zero for never
	batched bool      // asked for together with other scopes
	granted bool      // it says itself what it is good for
}

func (k *token) fresh() bool {
	return k != nil && (k.renew.IsZero() || time.Now().Before(k.renew))
}

// tokenKey is one question to a realm.
type tokenKey struct {
	host      *host
	namespace string // of the credentials
	scopes    string
}

// token gets a token for all who need it: with its batch if the repository was
// announced, and else, or where the realm has not granted it so, alone.
func (t *transport) token(ctx context.Context, g *pinged, key tokenKey, e endpoint) (*token, error) {
	if !e.write && len(e.scopes) == 1 && e.repo != "" {
		if err := t.withBatch(ctx, g, key, e.repo); err != nil {
			return nil, err
		}
		if k := key.host.token(key); k != nil {
			return k, nil
		}
	}
	k, err := t.tokens.Do(ctx, key, func(ctx context.Context) (*token, error) {
		if k := key.host.token(key); k != nil {
			return k, nil
		}
		k, err := t.fetch(ctx, key.host, g, e.repo, e.scopes)
		if err == nil {
			key.host.keep(key, k)
		}
		return k, err
	})
	if ctx.Err() != nil {
		return nil, &fault.Ended{Err: ctx.Err()}
	}
	return k, err
}

// token gives a token that allows what is asked for: that of the same scopes,
// or one to push where pulling is asked for.
func (h *host) token(key tokenKey) *token {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, scopes := range []string{key.scopes, strings.TrimSuffix(key.scopes, ":pull") + ":pull,push"} {
		if k := h.tokens[key.namespace+"\x00"+scopes]; k.fresh() {
			return k
		}
	}
	return nil
}

// minSweep is how many tokens there are before those past their time are
// looked for.
const minSweep = 1024

func (h *host) keep(key tokenKey, k *token) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tokens == nil {
		h.tokens = make(map[string]*token)
	}
	if n := len(h.tokens); n >= minSweep && n&(n-1) == 0 {
		for at, old := range h.tokens {
			if !old.fresh() {
				delete(h.tokens, at)
			}
		}
	}
	h.tokens[key.namespace+"\x00"+key.scopes] = k
}

// drop gives a token up, unless another caller has replaced it already.
func (h *host) drop(key tokenKey, k *token) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := key.namespace + "\x00" + key.scopes
	if h.tokens[at] == k {
		delete(h.tokens, at)
	}
}

// fetch asks a realm for a token.
func (t *transport) fetch(ctx context.Context, h *host, g *pinged, repo string, scopes []string) (*token, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	config, err := t.config(ctx, h, repo)
	if err != nil {
		return nil, err
	}
	if config.RegistryToken != "" {
		return &token{value: config.RegistryToken}, nil
	}
	realm, err := url.Parse(g.challenge.Realm)
	if err != nil || realm.Host == "" {
		return nil, fault.Text("names a token server that is not a URL")
	}
	if config.IdentityToken != "" {
		k, err := t.exchange(ctx, h, g, tokenPost(*realm, g.challenge.Service, scopes, config.IdentityToken))
		var refused *refusal
		if !errors.As(err, &refused) || refused.status != http.StatusNotFound && refused.status != http.StatusMethodNotAllowed {
			return k, err
		}
		// A token server without OAuth 2: the identity token is its password.
		config = &authn.AuthConfig{Username: config.Username, Password: config.IdentityToken}
	}
	return t.exchange(ctx, h, g, tokenGet(*realm, g.challenge.Service, scopes, config))
}

type tokenRequest struct {
	method        string
	url           url.URL
	form          string
	authorization string
}

// tokenGet is the request that all token servers know.
func tokenGet(realm url.URL, service string, scopes []string, c *authn.AuthConfig) tokenRequest {
	q := realm.Query()
	q["scope"] = scopes
	if service != "" {
		q.Set("service", service)
	}
	realm.RawQuery = q.Encode()
	return tokenRequest{method: http.MethodGet, url: realm, authorization: basic(c)}
}

// tokenPost exchanges an identity token by OAuth 2.
func tokenPost(realm url.URL, service string, scopes []string, identity string) tokenRequest {
	form := url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {identity},
		"scope":         {strings.Join(scopes, " ")},
		"client_id":     {defaultUserAgent},
	}
	if service != "" {
		form.Set("service", service)
	}
	return tokenRequest{method: http.MethodPost, url: realm, form: form.Encode()}
}

func (t *transport) exchange(ctx context.Context, h *host, g *pinged, r tokenRequest) (*token, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), strings.NewReader(r.form))
	if err != nil {
		return nil, fault.Text("names a token server that is not a URL")
	}
	if r.form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		req.Body, req.GetBody = nil, nil
	}
	if r.authorization != "" {
		req.Header.Set("Authorization", r.authorization)
	}
	from := "token server " + r.url.Host
	v := &visit{t: t, from: h, pinged: g, limit: maxErrorBody, token: true}
	resp, err := v.do(req)
	if err != nil {
		return nil, tokenFault(from, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, refused(from, resp)
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, tokenFault(from, err)
	}
	k, why := parseToken(data, time.Now())
	if why != "" {
		return nil, fault.Text(from + ": " + why)
	}
	return k, nil
}

// tokenFault names the token server in what went wrong with it.
func tokenFault(from string, err error) error {
	_, text := describe(err, "")
	return &fault.Cause{Text: fmt.Sprintf("%s: %s", from, text), Err: err}
}

// parseToken reads a token server's answer. What it says of itself is the time
// since it was sent, so clocks need not agree.
func parseToken(data []byte, now time.Time) (*token, string) {
	var answer struct {
		Token       string  `json:"token"`
		AccessToken string  `json:"access_token"`
		ExpiresIn   float64 `json:"expires_in"`
	}
	if json.Unmarshal(data, &answer) != nil {
		return nil, "answered with something that is not a token"
	}
	value := cmp.Or(answer.Token, answer.AccessToken)
	switch {
	case value == "":
		return nil, "answered without a token"
	case strings.IndexFunc(value, notInToken) >= 0:
		return nil, "answered with a token that cannot be sent"
	}
	life := defaultTokenLife
	if s := answer.ExpiresIn; s > 0 && !math.IsNaN(s) {
		life = time.Duration(min(s, maxTokenLife.Seconds()) * float64(time.Second))
	}
	return &token{value: value, renew: now.Add(life - min(life/4, maxRenewAhead))}, ""
}

// notInToken tells what may not stand in a header's value.
func notInToken(r rune) bool { return r <= ' ' || r > '~' }
