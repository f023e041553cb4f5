package digest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/kubepromote/kubepromote/digest/internal/challenge"
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

// authorization is what a request was sent with.
type authorization struct {
	header string
	token  *token // nil for none and for basic
	held   bool   // the token was there before the request
}

// authorize finds what a registry wants to see of a request.
func (t *Transport) authorize(ctx context.Context, h *host, g *greeting, e endpoint) (*authorization, error) {
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

func (t *Transport) namespace(h *host, repo string) string {
	if h.guest {
		return ""
	}
	return t.keys.namespace(h.name, repo)
}

// config gives the credentials for a repository. A host that another registry
// has redirected to gets none.
func (t *Transport) config(ctx context.Context, h *host, repo string) (*authn.AuthConfig, error) {
	if h.guest {
		return &authn.AuthConfig{}, nil
	}
	c, err := t.keys.find(ctx, h.name, repo)
	if err != nil {
		return nil, err
	}
	config, err := authn.Authorization(ctx, c.auth)
	if err != nil {
		return nil, &credentialsError{source: c.title, err: err}
	}
	return config, nil
}

// token gets a token for all who need it: with its batch if the repository was
// announced, and else, or where the realm has not granted it so, alone.
func (t *Transport) token(ctx context.Context, g *greeting, key tokenKey, e endpoint) (*token, error) {
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
		return nil, &endedError{ctx.Err()}
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
func (t *Transport) reauthorize(ctx context.Context, h *host, g *greeting, e endpoint, used *authorization, resp *http.Response) (*authorization, error) {
	c, challenged := challenge.Pick(resp.Header)
	if used.token == nil {
		if g.challenge.Scheme != "" || !challenged {
			return nil, nil
		}
		// Open to greetings but not to this.
		known := *g
		known.challenge = c
		h.greeting.Store(&known)
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
func (t *Transport) guestAuthorization(ctx context.Context, guest *host, e endpoint, from *greeting, resp *http.Response) (string, error) {
	c, ok := challenge.Pick(resp.Header)
	if !ok || c.Scheme != "bearer" {
		return "", nil
	}
	g := &greeting{scheme: from.scheme, private: from.private, challenge: c}
	used, err := t.authorize(ctx, guest, g, e)
	if err != nil {
		return "", err
	}
	return used.header, nil
}

// fetch asks a realm for a token.
func (t *Transport) fetch(ctx context.Context, h *host, g *greeting, repo string, scopes []string) (*token, error) {
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
		return nil, fault("names a token server that is not a URL")
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

func (t *Transport) exchange(ctx context.Context, h *host, g *greeting, r tokenRequest) (*token, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), strings.NewReader(r.form))
	if err != nil {
		return nil, fault("names a token server that is not a URL")
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
	v := &visit{t: t, from: h, greeting: g, limit: maxErrorBody}
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
		return nil, fault(from + ": " + why)
	}
	return k, nil
}

// tokenFault names the token server in what went wrong with it.
func tokenFault(from string, err error) error {
	_, text := describe(err, "")
	return &cause{text: fmt.Sprintf("%s: %s", from, text), err: err}
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
	value := answer.Token
	if value == "" {
		value = answer.AccessToken
	}
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
