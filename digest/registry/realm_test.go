package registry_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
)

// realm is a token server and the check of its tokens in front of a registry.
type realm struct {
	host string // of the registry, which is that of the token server too

	mu      sync.Mutex
	asked   [][]string          // scopes of each request for a token
	tokens  map[string][]string // what each is good for
	jwt     bool                // tokens say what they are good for
	life    int                 // expires_in; 0 leaves it out
	posts   int
	grant   func(scope string) bool // nil for all
	refuse  func(scopes []string) int
	first   bool // only the first scope is looked at
	missing bool // tokens are not there: 404 to POST
}

func newRealm(f *registrytest.Registry) *realm {
	r := &realm{host: f.Host, tokens: map[string][]string{}}
	f.SetFault(r.serve)
	return r
}

func (r *realm) serve(w http.ResponseWriter, req *http.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if req.URL.Path == "/token" {
		r.give(w, req)
		return true
	}
	value, _ := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	need := neededScope(req)
	if scopes, ok := r.tokens[value]; ok && (need == "" || slices.Contains(scopes, need)) {
		return false
	}
	challenge := `Bearer realm="http://` + r.host + `/token",service="test"`
	if need != "" {
		challenge += `,scope="` + need + `",error="insufficient_scope"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	w.WriteHeader(http.StatusUnauthorized)
	return true
}

func neededScope(req *http.Request) string {
	rest := strings.TrimPrefix(req.URL.Path, "/v2/")
	for _, part := range []string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		if repo, _, ok := strings.Cut(rest, part); ok {
			if req.Method == http.MethodGet || req.Method == http.MethodHead {
				return "repository:" + repo + ":pull"
			}
			return "repository:" + repo + ":pull,push"
		}
	}
	return ""
}

func (r *realm) give(w http.ResponseWriter, req *http.Request) {
	scopes := req.URL.Query()["scope"]
	if req.Method == http.MethodPost {
		r.posts++
		if r.missing {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		req.ParseForm()
		if req.PostForm.Get("refresh_token") != "identity" || req.PostForm.Get("grant_type") != "refresh_token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		scopes = strings.Fields(req.PostForm.Get("scope"))
	}
	r.asked = append(r.asked, scopes)
	if r.refuse != nil {
		if status := r.refuse(scopes); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	if r.first && len(scopes) > 1 {
		scopes = scopes[:1]
	}
	var granted []string
	for _, s := range scopes {
		if r.grant == nil || r.grant(s) {
			granted = append(granted, s)
		}
	}
	value := r.sign(granted)
	r.tokens[value] = append(granted, "repository::pull")
	for _, s := range granted {
		r.tokens[value] = append(r.tokens[value], strings.TrimSuffix(s, ",push"))
	}
	answer := map[string]any{"token": value}
	if r.life != 0 {
		answer["expires_in"] = r.life
	}
	json.NewEncoder(w).Encode(answer)
}

func (r *realm) sign(scopes []string) string {
	id := fmt.Sprintf("t%d", len(r.asked))
	if !r.jwt {
		return id
	}
	access := []map[string]any{}
	for _, s := range scopes {
		parts := strings.Split(s, ":")
		access = append(access, map[string]any{"type": parts[0], "name": parts[1], "actions": strings.Split(parts[2], ",")})
	}
	payload, _ := json.Marshal(map[string]any{"jti": id, "access": access})
	return "e30." + base64.RawURLEncoding.EncodeToString(payload) + ".c2ln"
}

// revoke makes all tokens so far worthless.
func (r *realm) revoke() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.tokens)
}

func (r *realm) Requests() [][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}
