// Package flight lets several callers share one call, as
// golang.org/x/sync/singleflight does, with one difference: the call's context
// belongs to no caller. It ends when the last caller has gone, so that a caller
// who gives up fails no one else, and no call goes on that no one waits for.
package flight

import (
	"context"
	"sync"
)

// Group keeps calls under way apart by key. The zero value is ready for use.
type Group[K comparable, V any] struct {
	mu    sync.Mutex
	calls map[K]*call[V]
}

type call[V any] struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int
	value   V
	err     error
}

// Do runs f, or waits for the f that another caller with the same key has
// started. It returns when that is done or when ctx ends, with ctx.Err() then.
// f gets the values of the first caller's context, not its end.
func (g *Group[K, V]) Do(ctx context.Context, key K, f func(context.Context) (V, error)) (V, error) {
	g.mu.Lock()
	if g.calls == nil {
		g.calls = make(map[K]*call[V])
	}
	c := g.calls[key]
	if c == nil {
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		c = &call[V]{done: make(chan struct{}), cancel: cancel}
		g.calls[key] = c
		go g.run(own, key, c, f)
	}
	c.waiting++
	g.mu.Unlock()
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		g.leave(key, c)
		var zero V
		return zero, ctx.Err()
	}
}

func (g *Group[K, V]) run(ctx context.Context, key K, c *call[V], f func(context.Context) (V, error)) {
	defer c.cancel()
	c.value, c.err = f(ctx)
	g.forget(key, c)
	close(c.done)
}

// leave ends a call that no one waits for. It is forgotten at once: whoever
// comes next must not be given a cancelled call.
func (g *Group[K, V]) leave(key K, c *call[V]) {
	g.mu.Lock()
	c.waiting--
	last := c.waiting == 0
	if last && g.calls[key] == c {
		delete(g.calls, key)
	}
	g.mu.Unlock()
	if last {
		c.cancel()
	}
}

func (g *Group[K, V]) forget(key K, c *call[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls[key] == c {
		delete(g.calls, key)
	}
}
