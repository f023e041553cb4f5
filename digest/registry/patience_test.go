package registry_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry"
)

// wire answers without a network, so that a test's clock need not wait for it.
type wire func(*http.Request) (*http.Response, error)

func (f wire) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func says(r *http.Request, status int) *http.Response {
	return &http.Response{
		StatusCode: status, Request: r, Body: io.NopCloser(strings.NewReader("")), ContentLength: 9,
		Header: http.Header{"Docker-Content-Digest": {registrytest.SomeDigest}, "Content-Type": {registrytest.ManifestType}},
	}
}

// Each question has its own limit, and ten thousand of them had all of those: minutes
// for a registry that answers 500 or 429, two hours for one that hangs. What is lost
// with a registry is bounded for all questions together, the rest is unknown at once,
// and what other registries answer is the same as ever. One that fails now and then
// goes on being asked.
func TestPatience(t *testing.T) {
	const images = 10_000
	for _, tt := range []struct {
		name     string
		fails    func(r *http.Request, n int64) (*http.Response, error)
		asked    int64 // of the failing registry, at most
		answered int   // by it, at least
		within   time.Duration
	}{
		{"500", func(r *http.Request, _ int64) (*http.Response, error) { return says(r, 500), nil }, 2000, 0, 10 * time.Second},
		{"429", func(r *http.Request, _ int64) (*http.Response, error) { return says(r, 429), nil }, 2000, 0, 10 * time.Second},
		{"reset", func(*http.Request, int64) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, 2000, 0, 10 * time.Second},
		{"hang", func(r *http.Request, _ int64) (*http.Response, error) { return hang(r) }, 100, 0, 35 * time.Second},
		{"hang from the first on", nil, 100, 0, 15 * time.Second},
		{"one in ten hangs", func(r *http.Request, n int64) (*http.Response, error) {
			if n%10 == 0 {
				return hang(r)
			}
			return says(r, 200), nil
		}, 3 * images, images * 8 / 10, 100 * time.Second},
		{"one in ten is 500, and another time is not", func(r *http.Request, n int64) (*http.Response, error) {
			if n%10 == 0 {
				return says(r, 500), nil
			}
			return says(r, 200), nil
		}, 3 * images, images * 99 / 100, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var n atomic.Int64
				base := wire(func(r *http.Request) (*http.Response, error) {
					switch ping := r.URL.Path == "/v2/"; {
					case r.URL.Host == "good.example.com", ping && tt.fails != nil:
						return says(r, 200), nil
					case ping:
						return hang(r)
					}
					return tt.fails(r, n.Add(1))
				})
				var refs []string
				for i := range images {
					refs = append(refs, fmt.Sprintf("bad.example.com/a%d:v1", i), fmt.Sprintf("good.example.com/a%d:v1", i))
				}
				r := digest.NewResolver(digest.Options{Client: registry.New(registry.Options{Base: base})})
				began, answered := time.Now(), 0
				for i, res := range r.ResolveAll(t.Context(), refs, nil) {
					switch {
					case i%2 == 1 && res.Err != nil:
						t.Fatalf("the other registry: %v", res.Err)
					case i%2 == 0 && res.Err == nil:
						answered++
					}
				}
				if took := time.Since(began); took > tt.within || n.Load() > tt.asked || answered < tt.answered {
					t.Errorf("took %s (at most %s), %d requests (at most %d), %d answers (at least %d)",
						took, tt.within, n.Load(), tt.asked, answered, tt.answered)
				}
			})
		})
	}
}

func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// A registry that was closed is asked again after half a minute, and one good answer
// opens it.
func TestPatienceComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		base := wire(func(r *http.Request) (*http.Response, error) {
			if broken.Load() {
				return says(r, 503), nil
			}
			return says(r, 200), nil
		})
		r := digest.NewResolver(digest.Options{Client: registry.New(registry.Options{Base: base})})
		ask := func() error {
			_, err := r.Resolve(t.Context(), "registry.example.com/a:v1")
			return err
		}
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		broken.Store(true)
		for range 20 {
			if err := ask(); err == nil {
				t.Fatal("no error")
			}
		}
		broken.Store(false)
		want := `registry.example.com: tag "v1" of "a": not asked, as too much failed before: server error (503)`
		if err := ask(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		time.Sleep(31 * time.Second)
		if err := ask(); err != nil {
			t.Error(err)
		}
	})
}

// A registry that takes its time for each of many answers keeps a call for as long as
// the caller has said, and ten minutes where none has.
func TestResolveAllEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := wire(func(r *http.Request) (*http.Response, error) {
			select {
			case <-r.Context().Done():
				return nil, r.Context().Err()
			case <-time.After(10 * time.Second):
				return says(r, 200), nil
			}
		})
		var refs []string
		for i := range 10_000 {
			refs = append(refs, fmt.Sprintf("registry.example.com/a%d:v1", i))
		}
		r := digest.NewResolver(digest.Options{Client: registry.New(registry.Options{Base: base})})
		began, answered := time.Now(), 0
		for _, res := range r.ResolveAll(t.Context(), refs, nil) {
			if res.Err == nil {
				answered++
			}
		}
		if took := time.Since(began); took > 10*time.Minute+time.Second || answered < 32*50 {
			t.Errorf("took %s, %d answers", took, answered)
		}
	})
}

// What is asked on which little depends was waited for as long as anything else. One
// that is in a hurry has a second for each request, and its helper for credentials
// as long as that needs; a ping that others wait for goes on.
func TestHurried(t *testing.T) {
	for name, tt := range map[string]struct {
		silent  func(path string) bool
		hurried bool
		within  time.Duration
		digest  string
	}{
		"tag":            {func(path string) bool { return strings.HasSuffix(path, "/v1") }, true, 3 * time.Second, registrytest.SomeDigest},
		"digest":         {func(path string) bool { return strings.Contains(path, "sha256") }, true, 3 * time.Second, ""},
		"ping":           {func(path string) bool { return path == "/v2/" }, true, time.Second, ""},
		"ping, in peace": {func(path string) bool { return path == "/v2/" }, false, 12 * time.Second, ""},
		"nothing":        {func(string) bool { return false }, true, 2 * time.Second, registrytest.SomeDigest},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := wire(func(r *http.Request) (*http.Response, error) {
					if tt.silent(r.URL.Path) {
						return hang(r)
					}
					if r.URL.Path == "/v2/" {
						resp := says(r, 401)
						resp.Header.Set("WWW-Authenticate", "Basic realm=x")
						return resp, nil
					}
					return says(r, 200), nil
				})
				client := registry.New(registry.Options{Base: base, Keychain: slowHelper{}})
				if tt.hurried {
					client = client.Hurried()
				}
				r := digest.NewResolver(digest.Options{Client: client})
				began := time.Now()
				res, err := r.Resolve(t.Context(), "registry.example.com/a:v1@"+registrytest.SomeDigest)
				if took := time.Since(began); res.Digest != tt.digest || (err == nil) != (tt.digest != "") || took > tt.within {
					t.Errorf("after %s: %+v, %v", took, res, err)
				}
			})
		})
	}
}

// slowHelper takes longer to find credentials than one in a hurry waits for a registry.
type slowHelper struct{}

// Resolve implements [authn.Keychain].
func (slowHelper) Resolve(authn.Resource) (authn.Authenticator, error) {
	time.Sleep(2 * time.Second)
	return authn.Anonymous, nil
}
