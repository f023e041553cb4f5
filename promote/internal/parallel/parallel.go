// Package parallel does many small things some at a time.
package parallel

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// Each runs fn for the numbers below n, some at a time, and gives all errors in
// their order. At the end of ctx nothing more is begun. The numbers are shared
// out among a few goroutines that last: parsing YAML needs a deep stack, which a
// new goroutine would have to grow first.
func Each(ctx context.Context, n int, fn func(int) error) []error {
	errs := make([]error, n)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(n, 2*runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				errs[i] = fn(i)
			}
		})
	}
	wait.Wait()
	return errs
}
