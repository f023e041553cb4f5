package parallel

import (
	"context"
	"errors"
	"testing"
	"time"
)

// What is given is given, a panic is an error, and what does not end is left behind.
func TestWithin(t *testing.T) {
	if got, err := Within(t.Context(), time.Minute, func(context.Context) int { return 7 }); got != 7 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	if _, err := Within(t.Context(), time.Minute, func(context.Context) int { panic("broken") }); err == nil || err.Error() != "broken" {
		t.Errorf("a panic: %v", err)
	}
	if got, err := Within(t.Context(), time.Millisecond, func(ctx context.Context) int { <-ctx.Done(); return 3 }); got != 3 || err != nil {
		t.Errorf("one that heeds its limit: %d, %v", got, err)
	}
	end := make(chan struct{})
	defer close(end)
	if _, err := Within(t.Context(), time.Millisecond, func(context.Context) int { <-end; return 3 }); !errors.Is(err, ErrLate) {
		t.Errorf("one that does not: %v", err)
	}
}
