package parallel

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
)

// The errors are in the order of the numbers, whatever order they come in.
func TestEach(t *testing.T) {
	const n = 100
	errs := Each(context.Background(), n, func(i int) error {
		if i%3 == 0 {
			return fmt.Errorf("%d", i)
		}
		return nil
	})
	for i, err := range errs {
		if (err != nil) != (i%3 == 0) || err != nil && err.Error() != fmt.Sprint(i) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if errs := Each(context.Background(), 0, nil); len(errs) != 0 {
		t.Errorf("of nothing: %v", errs)
	}
}

// At the end of the context nothing more is begun.
func TestEachEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var begun atomic.Int64
	Each(ctx, 1<<20, func(int) error {
		begun.Add(1)
		cancel()
		return nil
	})
	if n := begun.Load(); n == 0 || n > 1000 {
		t.Errorf("%d begun", n)
	}
}
