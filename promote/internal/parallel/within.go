package parallel

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrLate says that a function was not done in time.
var ErrLate = errors.New("not done in time")

// grace is how long a function whose time is over may take to say so itself.
const grace = 200 * time.Millisecond

// Within gives what fn gives, or why there is nothing: it has panicked, or it was not done
// a moment after its limit, which is ErrLate. Then it is left behind.
func Within[T any](ctx context.Context, limit time.Duration, fn func(context.Context) T) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	said := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				o.err = fmt.Errorf("%v", p)
			}
			said <- o
		}()
		o.value = fn(inner)
	}()
	select {
	case o := <-said:
		return o.value, o.err
	case <-inner.Done():
	}
	select {
	case o := <-said:
		return o.value, o.err
	case <-time.After(grace):
		var none T
		return none, ErrLate
	}
}
