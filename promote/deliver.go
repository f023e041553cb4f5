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

// Deliver plans a promotion and carries it out. Plan makes the plans, by
// [Promoter.PlanAll]. Where somebody else has moved a branch in the meantime, all is
// planned anew on what is there then, with its rules and gates, until it lands, is
// refused, or there is nothing left to do: no edit is merged with another.
// A refusal is no error here: it is in the plans, and nothing is applied; nor is anything
// for Request.Preview. Each attempt gets a promoter from open, which finds out where the
// branch is.
//
// The plans are the last ones, and there is an Applied for each, or beside an error for
// those before it.
func Deliver(ctx context.Context, open func(context.Context) (*Promoter, error), plan func(context.Context, *Promoter) (*Plans, error), retry Retry) (*Plans, []*Applied, error) {
	landed := make(map[string]landing)
	for attempt := 1; ; attempt++ {
		plans, done, err := deliverOnce(ctx, open, plan, retry)
		for n, a := range done {
			plan := plans.All[n]
			before, ok := landed[plan.To]
			if plan.Mode.Shared() {
				a.Attempts = attempt
			}
			switch {
			case a.Commit != "":
				landed[plan.To] = landing{plan, a}
			case ok && !plan.Changed(): // by an attempt before this one
				plans.All[n], done[n] = before.plan, before.applied
			}
		}
		var moved *Moved
		if !errors.As(err, &moved) {
			return plans, done, err
		}
		if attempt >= maxAttempts {
			return plans, done, failure("run the same command again", "%s was moved by others %d times in a row; nothing was changed", moved.Branch, attempt)
		}
		if retry.Says != nil {
			retry.Says(attempt, err)
		}
		if err := retry.wait(ctx, backoff(attempt)); err != nil {
			return plans, done, &Error{Msg: "others were faster " + times(attempt) + ", and then it was interrupted", Err: err}
		}
	}
}

// landing is a plan that was carried out.
type landing struct {
	plan    *Plan
	applied *Applied
}

func deliverOnce(ctx context.Context, open func(context.Context) (*Promoter, error), plan func(context.Context, *Promoter) (*Plans, error), retry Retry) (*Plans, []*Applied, error) {
	p, err := open(ctx)
	if err != nil {
		return nil, nil, err
	}
	plans, err := plan(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if plans.preview() || plans.Refusal() != nil {
		none := make([]*Applied, len(plans.All))
		for n := range none {
			none[n] = &Applied{Files: []string{}}
		}
		return plans, none, nil
	}
	if retry.Ready != nil {
		for _, plan := range plans.All {
			if err := retry.Ready(plan); err != nil {
				return plans, nil, err
			}
		}
	}
	done, err := p.ApplyAll(ctx, plans)
	return plans, done, err
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
