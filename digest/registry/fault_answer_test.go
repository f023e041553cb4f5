package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry"
)

// byGet makes a fault of the GET that follows a HEAD that is not allowed.
func byGet(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return registrytest.OnManifest(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		answer(w, r)
	})
}

// raw answers with bytes as they are and closes the connection.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Write([]byte(text))
			conn.Close()
		}
	}
}

// drip sends a byte now and then until the client has had enough.
func drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "1000000")
	for r.Context().Err() == nil {
		if _, err := w.Write([]byte(" ")); err != nil {
			return
		}
		http.NewResponseController(w).Flush()
		time.Sleep(5 * time.Millisecond)
	}
}

func silent(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// Answers that are not what they should be: what is said, how often they are
// asked for, and that it does not take longer than it may.
func TestAnswerFaults(t *testing.T) {
	right := registrytest.Manifest("one")
	wrong := "sha256:" + strings.Repeat("f", 64)
	withType := "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: " + registrytest.ManifestType + "\r\n"
	for _, tt := range []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request) bool
		want  string
		gets  int
	}{
		{"half a body", byGet(raw(withType + "Content-Length: 1000\r\n\r\n{")), "connection closed before the answer was complete", 3},
		{"half a chunk", byGet(raw(withType + "Transfer-Encoding: chunked\r\n\r\n10\r\n{")), "connection closed before the answer was complete", 3},
		{"half a header", byGet(raw("HTTP/1.1 200 OK\r\nContent-")), "request failed: net/http: HTTP/1.x transport connection broken: malformed MIME header", 1},
		{"not HTTP", byGet(raw("hunter2\r\n\r\n")), "request failed: net/http: HTTP/1.x transport connection broken: malformed HTTP response", 1},
		{"two lengths", byGet(raw(withType + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}")), "request failed: net/http:", 1},
		{"a long header", byGet(raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n")), "request failed: net/http:", 1},
		{"too short a length", byGet(raw(withType + fmt.Sprintf("Docker-Content-Digest: %s\r\nContent-Length: 5\r\n\r\n%s", registrytest.Sha(right), right))),
			"answered with a manifest that does not hash to the digest given with it, " + registrytest.Sha(right), 1},
		{"wrong digest", byGet(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Docker-Content-Digest", wrong)
			w.Write(right)
		}), "answered with a manifest that does not hash to the digest given with it, " + wrong, 1},
		{"a huge manifest", byGet(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4194305")
			w.Write(make([]byte, 1<<20))
		}), "answered with more than 4 MiB", 1},
		{"slow drip", byGet(drip), "no answer in time", 1},
		{"silence", byGet(silent), "no answer in time", 1},
		{"redirects round and round", byGet(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		}), "answered with more than 10 redirects", 11},
		{"a redirect to metadata", byGet(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		}), `"169.254.169.254" is a link-local, multicast, unspecified or metadata address: not asked`, 1},
		{"a redirect to a port that is closed", byGet(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/x", http.StatusFound)
		}), "connection refused", 1},
		{"an error with a huge body", byGet(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			for range 10 {
				w.Write(make([]byte, 1<<20))
			}
		}), "forbidden (403): credentials tried: none", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := registrytest.New(t)
			f.SetFault(tt.fault)
			start := time.Now()
			_, err := registrytest.NewResolver(t, registrytest.Options{Timeout: 4 * time.Second}).Resolve(t.Context(), f.Host+"/a:b")
			if want := f.Host + `: tag "b" of "a": ` + tt.want; !errors.Is(err, digest.ErrUnknown) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("\ngot  %v\nwant %s", err, want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("message of several lines: %v", err)
			}
			if n := f.Counted("GET manifest"); n != tt.gets {
				t.Errorf("%d GET, want %d", n, tt.gets)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v with a timeout of 4s", took)
			}
		})
	}
}

