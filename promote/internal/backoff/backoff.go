// Package backoff waits between attempts at what others do at the same time.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// The wait between two attempts: at first, and at most.
const (
	first = 50 * time.Millisecond
	most  = 5 * time.Second
)

// Of is a time between half of what is due after an attempt and all of it, so that those
// who have met once do not meet again. Attempts count from 1.
func Of(attempt int) time.Duration {
	due := min(first<<min(attempt-1, 10), most)
	return due/2 + rand.N(due/2+1)
}

// Wait waits, unless the context ends before.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
