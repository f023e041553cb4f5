package flight

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestShared(t *testing.T) {
	var g Group[string, int]
	var calls atomic.Int32
	release := make(chan struct{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			v, err := g.Do(t.Context(), "k", func(context.Context) (int, error) {
				<-release
				return int(calls.Add(1)), nil
			})
			if v != 1 || err != nil {
				t.Errorf("got %d, %v", v, err)
			}
		})
	}
	for waiting := 0; waiting < 20; {
		g.mu.Lock()
		if c := g.calls["k"]; c != nil {
			waiting = c.waiting
		}
		g.mu.Unlock()
	}
	close(release)
	wg.Wait()
	if v, _ := g.Do(t.Context(), "k", func(context.Context) (int, error) { return 7, nil }); v != 7 {
		t.Errorf("a call after the first is given %d, not its own result", v)
	}
}

// The first caller's end is not the second's, and the last one's is the call's.
func TestCancelled(t *testing.T) {
	var g Group[string, int]
	started, ended := make(chan struct{}), make(chan struct{})
	work := func(ctx context.Context) (int, error) {
		close(started)
		<-ctx.Done()
		close(ended)
		return 0, ctx.Err()
	}
	first, cancelFirst := context.WithCancel(t.Context())
	second, cancelSecond := context.WithCancel(t.Context())
	errs := make(chan error, 2)
	go func() { _, err := g.Do(first, "k", work); errs <- err }()
	<-started
	joined := make(chan struct{})
	go func() {
		close(joined)
		_, err := g.Do(second, "k", work)
		errs <- err
	}()
	<-joined
	for n := 0; n < 2; {
		g.mu.Lock()
		n = g.calls["k"].waiting
		g.mu.Unlock()
	}
	cancelFirst()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
	select {
	case <-ended:
		t.Fatal("the call ended with the first caller")
	default:
	}
	cancelSecond()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("the second: %v", err)
	}
	<-ended // or the test does not end
	if v, err := g.Do(t.Context(), "k", func(context.Context) (int, error) { return 3, nil }); v != 3 || err != nil {
		t.Errorf("the next: %d, %v", v, err)
	}
}
