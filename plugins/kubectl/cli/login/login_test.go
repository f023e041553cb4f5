package login_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/login"
)

// TestMain lets this program be the browser: what it is to open is opened, and where that
// leads to as well. As on a desktop, who has started it does not wait for it.
func TestMain(m *testing.M) {
	switch os.Getenv("LOGIN_TEST_BROWSER") {
	case "start":
		cmd := exec.Command(os.Args[0], os.Args[1:]...)
		cmd.Env = append(os.Environ(), "LOGIN_TEST_BROWSER=open")
		if err := cmd.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case "open":
		resp, err := http.Get(os.Args[len(os.Args)-1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		resp.Body.Close()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// provider is an OpenID provider on the wire: a real one in which somebody logs in is in
// e2e/forge.
type provider struct {
	*httptest.Server
	t    *testing.T
	key  *ecdsa.PrivateKey
	mu   sync.Mutex
	code map[string]string // the challenge of each code, and its nonce
	// typed tells whether the code has been typed on the other device, which is so from the
	// second time on that is asked.
	typed  bool
	claims map[string]any // in place of what is right
	answer func(w http.ResponseWriter, r *http.Request) bool
}

func newProvider(t *testing.T) *provider {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, key: key, code: map[string]string{}, claims: map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.json(w, 200, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"device_authorization_endpoint": p.URL + "/device", "code_challenge_methods_supported": []string{"S256"},
			"id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		public, err := key.PublicKey.Bytes() // 4, x, y
		if err != nil {
			t.Error(err)
		}
		p.json(w, 200, map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
			"x": b64(public[1:33]), "y": b64(public[33:])}}})
	})
	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("code_challenge_method") != "S256" || q.Get("client_id") != "sigstore" || !strings.Contains(q.Get("scope"), "openid") {
			t.Errorf("asked for %s", q)
		}
		p.mu.Lock()
		p.code["c1"] = q.Get("code_challenge") + " " + q.Get("nonce")
		p.mu.Unlock()
		http.Redirect(w, r, q.Get("redirect_uri")+"?code=c1&state="+q.Get("state"), http.StatusFound)
	})
	mux.HandleFunc("/device", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.code["d1"] = r.FormValue("code_challenge") + " "
		p.mu.Unlock()
		p.json(w, 200, map[string]any{"device_code": "d1", "user_code": "WDJB\x1b[2J-MJHT", "verification_uri": p.URL + "/type", "expires_in": 60, "interval": 1})
	})
	mux.HandleFunc("/token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	if p.answer != nil && p.answer(w, r) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code := r.FormValue("code") + r.FormValue("device_code")
	challenge, nonce, _ := strings.Cut(p.code[code], " ")
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if challenge == "" || challenge != b64(sum[:]) {
		p.json(w, 400, map[string]any{"error": "invalid_grant"})
		return
	}
	if code == "d1" && !p.typed {
		p.typed = true
		p.json(w, 400, map[string]any{"error": "authorization_pending"})
		return
	}
	claims := map[string]any{"iss": p.URL, "aud": "sigstore", "sub": "1", "email": "ada@example.com", "email_verified": true,
		"nonce": nonce, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
	for name, value := range p.claims {
		claims[name] = value
	}
	p.json(w, 200, map[string]any{"access_token": "x", "token_type": "bearer", "id_token": p.sign(claims)})
}

func (p *provider) sign(claims map[string]any) string {
	data, err := json.Marshal(claims)
	if err != nil {
		p.t.Error(err)
	}
	text := b64([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + b64(data)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, p.key, sum[:])
	if err != nil {
		p.t.Error(err)
	}
	return text + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func (p *provider) json(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// withBrowser has this program be what xdg-open is on a desktop.
func withBrowser(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux a browser is what is called xdg-open in the PATH")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\nexec '"+program+"' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("LOGIN_TEST_BROWSER", "start")
}

func claim(t *testing.T, token, name string) any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no token: %q", token)
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err != nil || json.Unmarshal(data, &claims) != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return claims[name]
}

func TestBrowser(t *testing.T) {
	withBrowser(t)
	p := newProvider(t)
	var out bytes.Buffer
	token, err := login.Person(t.Context(), login.Options{Issuer: p.URL, In: strings.NewReader(""), Out: &out})
	if err != nil || claim(t, token, "email") != "ada@example.com" {
		t.Fatalf("%s, %v", token, err)
	}
	if !strings.Contains(out.String(), p.URL+"/auth?") {
		t.Errorf("nothing to open by hand: %q", out.String())
	}
}

// A code is shown without what a terminal would obey, and asked for until it is typed.
func TestDevice(t *testing.T) {
	p := newProvider(t)
	var out bytes.Buffer
	token, err := login.Person(t.Context(), login.Options{Issuer: p.URL, Flow: login.Device, Out: &out})
	if err != nil || claim(t, token, "email") != "ada@example.com" {
		t.Fatalf("%s, %v", token, err)
	}
	if want := "open " + p.URL + "/type\nand enter the code WDJB [2J-MJHT\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}

// A token that is somebody else's, or for something else, is none.
func TestRefused(t *testing.T) {
	withBrowser(t)
	for _, tc := range []struct {
		name, flow string
		claims     map[string]any
		answer     func(w http.ResponseWriter, r *http.Request) bool
		want       string
	}{
		{"another audience", login.Browser, map[string]any{"aud": "kubernetes"}, nil, `expected audience "sigstore"`},
		{"another issuer", login.Browser, map[string]any{"iss": "https://example.com"}, nil, "issued by a different provider"},
		{"another login", login.Browser, map[string]any{"nonce": "1"}, nil, "nonce"},
		{"over", login.Browser, map[string]any{"exp": 1}, nil, "token is expired"},
		{"an address that nobody has checked", login.Browser, map[string]any{"email_verified": false}, nil, "not verified"},
		{"another audience on a device", login.Device, map[string]any{"aud": "kubernetes"}, nil, `expected audience "sigstore"`},
		{"denied", login.Device, nil, func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"access_denied"}`)
			return true
		}, "access_denied"},
		{"no token", login.Device, nil, func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"access_token":"x","token_type":"bearer"}`)
			return true
		}, "its answer has no identity token"},
	} {
		p := newProvider(t)
		p.claims, p.answer = tc.claims, tc.answer
		_, err := login.Person(t.Context(), login.Options{Issuer: p.URL, Flow: tc.flow, In: strings.NewReader(""), Out: &bytes.Buffer{}})
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "login at "+p.URL+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// Nobody waits for a person who has given up.
func TestStopped(t *testing.T) {
	p := newProvider(t)
	ctx, cancel := context.WithCancel(t.Context())
	p.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		cancel()
		p.json(w, 400, map[string]any{"error": "authorization_pending"})
		return true
	}
	if _, err := login.Person(ctx, login.Options{Issuer: p.URL, Flow: login.Device, Out: &bytes.Buffer{}}); err == nil || err.Error() != context.Canceled.Error() {
		t.Error(err)
	}
}

// Whoever gives it less time is told that, and not of five minutes that nobody has waited.
func TestLate(t *testing.T) {
	p := newProvider(t)
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if _, err := login.Person(ctx, login.Options{Issuer: p.URL, Flow: login.Device, Out: &bytes.Buffer{}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// A job of GitHub's gets a token for the audience, by the permission that it was given.
func TestOfJob(t *testing.T) {
	for _, name := range []string{"ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "BUILDKITE_AGENT_ACCESS_TOKEN"} {
		t.Setenv(name, "")
	}
	if login.Job() != "" {
		t.Error(login.Job())
	}
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "bearer secret" || r.FormValue("audience") != "sigstore" || r.FormValue("api-version") != "2.0" {
			t.Errorf("%s, %v", r.URL, r.Header)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, `{"value": "a.b.c"}`)
	}))
	defer server.Close()
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", server.URL+"/token?api-version=2.0")
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "secret")
	if token, err := login.OfJob(t.Context(), ""); err != nil || token != "a.b.c" || login.Job() != "GitHub Actions" {
		t.Error(token, err)
	}
	status = http.StatusForbidden
	if _, err := login.OfJob(t.Context(), ""); err == nil || err.Error() != "GitHub Actions: the identity token: 403 Forbidden (permissions: id-token: write)" {
		t.Error(err)
	}
	t.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
	t.Setenv("BUILDKITE_AGENT_ACCESS_TOKEN", "x")
	t.Setenv("PATH", t.TempDir())
	if _, err := login.OfJob(t.Context(), ""); err == nil || !strings.HasPrefix(err.Error(), "Buildkite: buildkite-agent oidc request-token: ") {
		t.Error(err)
	}
	script := "#!/bin/sh\ntest \"$*\" = 'oidc request-token --audience sigstore' && echo d.e.f\n"
	if err := os.WriteFile(filepath.Join(os.Getenv("PATH"), "buildkite-agent"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if token, err := login.OfJob(t.Context(), ""); err != nil || token != "d.e.f" {
		t.Error(token, err)
	}
}
