package digest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/kubepromote/kubepromote/digest"
)

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// front is a registry with a counter and a fault in front of it.
type front struct {
	host    string
	handler http.Handler

	mu    sync.Mutex
	fault func(w http.ResponseWriter, r *http.Request) bool // true: answered
	count map[string]int                                    // by "METHOD kind"
}

func newFront(t testing.TB) *front {
	t.Helper()
	f := &front{
		handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))),
		count:   map[string]int{},
	}
	f.host = serve(t, f)
	return f
}

// serve starts a server for the test, and gives its address.
func serve(t testing.TB, h http.Handler) (host string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // HTTPS is tried first
	s.Start()
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := "other"
	switch {
	case r.URL.Path == "/v2/":
		kind = "ping"
	case strings.Contains(r.URL.Path, "/manifests/"):
		kind = "manifest"
	case r.URL.Path == "/token":
		kind = "token"
	}
	f.mu.Lock()
	f.count[r.Method+" "+kind]++
	fault := f.fault
	f.mu.Unlock()
	if fault == nil || !fault(w, r) {
		f.handler.ServeHTTP(w, r)
	}
}

func (f *front) setFault(fault func(http.ResponseWriter, *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

func (f *front) counted(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[what]
}

// push stores a manifest, different for each text, and returns its digest.
func (f *front) push(t testing.TB, repo, tag, text string) string {
	t.Helper()
	return f.put(t, repo, tag, manifestType, manifest(text))
}

// put stores a manifest of any kind and returns its digest.
func (f *front) put(t testing.TB, repo, ref, mediaType string, body []byte) string {
	t.Helper()
	req := httptest.NewRequest(http.MethodPut, "/v2/"+repo+"/manifests/"+ref, bytes.NewReader(body))
	req.Header.Set("Content-Type", mediaType)
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, req)
	if w.Code != http.StatusCreated {
		t.Fatalf("put %s:%s: %d %s", repo, ref, w.Code, w.Body)
	}
	return sha(body)
}

func sha(body []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(body)) }

func manifest(text string) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"annotations":{"text":%q}}`, manifestType, text)
}

// onManifest makes a fault of manifest requests only.
func onManifest(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		answer(w, r)
		return true
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
}

// anonymous keeps tests away from the credentials of whoever runs them.
type anonymous struct{}

func (anonymous) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

// resolverOptions are those of a Resolver and of its client in one.
type resolverOptions struct {
	Transport   http.RoundTripper
	Keychain    authn.Keychain
	Concurrency int
	PerRegistry int
	Timeout     time.Duration
	UserAgent   string
}

func newResolver(t testing.TB, o resolverOptions) *digest.Resolver {
	t.Helper()
	if o.Keychain == nil {
		o.Keychain = anonymous{}
	}
	r := digest.NewResolver(digest.Options{Transport: o.Transport, Keychain: o.Keychain, Concurrency: o.Concurrency, PerRegistry: o.PerRegistry, Timeout: o.Timeout, UserAgent: o.UserAgent})
	t.Cleanup(r.CloseIdleConnections)
	return r
}

// settle fails the test unless the goroutines started since before are over soon.
func settle(t *testing.T, before int, r interface{ CloseIdleConnections() }) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		r.CloseIdleConnections()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections() // of the tests' own pushes
		now := runtime.NumGoroutine()
		if now <= before {
			return
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", now, before, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// stuck is a transport that does not look at contexts.
type stuck struct{ release chan struct{} }

func (s stuck) RoundTrip(*http.Request) (*http.Response, error) {
	<-s.release
	return nil, context.Canceled
}

// bearer demands a token, and a user and password for it.
func bearer(host, token string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			if user, pass, _ := r.BasicAuth(); user != "me" || pass != "hunter2" {
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			fmt.Fprintf(w, `{"token":%q}`, token)
			return true
		}
		if r.Header.Get("Authorization") == "Bearer "+token {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+host+`/token",service="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
}

type keychainFunc func(authn.Resource) (authn.Authenticator, error)

func (f keychainFunc) Resolve(r authn.Resource) (authn.Authenticator, error) { return f(r) }

func password(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "me", Password: "hunter2"}, nil
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

const (
	someHex    = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	someDigest = "sha256:" + someHex
)

// lateBound is for the slowest machine, and far below what is waited for in these
// tests, 20 s and more. What is aimed at is 100 ms.
const lateBound = time.Second

// quickest runs what is measured until it has taken no more than 100 ms, up to
// five times: a loaded machine may be late, but not each time.
func quickest(measured func() time.Duration) time.Duration {
	best := measured()
	for range 4 {
		if best <= 100*time.Millisecond {
			break
		}
		best = min(best, measured())
	}
	return best
}

// onPath makes a fault of requests whose paths have a part.
func onPath(part string, answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, part) {
			return false
		}
		answer(w, r)
		return true
	}
}

func onTags(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return onPath("/tags/list", answer)
}

func createdAt(t testing.TB, at time.Time) v1.Image {
	t.Helper()
	img, err := mutate.CreatedAt(randomImage(t), v1.Time{Time: at})
	if err != nil {
		t.Fatal(err)
	}
	return img
}
