package digest_test

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
)

func TestLimits(t *testing.T) {
	f := newFront(t)
	refs, want := fill(t, f, 4, 10)
	var busy, most atomic.Int32
	f.setFault(func(http.ResponseWriter, *http.Request) bool {
		n := busy.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(2 * time.Millisecond)
		busy.Add(-1)
		return false
	})
	tr := newTransport(t, digest.TransportOptions{PerRegistry: 3})
	resolveAll(t, newResolver(t, resolverOptions{Transport: tr}), refs, want)
	if n := most.Load(); n > 3 {
		t.Errorf("%d requests at a time, want at most 3", n)
	}
	start := time.Now()
	paced := newTransport(t, digest.TransportOptions{Rate: 100})
	resolveAll(t, newResolver(t, resolverOptions{Transport: paced}), refs[:20], want)
	if took := time.Since(start); took < 180*time.Millisecond {
		t.Errorf("20 images and a greeting at 100 requests a second took %v", took)
	}
}

// A registry that hangs does not keep others from being asked.
func TestSlowRegistryAlone(t *testing.T) {
	slow, quick := newFront(t), newFront(t)
	refs, _ := fill(t, quick, 2, 5)
	release := make(chan struct{})
	slow.setFault(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return false
	})
	all := []string{}
	for i := range 50 {
		all = append(all, fmt.Sprintf("%s/a:v%d", slow.host, i))
	}
	left := len(refs)
	r := newResolver(t, resolverOptions{Concurrency: 8, PerRegistry: 4})
	r.ResolveAll(t.Context(), append(all, refs...), func(res digest.Result) {
		if strings.HasPrefix(res.Ref, quick.host) {
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
	f := newFront(t)
	f.push(t, "a", "b", "one")
	f.push(t, "c", "d", "one")
	var first sync.Once
	var held, early atomic.Int64
	f.setFault(onlyOnce(&first, func(w http.ResponseWriter, _ *http.Request) {
		held.Store(time.Now().UnixNano())
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}, func(r *http.Request) {
		if at := held.Load(); at != 0 && time.Since(time.Unix(0, at)) < 900*time.Millisecond {
			early.Add(1)
		}
	}))
	r := newResolver(t, resolverOptions{})
	done := make(chan error)
	go func() {
		_, err := r.Resolve(t.Context(), f.host+"/a:b")
		done <- err
	}()
	for held.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // the answer has arrived
	if _, err := r.Resolve(t.Context(), f.host+"/c:d"); err != nil {
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
	f := newFront(t)
	f.setFault(onManifest(status(429, "Retry-After", "3600")))
	r := newResolver(t, resolverOptions{})
	for range 3 {
		_, err := r.Resolve(t.Context(), f.host+"/a:b")
		if want := f.host + `: tag "b" of "a": too many requests (429)`; !errors.Is(err, digest.ErrUnknown) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if n := f.counted("HEAD manifest"); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}
