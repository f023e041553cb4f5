package forge_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/e2e/internal/gitea"
)

// Gitea is an OpenID provider, too: alice logs in there with a browser, which this test is,
// and allows this program to know who she is.
func TestLogin(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	back := "http://" + l.Addr().String() + "/auth/callback"
	if err := l.Close(); err != nil { // the login listens there
		t.Fatal(err)
	}
	var app struct {
		ClientID string `json:"client_id"`
	}
	if err := server.Do(t.Context(), server.Token, http.MethodPost, "/user/applications/oauth2",
		map[string]any{"name": "kubepromote", "redirect_uris": []string{"http://127.0.0.1/auth/callback"}, "confidential_client": false}, &app); err != nil {
		t.Fatal(err)
	}
	// What opens addresses on a desktop leaves this one to the test.
	bin := t.TempDir()
	file := filepath.Join(bin, "url")
	if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte("#!/bin/sh\necho \"$1\" > "+file+".new && mv "+file+".new "+file+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	// The certificate authority is none: it notes whose token it was sent.
	tokens := make(chan string, 1)
	fulcio := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case tokens <- strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "):
		default:
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	defer fulcio.Close()
	r := newRepository(t)
	c := r.clone()
	c.commit("images", time.Hour, overlays("cart", 2, 1))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	surfed := make(chan error, 1)
	go func() { surfed <- surf(ctx, file) }()
	cmd := exec.CommandContext(ctx, product, "approve", "cart", "--to", "production", "--fulcio-url", fulcio.URL, "--timestamp-url", fulcio.URL,
		"--oidc-issuer", server.URL, "--oidc-client-id", app.ClientID, "--oidc-redirect-url", back, "--oidc-flow", "browser")
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "418") {
		t.Errorf("%v\n%s", err, out)
	}
	if err := <-surfed; err != nil {
		t.Error(err)
	}
	select {
	case token := <-tokens:
		_, rest, _ := strings.Cut(token, ".")
		claims, err := base64.RawURLEncoding.DecodeString(strings.SplitN(rest, ".", 2)[0])
		if err != nil || !strings.Contains(string(claims), `"email":"alice@`) || !strings.Contains(string(claims), app.ClientID) {
			t.Errorf("%s, %v", claims, err)
		}
	default:
		t.Errorf("no token was sent to the certificate authority\n%s", out)
	}
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

// surf logs in as alice, opens the address that is in the file, and presses the button.
func surf(ctx context.Context, file string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := http.Client{Jar: jar, Timeout: 30 * time.Second}
	do := func(method, at string, form url.Values) (string, error) {
		req, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(form.Encode()))
		if err != nil {
			return "", err
		}
		req.Header.Set("Origin", server.URL)
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := browser.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s %s: %s: %s", method, at, resp.Status, page)
		}
		return string(page), err
	}
	if _, err := do(http.MethodPost, server.URL+"/user/login", url.Values{"user_name": {"alice"}, "password": {gitea.Password}}); err != nil {
		return err
	}
	var address []byte
	for tick := time.NewTicker(10 * time.Millisecond); len(address) == 0; {
		if address, err = os.ReadFile(file); err == nil {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	page, err := do(http.MethodGet, strings.TrimSpace(string(address)), nil)
	if err != nil {
		return err
	}
	form := url.Values{"granted": {"true"}}
	for _, field := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(field[1], strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#39;", "'", "&#34;", `"`).Replace(field[2]))
	}
	if form.Get("client_id") == "" {
		return fmt.Errorf("no form to allow it with: %s", page)
	}
	_, err = do(http.MethodPost, server.URL+"/login/oauth/grant", form)
	return err
}
