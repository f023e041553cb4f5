package registry_test

import (
	"context"
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
)

// Resolve returns at once when its context ends, wherever the registry is slow.
func TestPrompt(t *testing.T) {
	slow := func(path string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, path) {
				<-r.Context().Done()
				return true
			}
			return false
		}
	}
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"slow ping":   slow("/v2/"),
		"slow HEAD":   slow("/manifests/"),
		"in retries":  registrytest.OnManifest(registrytest.Status(500)),
		"Retry-After": registrytest.OnManifest(registrytest.Status(429, "Retry-After", "20")),
	} {
		t.Run(name, func(t *testing.T) {
			f := registrytest.New(t)
			f.SetFault(fault)
			before := runtime.NumGoroutine()
			r := registrytest.NewResolver(t, registrytest.Options{})
			late := registrytest.Quickest(func() time.Duration {
				ctx, cancel := context.WithCancelCause(t.Context())
				var ended atomic.Int64
				time.AfterFunc(150*time.Millisecond, func() {
					ended.Store(time.Now().UnixNano())
					cancel(errors.New("a cause of the caller's"))
				})
				_, err := r.Resolve(ctx, f.Host+"/a:b")
				late := time.Duration(time.Now().UnixNano() - ended.Load())
				if !errors.Is(err, digest.ErrUnknown) || !errors.Is(err, context.Canceled) || !strings.HasSuffix(err.Error(), ": cancelled") {
					t.Errorf("got %v", err)
				}
				return late
			})
			if late > registrytest.LateBound {
				t.Errorf("returned %v after the end of its context", late)
			}
			registrytest.Settle(t, before, r)
		})
	}
}

// A run over many images that is called off returns at once, whatever each of
// them waits for, and leaves nothing running.
func TestResolveAllCancelled(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	for name, fault := range map[string]func(f *registrytest.Registry) func(http.ResponseWriter, *http.Request) bool{
		"pinged": func(*registrytest.Registry) func(http.ResponseWriter, *http.Request) bool {
			return registrytest.OnPath("/v2/", hang)
		},
		"manifests": func(*registrytest.Registry) func(http.ResponseWriter, *http.Request) bool {
			return registrytest.OnManifest(hang)
		},
		"token batch": func(f *registrytest.Registry) func(http.ResponseWriter, *http.Request) bool {
			return tokenBy(f.Host, hang)
		},
		"Retry-After": func(*registrytest.Registry) func(http.ResponseWriter, *http.Request) bool {
			return registrytest.OnManifest(registrytest.Status(429, "Retry-After", "20"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := registrytest.New(t)
			f.SetFault(fault(f))
			refs := make([]string, 2000)
			for i := range refs {
				refs[i] = fmt.Sprintf("%s/shop/service-%d:v%d", f.Host, i%100, i)
			}
			before := runtime.NumGoroutine()
			r := registrytest.NewResolver(t, registrytest.Options{})
			late := registrytest.Quickest(func() time.Duration {
				ctx, cancel := context.WithCancel(t.Context())
				var ended atomic.Int64
				time.AfterFunc(150*time.Millisecond, func() {
					ended.Store(time.Now().UnixNano())
					cancel()
				})
				done := 0
				for _, res := range r.ResolveAll(ctx, refs, func(digest.Result) { done++ }) {
					if !errors.Is(res.Err, digest.ErrUnknown) || !errors.Is(res.Err, context.Canceled) {
						t.Fatalf("%s: %v", res.Ref, res.Err)
					}
				}
				late := time.Duration(time.Now().UnixNano() - ended.Load())
				if done != len(refs) {
					t.Errorf("%d of %d told of", done, len(refs))
				}
				return late
			})
			if late > registrytest.LateBound {
				t.Errorf("returned %v after the end of its context", late)
			}
			registrytest.Settle(t, before, r)
		})
	}
}

func TestTimeout(t *testing.T) {
	f := registrytest.New(t)
	f.SetFault(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	r := registrytest.NewResolver(t, registrytest.Options{Timeout: 100 * time.Millisecond})
	start := time.Now()
	_, err := r.Resolve(t.Context(), f.Host+"/a:b")
	if want := f.Host + `: tag "b" of "a": no answer in time`; !errors.Is(err, digest.ErrUnknown) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	// The registry never answers, and the timeout would else be 30 s.
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v for a timeout of 100ms", took)
	}
}

// A transport that ignores contexts holds up a goroutine but not the caller.
func TestPromptWithStuckTransport(t *testing.T) {
	before := runtime.NumGoroutine()
	transport := registrytest.Stuck{Release: make(chan struct{})}
	r := registrytest.NewResolver(t, registrytest.Options{Transport: transport})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	for _, res := range r.ResolveAll(ctx, []string{"r.io/a:b", "r.io/a:c", "r.io/b:c"}, nil) {
		if !errors.Is(res.Err, digest.ErrUnknown) {
			t.Errorf("%s: %v", res.Ref, res.Err)
		}
	}
	// The transport would wait for ever, and the resolver 30 s.
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
	close(transport.Release)
	registrytest.Settle(t, before, r)
}
