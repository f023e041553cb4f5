// Package attempts delivers promotions where others deliver as well: what came too late is
// planned and carried out anew on what they have done, with the rules and gates of that
// moment. [Deliver] is for promotions, [Retry.Until] for whatever else is written to a branch.
package attempts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/internal/backoff"
)

// Delivery that others compete with is tried this often, unless the context ends before.
const maxAttempts = 50

// Retry is how [Deliver] goes on where others were faster. The zero value will do.
type Retry struct {
	// Wait, if not nil, is used in place of a timer.
	Wait func(context.Context, time.Duration) error
	// Says, if not nil, is told of each attempt that came too late.
	Says func(attempt int, err error)
	// Ready, if not nil, is asked about each plan that may be carried out before anything
	// is written. Its error ends it.
	Ready func(*promote.Plan) error
}

// Deliver plans a promotion and carries it out. Plan makes the plans, by
// [promote.Promoter.PlanAll]. Where somebody else has moved a branch in the meantime, all is
// planned anew on what is there then, with its rules and gates, until it lands, is
// refused, or there is nothing left to do: no edit is merged with another.
// A refusal is no error here: it is in the plans, and nothing is applied; nor is anything
// for Request.Preview. Each attempt gets a promoter from open, which finds out where the
// branch is.
//
// The plans are the last ones, and there is an Applied for each, or beside an error for
// those before it, among them what has landed in an earlier attempt.
func Deliver(ctx context.Context, open func(context.Context) (*promote.Promoter, error), plan func(context.Context, *promote.Promoter) (*promote.Plans, error), retry Retry) (*promote.Plans, []*promote.Applied, error) {
	type landing struct {
		plan    *promote.Plan
		applied *promote.Applied
	}
	landed := make(map[string]landing)
	var order, asked []string
	var plans *promote.Plans
	var done []*promote.Applied
	err := retry.until(ctx, func(attempt int) (err error) {
		plans, done, err = deliverOnce(ctx, open, plan, retry)
		if plans != nil {
			asked = environments(plans.All)
		}
		for n, a := range done {
			plan := plans.All[n]
			before, ok := landed[plan.Title()]
			if plan.Mode.Shared() {
				a.Attempts = attempt
			}
			switch {
			case a.Commit != "":
				if landed[plan.Title()] = (landing{plan, a}); !ok {
					order = append(order, plan.Title())
				}
			case ok && !plan.Changed(): // by an attempt before this one
				plans.All[n], done[n] = before.plan, before.applied
			}
		}
		return err
	}, func() bool { return len(landed) == 0 })
	if err == nil || len(landed) == 0 {
		return plans, done, err
	}
	told := &promote.Plans{}
	if plans != nil {
		told.All = plans.All[:len(done)]
	}
	now := environments(told.All)
	before := false
	for _, to := range order {
		if !slices.Contains(now, to) {
			told.All, done, before = append(told.All, landed[to].plan), append(done, landed[to].applied), true
		}
	}
	if before {
		now = environments(told.All)
		left := slices.DeleteFunc(asked, func(to string) bool { return slices.Contains(now, to) })
		err = &promote.Error{Msg: fmt.Sprintf("%s: done; %s: not", strings.Join(now, ", "), strings.Join(left, ", ")), Err: err}
	}
	return told, done, err
}

// environments are those of plans.
func environments(plans []*promote.Plan) []string {
	var out []string
	for _, p := range plans {
		out = append(out, p.Title())
	}
	return out
}

// Until tries until there is an error other than [promote.Moved], or none: so often as [Deliver]
// does, and with its waits. Attempts count from 1.
func (r Retry) Until(ctx context.Context, try func(attempt int) error) error {
	return r.until(ctx, try, func() bool { return true })
}

// until is Until, and is told whether nothing has landed in any of the attempts.
func (r Retry) until(ctx context.Context, try func(attempt int) error, nothing func() bool) error {
	for attempt := 1; ; attempt++ {
		err := try(attempt)
		var moved *promote.Moved
		if !errors.As(err, &moved) {
			return err
		}
		if attempt >= maxAttempts {
			last := &promote.Error{Msg: fmt.Sprintf("%s was moved by others %d times in a row", moved.Branch, attempt), Hint: "run the same command again"}
			if err != error(moved) { // which says what there is
				last.Err = err
			} else if nothing() {
				last.Msg += "; nothing was changed"
			}
			return last
		}
		if r.Says != nil {
			r.Says(attempt, err)
		}
		wait := r.Wait
		if wait == nil {
			wait = backoff.Wait
		}
		if err := wait(ctx, backoff.Of(attempt)); err != nil {
			return &promote.Error{Msg: fmt.Sprintf("others were faster %d times, and then it was interrupted", attempt), Err: err}
		}
	}
}

func deliverOnce(ctx context.Context, open func(context.Context) (*promote.Promoter, error), plan func(context.Context, *promote.Promoter) (*promote.Plans, error), retry Retry) (*promote.Plans, []*promote.Applied, error) {
	p, err := open(ctx)
	if err != nil {
		return nil, nil, err
	}
	plans, err := plan(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if plans.Preview() || plans.Refusal() != nil {
		none := make([]*promote.Applied, len(plans.All))
		for n := range none {
			none[n] = &promote.Applied{Files: []string{}}
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
