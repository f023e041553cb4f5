package promote

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Delivery that others compete with is tried this often, unless the context ends before.
const maxAttempts = 50

// The wait between two attempts: at first, and at most.
const (
	firstWait = 50 * time.Millisecond
	maxWait   = 5 * time.Second
)

// Retry is how [Deliver] goes on where others were faster. The zero value will do.
type Retry struct {
	// Wait, if not nil, is used in place of a timer.
	Wait func(context.Context, time.Duration) error
	// Says, if not nil, is told of each attempt that came too late.
	Says func(attempt int, err error)
	// Ready, if not nil, is asked about each plan that may be carried out before anything
	// is written. Its error ends it.
	Ready func(*Plan) error
}

// Deliver plans a promotion and carries it out. Where somebody else has moved the branch
// in the meantime, it is planned anew on what is there then, with its rules and gates, until
// it lands, is refused, or there is nothing left to do: no edit is merged with another.
// A refusal is no error here: it is in the plan, and nothing is applied.
// Each attempt gets a promoter from open, which finds out where the branch is.
//
// The plan is the last one, also beside an error of Apply.
func Deliver(ctx context.Context, open func(context.Context) (*Promoter, error), req Request, retry Retry) (*Plan, *Applied, error) {
	for attempt := 1; ; attempt++ {
		plan, done, err := deliverOnce(ctx, open, req, retry)
		if done != nil {
			done.Attempts = attempt
		}
		var moved *Moved
		if !errors.As(err, &moved) {
			return plan, done, err
		}
		if attempt >= maxAttempts {
			return plan, done, failure("run the same command again", "%s was moved by others %d times in a row; nothing was changed", moved.Branch, attempt)
		}
		if retry.Says != nil {
			retry.Says(attempt, err)
		}
		if err := retry.wait(ctx, backoff(attempt)); err != nil {
			return plan, nil, &Error{Msg: "others were faster " + times(attempt) + ", and then it was interrupted; nothing was changed", Err: err}
		}
	}
}

func deliverOnce(ctx context.Context, open func(context.Context) (*Promoter, error), req Request, retry Retry) (*Plan, *Applied, error) {
	p, err := open(ctx)
	if err != nil {
		return nil, nil, err
	}
	plan, err := p.Plan(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	if r := plan.Refusal(); r != nil && !plan.proposes(r) {
		return plan, &Applied{}, nil
	}
	if retry.Ready != nil {
		if err := retry.Ready(plan); err != nil {
			return plan, nil, err
		}
	}
	done, err := p.Apply(ctx, plan)
	return plan, done, err
}

// backoff is a time between half of what it is due to be and all of it, so that those
// who have met once do not meet again.
func backoff(attempt int) time.Duration {
	due := min(firstWait<<min(attempt-1, 10), maxWait)
	return due/2 + rand.N(due/2+1)
}

func (r Retry) wait(ctx context.Context, d time.Duration) error {
	if r.Wait != nil {
		return r.Wait(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return "several times"
}
