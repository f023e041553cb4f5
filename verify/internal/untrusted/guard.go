package untrusted

import (
	"context"
	"fmt"
)

// Guarded turns a panic into an error. The libraries that parse what comes
// from a registry have panicked on crafted input before, and whoever may write
// to a repository must not be able to end the process that reads it.
func Guarded[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a signature could not be judged: %v", p)
		}
	}()
	return f()
}

// Promptly runs f, guarded, in a goroutine of its own, and returns when f does or
// when ctx ends, with ctx.Err() then: not all that f calls may look at ctx.
func Promptly[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		v, err := Guarded(f)
		done <- answer{v, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
