package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/kubepromote/kubepromote/e2e/internal/proxy"
	"github.com/kubepromote/kubepromote/e2e/internal/registry"
)

// farRegistry is a registry that wants tokens, at the end of a long way.
type farRegistry struct {
	*shell
	proxy  *proxy.Proxy
	tokens *registry.TokenServer
	refs   []string
}

const farUser, farPassword = "robot", "correct-horse-battery"

// delay is what the way adds to each answer.
const delay = 20 * time.Millisecond

func startFarRegistry(t *testing.T, repositories, tags int) *farRegistry {
	t.Helper()
	tokens, err := registry.StartTokenServer(farUser, farPassword)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tokens.Close)
	dir := t.TempDir()
	auth, err := tokens.Auth(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.Start(t.Context(), registry.Options{Program: filepath.Join(bin, "registry"), Dir: dir, Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	refs, err := registry.Fill(t.Context(), r.Host, &authn.Basic{Username: farUser, Password: farPassword}, repositories, tags)
	if err != nil {
		t.Fatal(err)
	}
	f := &farRegistry{shell: newShell(t, t.TempDir()), proxy: proxy.Start(r.Host, delay), tokens: tokens}
	t.Cleanup(f.proxy.Stop)
	for _, ref := range refs {
		f.refs = append(f.refs, strings.Replace(ref, r.Host, f.proxy.Host, 1))
	}
	config, err := json.Marshal(map[string]any{"auths": map[string]any{f.proxy.Host: map[string]string{"username": farUser, "password": farPassword}}})
	if err != nil {
		t.Fatal(err)
	}
	home := ""
	for _, v := range f.env {
		if dir, ok := strings.CutPrefix(v, "DOCKER_CONFIG="); ok {
			home = dir
		}
	}
	write(t, filepath.Join(home, "config.json"), string(config))
	f.tokens.Requests()
	f.proxy.Reset()
	return f
}

// For many images of one registry there is one challenge, one request for a
// token, and one HEAD for each image, counted by what serves them.
func TestRequests(t *testing.T) {
	const repositories, tags = 12, 5
	f := startFarRegistry(t, repositories, tags)
	refs := append(f.refs, f.refs...) // each twice
	out := f.run("kubectl-promote", append([]string{"resolve", "-o", "json"}, refs...)...)
	if got := strings.Count(out, `"digest": "sha256:`); got != len(refs) {
		t.Fatalf("%d digests, want %d", got, len(refs))
	}
	for kind, want := range map[string]int{"challenge": 1, "HEAD manifests": len(f.refs), "GET manifests": 0} {
		if got := f.proxy.Count(kind); got != want {
			t.Errorf("%s: %d requests, want %d", kind, got, want)
		}
	}
	if got := f.tokens.Requests(); got != 1 {
		t.Errorf("%d tokens were asked for, want 1", got)
	}
}

// onManifests lets a fault fall on manifests alone.
func onManifests(f proxy.Fault) proxy.Fault {
	return func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			pass.ServeHTTP(w, r)
			return
		}
		f(w, r, pass)
	}
}

