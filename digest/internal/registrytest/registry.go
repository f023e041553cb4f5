// Package registrytest has registries for tests: [Registry], which counts requests
// and gives wrong answers on demand, and [Depot], which keeps blobs as strictly as
// a copy to it needs. Both are servers, so that nothing of the client is replaced.
package registrytest

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
	"github.com/kubepromote/kubepromote/digest/internal/layouttest"
	client "github.com/kubepromote/kubepromote/digest/registry"
)

// front is a registry with a fault in front of it.
type front struct {
	Host    string
	Handler http.Handler

	mu    sync.Mutex
	fault func(w http.ResponseWriter, r *http.Request) bool // true: answered
}

func (f *front) SetFault(fault func(http.ResponseWriter, *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// seen notes a request, and tells whether the fault has answered it.
func (f *front) seen(w http.ResponseWriter, r *http.Request, note func()) bool {
	f.mu.Lock()
	note()
	fault := f.fault
	f.mu.Unlock()
	return fault != nil && fault(w, r)
}

// do asks the registry behind the fault.
func (f *front) do(t testing.TB, method, path, contentType string, body []byte, want int) string {
	t.Helper()
	req := httptest.NewRequest(method, path, bytes.NewReader(body))
	req.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	if f.Handler.ServeHTTP(w, req); w.Code != want {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.String()
}

// Registry is a registry with a counter and a fault in front of it.
type Registry struct {
	front
	count map[string]int // by "METHOD kind"
}

func New(t testing.TB) *Registry {
	t.Helper()
	f := &Registry{count: map[string]int{}}
	f.Handler = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	f.Host = serve(t, f)
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

func (f *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := "other"
	switch {
	case r.URL.Path == "/v2/":
		kind = "ping"
	case strings.Contains(r.URL.Path, "/manifests/"):
		kind = "manifest"
	case r.URL.Path == "/token":
		kind = "token"
	}
	if !f.seen(w, r, func() { f.count[r.Method+" "+kind]++ }) {
		f.Handler.ServeHTTP(w, r)
	}
}

func (f *Registry) Counted(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[what]
}

// Push stores a manifest, different for each text, and returns its digest.
func (f *Registry) Push(t testing.TB, repo, tag, text string) string {
	t.Helper()
	return f.Put(t, repo, tag, ManifestType, Manifest(text))
}

// Put stores a manifest of any kind and returns its digest.
func (f *Registry) Put(t testing.TB, repo, ref, mediaType string, body []byte) string {
	t.Helper()
	f.do(t, http.MethodPut, "/v2/"+repo+"/manifests/"+ref, mediaType, body, http.StatusCreated)
	return Sha(body)
}

func Sha(body []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(body)) }

func Manifest(text string) []byte {
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"annotations":{"text":%q}}`, ManifestType, text)
}

// OnManifest makes a fault of manifest requests only.
func OnManifest(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return OnPath("/manifests/", answer)
}

func Status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func Reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
}

// Anonymous keeps tests away from the credentials of whoever runs them.
type Anonymous struct{}

func (Anonymous) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

// Options are those of a Resolver and of its client in one. A Transport that is a
// client is taken as it is, and the client's options with it.
type Options struct {
	Transport   http.RoundTripper
	Keychain    authn.Keychain
	Concurrency int
	PerRegistry int
	Timeout     time.Duration
	UserAgent   string
}

// NewResolver makes a Resolver that the test closes.
func NewResolver(t testing.TB, o Options) *digest.Resolver {
	t.Helper()
	if o.Keychain == nil {
		o.Keychain = Anonymous{}
	}
	c, ok := o.Transport.(*client.Client)
	if !ok {
		c = client.New(client.Options{Base: o.Transport, Keychain: o.Keychain, PerRegistry: o.PerRegistry, UserAgent: o.UserAgent})
	}
	r := digest.NewResolver(digest.Options{
		Client:      c,
		Concurrency: o.Concurrency, PerRegistry: o.PerRegistry, Timeout: o.Timeout,
	})
	t.Cleanup(r.CloseIdleConnections)
	return r
}

// Settle fails the test unless the goroutines started since before are over soon.
func Settle(t *testing.T, before int, r interface{ CloseIdleConnections() }) {
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

// Stuck is a transport that does not look at contexts.
type Stuck struct{ Release chan struct{} }

func (s Stuck) RoundTrip(*http.Request) (*http.Response, error) {
	<-s.Release
	return nil, context.Canceled
}

// Bearer demands a token, and a user and password for it.
func Bearer(host, token string) func(http.ResponseWriter, *http.Request) bool {
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

type KeychainFunc func(authn.Resource) (authn.Authenticator, error)

func (f KeychainFunc) Resolve(r authn.Resource) (authn.Authenticator, error) { return f(r) }

func Password(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "me", Password: "hunter2"}, nil
}

type RoundTripFunc func(*http.Request) (*http.Response, error)

func (f RoundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

const (
	SomeHex    = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	SomeDigest = "sha256:" + SomeHex
)

// LateBound is for the slowest machine, and far below what is waited for in these
// tests, 20 s and more. What is aimed at is 100 ms.
const LateBound = time.Second

// Quickest runs what is measured until it has taken no more than 100 ms, up to
// five times: a loaded machine may be late, but not each time.
func Quickest(measured func() time.Duration) time.Duration {
	best := measured()
	for range 4 {
		if best <= 100*time.Millisecond {
			break
		}
		best = min(best, measured())
	}
	return best
}

// OnPath makes a fault of requests whose paths have a part.
func OnPath(part string, answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, part) {
			return false
		}
		answer(w, r)
		return true
	}
}

func OnTags(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return OnPath("/tags/list", answer)
}

func CreatedAt(t testing.TB, at time.Time) v1.Image {
	t.Helper()
	img, err := mutate.CreatedAt(layouttest.RandomImage(t), v1.Time{Time: at})
	if err != nil {
		t.Fatal(err)
	}
	return img
}
