package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	// manyFailures in a row, over a time in which one good answer would have been
	// enough, close a host: a registry that starts anew fails for a second or two.
	// Where each failure takes long, few of them do, and even the first is followed by
	// haste.
	manyFailures, failingTime = 16, 5 * time.Second
	fewFailures, hangingTime  = 3, 20 * time.Second
	hastyAfter                = 10 * time.Second
	// closedTime is how long a closed host is not asked.
	closedTime = 30 * time.Second
	// maxLost is how much time callers may lose together with what fails at one host
	// until it is asked in haste, and three times that until it is closed: 32 callers
	// lose it in half a minute. All hosts of a Client together have twice as much.
	maxLost = 32 * 30 * time.Second
	// lostMemory is how long lost time is held against a host.
	lostMemory = 10 * time.Minute
	// haste is the least time for an answer in haste; a host that is slow to give good
	// answers has twice what those took.
	haste = time.Second
	// brief is a time that says nothing of a registry: its caller gave it no longer.
	brief = haste * 9 / 10
)

// hurryKey marks the context of what a hurried client asks.
type hurryKey struct{}

// hurried tells whether a request has no longer than haste for an answer.
func hurried(ctx context.Context) bool { return ctx.Value(hurryKey{}) == true }

// inHaste bounds what is waited for in a hurry.
func inHaste(ctx context.Context) (context.Context, context.CancelFunc) {
	if !hurried(ctx) {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, haste)
}

// patience is how much more trouble is taken with a host, by what came of it before.
// Thousands of questions may be waiting for it; each alone has its own limit, and
// without this all of those limits would add up.
type patience struct {
	most time.Duration // see maxLost; 0 stands for that

	mu       sync.Mutex
	good     time.Time     // when the last good answer came
	failures int           // of what was asked since
	failing  time.Time     // when the first of them was asked
	lost     time.Duration // with failures
	since    time.Time     // when the first of that was lost
	usual    time.Duration // what the slow ones of good answers take
	closed   time.Time     // until when
	why      string        // the last failure
}

// outcome is what came of a question to a host.
type outcome int

const (
	silent  outcome = iota // it says nothing of the host
	good                   // an answer, whatever it is
	failure                // none, or one that is no answer
)

// begin tells whether the next question is asked in haste, or why it is not asked.
func (p *patience) begin() (hurried bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Before(p.closed) {
		return false, fault.Text("not asked, as too much failed before: " + p.why)
	}
	if now.Sub(p.since) > lostMemory {
		p.lost = 0
	}
	return p.lost >= p.limit() || p.failures > 0 && now.Sub(p.failing) >= hastyAfter, nil
}

// hasty is the time for an answer in haste.
func (p *patience) hasty() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(haste, 2*p.usual)
}

func (p *patience) limit() time.Duration {
	if p.most > 0 {
		return p.most
	}
	return maxLost
}

// end notes what came of a question that was asked at a time.
func (p *patience) end(started time.Time, o outcome, why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	took := now.Sub(started)
	switch o {
	case silent:
		return
	case good:
		p.good, p.failures = now, 0
		p.usual = max(took, p.usual-p.usual/8)
		return
	}
	if p.lost == 0 {
		p.since = now
	}
	p.lost += took
	p.why = why
	if p.most == 0 && started.After(p.good) { // one host that fails closes no other
		if p.failures == 0 || started.Before(p.failing) {
			p.failing = started
		}
		p.failures++
	}
	failing := now.Sub(p.failing)
	if p.failures >= manyFailures && failing >= failingTime || p.failures >= fewFailures && failing >= hangingTime || p.lost >= 3*p.limit() {
		p.closed = now.Add(closedTime)
	}
}

// patiently asks a host as long as there is patience with it.
func (t *transport) patiently(host string, out *outgoing, e endpoint, ask func() (*http.Response, error)) (*http.Response, error) {
	found, ok := t.patience.Load(host)
	if !ok {
		found, _ = t.patience.LoadOrStore(host, &patience{})
	}
	p := found.(*patience)
	hurried, err := p.begin()
	if err != nil {
		return nil, err
	}
	everywhere, err := t.overall.begin()
	if err != nil {
		return nil, err
	}
	in := out.in
	// What is read to its end by others, or sent, has the time that it takes.
	if (hurried || everywhere) && !out.hasBody() && !e.write && e.limit() > 0 {
		ctx, cancel := context.WithTimeout(in.Context(), p.hasty())
		defer cancel()
		out.in = in.WithContext(ctx)
	}
	started := time.Now()
	resp, err := ask()
	if resp != nil && resp.Request == out.in {
		resp.Request = in
	}
	out.in = in
	came, why := judge(in.Context(), resp, err, time.Since(started))
	p.end(started, came, why)
	if came == failure {
		t.overall.end(started, failure, fmt.Sprintf("%s: %s", fault.Shorten(host), why))
	}
	return resp, err
}

// judge tells whether an answer speaks for the host or against it.
func judge(ctx context.Context, resp *http.Response, err error, took time.Duration) (came outcome, why string) {
	var own fault.Text
	switch {
	case err == nil && !passing(resp, nil):
		return good, ""
	case err == nil:
		return failure, describeStatus(resp.StatusCode, "", "")
	case errors.Is(context.Cause(ctx), context.Canceled):
		return silent, "" // the caller has gone
	case took < brief && (ctx.Err() != nil || errors.As(err, &own)):
		return silent, "" // no time was given, or it was not asked at all
	}
	_, why = describe(err, "")
	return failure, why
}
