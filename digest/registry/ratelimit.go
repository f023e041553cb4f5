package registry

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// limiter is what all requests to one host go through: so many at a time, so many
// a second, and none while the host has asked for a pause.
type limiter struct {
	slots chan struct{}
	pace  *rate.Limiter // nil for no limit

	mu   sync.Mutex
	held time.Time // until when
}

func (t *transport) limiter(host string) *limiter {
	if g, ok := t.limiters.Load(host); ok {
		return g.(*limiter)
	}
	g := &limiter{slots: make(chan struct{}, t.perHost)}
	if t.rate > 0 {
		g.pace = rate.NewLimiter(rate.Limit(t.rate), 1)
	}
	first, _ := t.limiters.LoadOrStore(host, g)
	return first.(*limiter)
}

// enter waits for a turn; leave gives it back. A pause that the context does not
// allow for is not waited for but returned.
func (g *limiter) enter(ctx context.Context) (time.Duration, error) {
	for {
		select {
		case g.slots <- struct{}{}:
		case <-ctx.Done():
			return 0, &fault.Ended{Err: ctx.Err()}
		}
		wait := g.pause()
		if wait <= 0 {
			break
		}
		g.leave()
		if deadline, ok := ctx.Deadline(); wait > maxWait || ok && time.Until(deadline) <= wait {
			return wait, nil
		}
		if err := sleep(ctx, wait); err != nil {
			return 0, err
		}
	}
	if g.pace == nil {
		return 0, nil
	}
	if err := g.pace.Wait(ctx); err != nil {
		g.leave()
		if ctx.Err() != nil {
			return 0, &fault.Ended{Err: ctx.Err()}
		}
		return 0, fault.Text("not asked: the limit of requests a second leaves no time for it")
	}
	return 0, nil
}

func (g *limiter) leave() { <-g.slots }

func (g *limiter) pause() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Until(g.held)
}

// hold never makes an earlier pause shorter.
func (g *limiter) hold(wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(min(wait, maxHold)); until.After(g.held) {
		g.held = until
	}
}

// pauseAfter is the time to wait after a failed try: what the registry asks for,
// else a short one.
func (g *limiter) pauseAfter(try int, resp *http.Response) time.Duration {
	if resp != nil && resp.StatusCode != http.StatusOK {
		if wait, ok := retryAfter(resp.Header.Get("Retry-After"), time.Now()); ok {
			if resp.StatusCode == http.StatusTooManyRequests {
				g.hold(wait)
			}
			return wait
		}
	}
	return backoff(try)
}

// heldAnswer is what the registry has said already, to a request that it has
// asked not to be sent yet.
func heldAnswer(req *http.Request, wait time.Duration) *http.Response {
	resp := emptyAnswer(req, http.StatusTooManyRequests)
	resp.Header.Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
	return resp
}
