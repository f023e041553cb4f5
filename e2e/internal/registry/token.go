package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const issuer, audience, keyID = "e2e-issuer", "e2e-registry", "e2e-key"

// TokenServer gives the tokens that a registry demands to those who know a name
// and a password, as the large registries do: the registry itself never sees the
// password.
type TokenServer struct {
	*httptest.Server

	user, password string
	signer         jose.Signer
	keys           jose.JSONWebKeySet
	requests       atomic.Int64
}

// Requests gives how many tokens were asked for since the last call.
func (s *TokenServer) Requests() int { return int(s.requests.Swap(0)) }

// StartTokenServer starts one on a loopback port. The caller closes it.
func StartTokenServer(user, password string) (*TokenServer, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key := jose.JSONWebKey{Key: private, KeyID: keyID, Algorithm: string(jose.ES256), Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	s := &TokenServer{user: user, password: password, signer: signer, keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}}}
	s.Server = httptest.NewServer(s)
	return s, nil
}

// Auth gives the auth section of a registry that believes this server; the keys
// are written into dir.
func (s *TokenServer) Auth(dir string) (map[string]any, error) {
	data, err := json.Marshal(s.keys)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "jwks.json")
	// By its name: clients refuse a realm whose address is a private one.
	realm := strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/token"
	section := map[string]any{"token": map[string]any{"realm": realm, "service": audience, "issuer": issuer, "jwks": file}}
	return section, os.WriteFile(file, data, 0o600)
}

// access is what a token allows, in the registry's terms.
type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

// ServeHTTP grants all that is asked for to the one user there is.
func (s *TokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	user, password, _ := r.BasicAuth()
	if user != s.user || password != s.password {
		http.Error(w, `{"errors":[{"code":"UNAUTHORIZED"}]}`, http.StatusUnauthorized)
		return
	}
	var granted []access
	for _, scopes := range r.URL.Query()["scope"] {
		for _, scope := range strings.Fields(scopes) {
			if part := strings.Split(scope, ":"); len(part) == 3 {
				granted = append(granted, access{part[0], part[1], strings.Split(part[2], ",")})
			}
		}
	}
	now := time.Now()
	token, err := jwt.Signed(s.signer).Claims(jwt.Claims{
		Issuer: issuer, Subject: user, Audience: jwt.Audience{audience}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now.Add(-time.Minute)), Expiry: jwt.NewNumericDate(now.Add(5 * time.Minute)),
	}).Claims(map[string]any{"access": granted}).Serialize()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": 300}) // a client that is gone needs none
}