func answer(code int, headers ...string) proxy.Fault {
	return onManifests(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	})
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// What a broken way to a registry does to an answer: it is unknown, and says
// why; never a digest, and never that there is no such image.
func TestFaults(t *testing.T) {
	f := startFarRegistry(t, 1, 1)
	digest := strings.TrimSpace(f.run("crane", "digest", f.refs[0]))
	byDigest, _, _ := strings.Cut(f.refs[0], ":v0")
	byDigest += "@" + digest
	other := "sha256:" + strings.Repeat("0", 64)
	for _, tt := range []struct {
		name, ref, want string
		fault           proxy.Fault
	}{
		{"429", f.refs[0], "too many requests", answer(429, "Retry-After", "3600")},
		{"500", f.refs[0], "server error (500)", answer(500)},
		{"403", f.refs[0], "forbidden (403)", answer(403)},
		{"reset", f.refs[0], "connection reset", onManifests(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { hangUp(t, w, "") })},
		{"half an answer", f.refs[0], "connection closed before the answer was complete",
			onManifests(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				hangUp(t, w, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n")
			})},
		{"endless redirects", f.refs[0], "redirects", onManifests(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		})},
		{"another digest", byDigest, "another digest", answer(200, "Docker-Content-Digest", other, "Content-Type", manifestType, "Content-Length", "9")},
		{"bytes of another digest", byDigest, "another digest", onManifests(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Type", manifestType)
			io.WriteString(w, `{"schemaVersion":2}`)
		})},
		{"half a body", f.refs[0], "connection closed before the answer was complete", onManifests(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			w.Header().Set("Content-Type", manifestType)
			w.Header().Set("Content-Length", "500")
			io.WriteString(w, `{"schemaVersion":2`)
		})},
		{"huge manifest", f.refs[0], "more than 4 MiB", onManifests(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			w.Header().Set("Content-Type", manifestType)
			io.WriteString(w, strings.Repeat(" ", 5<<20))
		})},
		{"realm elsewhere", f.refs[0], "", func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://169.254.169.254/latest/meta-data",service="e2e"`)
			w.WriteHeader(http.StatusUnauthorized)
		}},
		{"a slow drip", f.refs[0], "no answer in time", onManifests(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			for r.Context().Err() == nil {
				w.WriteHeader(http.StatusProcessing)
				time.Sleep(50 * time.Millisecond)
			}
		})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.proxy.Break(tt.fault)
			defer f.proxy.Break(nil)
			started := time.Now()
			stdout, stderr := f.exits(5, "kubectl-promote", "resolve", "--timeout", "5s", tt.ref)
			if strings.Contains(stdout, other) || !strings.Contains(stderr, f.proxy.Host) || !strings.Contains(stderr, tt.want) {
				t.Errorf("want %q of %s\n%s%s", tt.want, f.proxy.Host, stdout, stderr)
			}
			if took := time.Since(started); took > 30*time.Second {
				t.Errorf("took %s with a limit of 5 s", took)
			}
		})
	}
}

// hangUp sends some bytes and resets the connection.
func hangUp(t *testing.T, w http.ResponseWriter, text string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	io.WriteString(conn, text)
	if c, ok := conn.(interface{ SetLinger(int) error }); ok && text == "" {
		c.SetLinger(0)
	}
	conn.Close()
}

// Faults that pass do no harm, and a registry's wish to wait is obeyed.
func TestFaultsThatPass(t *testing.T) {
	f := startFarRegistry(t, 1, 1)
	want := strings.TrimSpace(f.run("crane", "digest", f.refs[0]))
	for name, code := range map[string]int{"429": 429, "500": 500, "503": 503} {
		t.Run(name, func(t *testing.T) {
			left := 2
			f.proxy.Break(onManifests(func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
				if left--; left < 0 {
					pass.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Retry-After", strconv.Itoa(1))
				w.WriteHeader(code)
			}))
			defer f.proxy.Break(nil)
			started := time.Now()
			if out := f.run("kubectl-promote", "resolve", f.refs[0]); !strings.Contains(out, want) {
				t.Errorf("got %s, want %s", out, want)
			}
			if took := time.Since(started); took < 2*time.Second {
				t.Errorf("took %s, though asked to wait twice for a second", took)
			}
		})
	}
}

// An interrupted resolve ends at once.
func TestInterruptedResolve(t *testing.T) {
	f := startFarRegistry(t, 1, 1)
	reached := make(chan struct{}, 8)
	f.proxy.Break(onManifests(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		reached <- struct{}{}
		<-r.Context().Done()
	}))
	cmd := f.start("kubectl-promote", "resolve", f.refs[0])
	<-reached
	started := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	// The limit is wide for a loaded machine; digest's own tests are strict.
	if took := time.Since(started); err == nil || took > 2*time.Second {
		t.Errorf("ended with %v after %s", err, took)
	}
}