// Token servers that do not do what they should.
func TestTokenFaults(t *testing.T) {
	say := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	}
	for _, tt := range []struct {
		name  string
		token http.HandlerFunc
		want  string // after "token server HOST: "
		asked int
	}{
		{"refused", registrytest.Status(401), "unauthorized (401): credentials tried: given keychain", 1},
		{"forbidden", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			fmt.Fprint(w, `{"errors":[{"code":"DENIED","message":"hunter2"}]}`)
		}, "forbidden (403 DENIED): credentials tried: given keychain", 1},
		{"not there", registrytest.Status(404), "does not answer as a registry (404)", 1},
		{"broken", registrytest.Status(503), "server error (503)", 3},
		{"busy", registrytest.Status(429, "Retry-After", "3600"), "too many requests (429)", 1},
		{"not JSON", say("<html>hunter2"), "answered with something that is not a token", 1},
		{"nothing", say(`{"expires_in":60}`), "answered without a token", 1},
		{"a header", say(`{"token":"a\r\nX-Y: z"}`), "answered with a token that cannot be sent", 1},
		{"huge", say(`{"token":"` + strings.Repeat("t", 1<<20) + `"}`), "answered with more than 64 KiB", 1},
		{"half", raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), "connection closed before the answer was complete", 3},
		{"redirects", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, "answered with more than 10 redirects", 11},
		{"a redirect to metadata", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		},
			`"169.254.169.254" is a link-local, multicast, unspecified or metadata address: not asked`, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := registrytest.New(t)
			f.SetFault(tokenBy(f.Host, tt.token))
			_, err := registrytest.NewResolver(t, registrytest.Options{Keychain: registrytest.KeychainFunc(registrytest.Password)}).Resolve(t.Context(), f.Host+"/a:b")
			want := f.Host + `: tag "b" of "a": token server ` + f.Host + ": " + tt.want
			if !errors.Is(err, digest.ErrUnknown) || err.Error() != want {
				t.Errorf("\ngot  %v\nwant %s", err, want)
			}
			if n := f.Counted("GET token"); n != tt.asked {
				t.Errorf("%d requests for a token, want %d", n, tt.asked)
			}
		})
	}
}

// tokenBy demands tokens, and has them given by a handler.
func tokenBy(host string, give http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	guard := registrytest.Bearer(host, "never")
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			give(w, r)
			return true
		}
		return guard(w, r)
	}
}

// Whoever gives up while a token or a keychain is slow returns at once, and
// nothing goes on that no one waits for.
func TestPromptWithTokens(t *testing.T) {
	for name, give := range map[string]http.HandlerFunc{"silence": silent, "drip": drip, "busy": registrytest.Status(429, "Retry-After", "2")} {
		t.Run(name, func(t *testing.T) {
			f := registrytest.New(t)
			var asked atomic.Int32
			f.SetFault(tokenBy(f.Host, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				give(w, r)
			}))
			before := runtime.NumGoroutine()
			r := registrytest.NewResolver(t, registrytest.Options{Timeout: 300 * time.Millisecond})
			var refs []string
			for i := range 40 {
				refs = append(refs, fmt.Sprintf("%s/a%d:b", f.Host, i%5))
			}
			start := time.Now()
			for _, res := range r.ResolveAll(t.Context(), refs, nil) {
				if !errors.Is(res.Err, digest.ErrUnknown) {
					t.Errorf("%s: %v", res.Ref, res.Err)
				}
			}
			if took := time.Since(start); took > 15*time.Second {
				t.Errorf("took %v with a timeout of 300ms", took)
			}
			if asked.Load() == 0 {
				t.Error("no token was asked for")
			}
			registrytest.Settle(t, before, r)
		})
	}
}

// A digest that is not SHA-256 is no tag: what cannot be compared with it is not
// what was asked for.
func TestDigestOfAnotherAlgorithm(t *testing.T) {
	f := registrytest.New(t)
	f.Push(t, "a", "b", "one")
	f.SetFault(registrytest.OnPath("/manifests/sha512:", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", registrytest.ManifestType)
		w.Write(registrytest.Manifest("one"))
	}))
	repo := newRepository(t, registry.Options{}, f.Host+"/a")
	_, body, err := repo.Manifest(t.Context(), "sha512:"+strings.Repeat("0", 128))
	if body != nil || err == nil || !strings.HasPrefix(err.Error(), "answered with another digest, sha256:") {
		t.Errorf("%q, %v", body, err)
	}
}
