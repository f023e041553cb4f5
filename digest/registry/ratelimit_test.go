package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry"
)

func TestLimits(t *testing.T) {
	f := registrytest.New(t)
	refs, want := fill(t, f, 4, 10)
	var busy, most atomic.Int32
	f.SetFault(func(http.ResponseWriter, *http.Request) bool {
		n := busy.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(2 * time.Millisecond)
		busy.Add(-1)
		return false
	})
	tr := newClient(t, registry.Options{PerRegistry: 3})
	resolveAll(t, registrytest.NewResolver(t, registrytest.Options{Transport: tr}), refs, want)
	if n := most.Load(); n > 3 {
		t.Errorf("%d requests at a time, want at most 3", n)
	}
	start := time.Now()
	paced := newClient(t, registry.Options{Rate: 100})
	resolveAll(t, registrytest.NewResolver(t, registrytest.Options{Transport: paced}), refs[:20], want)
	if took := time.Since(start); took < 180*time.Millisecond {
		t.Errorf("20 images and a pinged at 100 requests a second took %v", took)
	}
}

// A registry that hangs does not keep others from being asked.
func TestSlowRegistryAlone(t *testing.T) {
	slow, quick := registrytest.New(t), registrytest.New(t)
	refs, _ := fill(t, quick, 2, 5)
	release := make(chan struct{})
	slow.SetFault(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return false
	})
	all := []string{}
	for i := range 50 {
		all = append(all, fmt.Sprintf("%s/a:v%d", slow.Host, i))
	}
	left := len(refs)
	r := registrytest.NewResolver(t, registrytest.Options{Concurrency: 8, PerRegistry: 4})
	r.ResolveAll(t.Context(), append(all, refs...), func(res digest.Result) {
		if strings.HasPrefix(res.Ref, quick.Host) {
			if left--; left == 0 {
				close(release)
			}
		}
	})
	if left != 0 {
		t.Errorf("%d of the quick registry were not asked before the slow one", left)
	}
}

// A 429 with Retry-After holds back all requests to that host.
func TestHeldBack(t *testing.T) {
	f := registrytest.New(t)
	f.Push(t, "a", "b", "one")
	f.Push(t, "c", "d", "one")
	var first sync.Once
	var held, early atomic.Int64
	f.SetFault(onlyOnce(&first, func(w http.ResponseWriter, _ *http.Request) {
		held.Store(time.Now().UnixNano())
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}, func(r *http.Request) {
		if at := held.Load(); at != 0 && time.Since(time.Unix(0, at)) < 900*time.Millisecond {
			early.Add(1)
		}
	}))
	r := registrytest.NewResolver(t, registrytest.Options{})
	done := make(chan error)
	go func() {
		_, err := r.Resolve(t.Context(), f.Host+"/a:b")
		done <- err
	}()
	for held.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // the answer has arrived
	if _, err := r.Resolve(t.Context(), f.Host+"/c:d"); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := early.Load(); n != 0 {
		t.Errorf("%d requests in the second that was asked for", n)
	}
}

// onlyOnce answers the first request for a manifest, and sees the others.
func onlyOnce(first *sync.Once, answer http.HandlerFunc, others func(*http.Request)) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		answered := false
		first.Do(func() {
			answered = true
			answer(w, r)
		})
		if !answered {
			others(r)
		}
		return answered
	}
}

// A registry that has asked for an hour is not asked again for the next image.
func TestHeldForLong(t *testing.T) {
	f := registrytest.New(t)
	f.SetFault(registrytest.OnManifest(registrytest.Status(429, "Retry-After", "3600")))
	r := registrytest.NewResolver(t, registrytest.Options{})
	for range 3 {
		_, err := r.Resolve(t.Context(), f.Host+"/a:b")
		if want := f.Host + `: tag "b" of "a": too many requests (429)`; !errors.Is(err, digest.ErrUnknown) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if n := f.Counted("HEAD manifest"); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}
