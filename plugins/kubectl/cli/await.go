package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
)

// Clock is what gates are asked by and waited for.
type Clock struct {
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
}

// SystemClock is the clock of this machine.
func SystemClock() Clock {
	return Clock{time.Now, func(ctx context.Context, d time.Duration) error {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

// Gates are asked again when the first wait is expected to end; where that is far away, or
// nobody knows it, now and then.
const (
	askSoonest = time.Second
	askLatest  = 30 * time.Second
)

// Await makes plans again and again as long as they wait for what ends by itself, or by
// somebody else's doing. When the time limit has run out, the last plans are what it gives.
func (s *Session) Await(ctx context.Context, clock Clock, plan func(context.Context) (*promote.Plans, error)) (*promote.Plans, error) {
	var last *promote.Plans
	said := ""
	for {
		p, err := plan(ctx)
		if last != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return last, nil
		}
		if err != nil || answer(p) != promote.Wait || NeedsConfirmation(p) {
			return p, err
		}
		last = p
		waits, until := waitsOf(p)
		if text := strings.Join(waits, "; "); text != said && !s.Quiet {
			fmt.Fprintln(s.ErrOut, Clean("waiting for "+text))
			said = text
		}
		pause := askLatest
		if !until.IsZero() {
			pause = min(max(until.Sub(clock.Now()), askSoonest), askLatest)
		}
		if err := clock.Sleep(ctx, pause); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				return last, nil
			}
			return nil, err
		}
	}
}

func answer(plans *promote.Plans) promote.Answer {
	if r := plans.Refused(); r != nil {
		return r.Answer
	}
	return promote.Pass
}

func allServices(plans *promote.Plans) []*promote.ServicePlan {
	var out []*promote.ServicePlan
	for _, p := range plans.All {
		out = append(out, p.Services...)
	}
	return out
}

// waitsOf says what plans wait for, and when the first wait is expected to end.
func waitsOf(plans *promote.Plans) (waits []string, until time.Time) {
	const most = 3
	more := 0
	for _, sp := range allServices(plans) {
		for _, v := range sp.Verdicts {
			if v.Answer != promote.Wait {
				continue
			}
			if !v.Until.IsZero() && (until.IsZero() || v.Until.Before(until)) {
				until = v.Until
			}
			if len(waits) == most {
				more++
				continue
			}
			waits = append(waits, sp.Service+": "+v.Gate+": "+v.Text())
		}
	}
	if more > 0 {
		waits = append(waits, fmt.Sprintf("and %d more", more))
	}
	return waits, until
}

// AtVar adds the flag --at, a moment that gates are asked about.
func AtVar(cmd *cobra.Command, text *string) {
	cmd.Flags().StringVar(text, "at", "", "what holds at this time, for example '2026-12-24 16:00', 17:30 or 'friday 17:00'; servers and commands say what holds now")
	Must(cmd.RegisterFlagCompletionFunc("at", cobra.NoFileCompletions))
}

// ParsePast reads a moment that has been: how long ago it was (24h, 7d), or one of RFC 3339,
// or a day, or a day and a time of the local clock.
func ParsePast(text string, now time.Time) (time.Time, error) {
	if ago, ok := parseAge(text); ok {
		return now.Add(-ago), nil
	}
	t, err := parseDay(text, now.Location())
	switch {
	case err != nil:
		return t, &UsageError{Msg: fmt.Sprintf("%q is no time", text), Hint: "24h, 7d, 2026-11-28, '2026-11-28 18:00', or 2026-11-28T18:00:00Z"}
	case t.After(now):
		return t, &UsageError{Msg: fmt.Sprintf("%s is still to come", text), Hint: "a moment that has been"}
	}
	return t, nil
}

// parseAge reads how long ago something was: 90m, 24h, or days as 7d, of 24 hours each.
func parseAge(text string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		const most = 100 * 366
		return time.Duration(n) * 24 * time.Hour, err == nil && n > 0 && n <= most
	}
	ago, err := time.ParseDuration(text)
	return ago, err == nil && ago > 0
}

// parseDay reads a moment that names its day.
func parseDay(text string, zone *time.Location) (t time.Time, err error) {
	if t, err = time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, form := range []string{"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err = time.ParseInLocation(form, text, zone); err == nil {
			return t, nil
		}
	}
	return t, err
}

// ParseMoment reads a moment: one of RFC 3339, or a day, a time, or both, of the local
// clock. A time without a day, or with a day of the week, is the next that comes.
func ParseMoment(text string, now time.Time) (time.Time, error) {
	zone := now.Location()
	if t, err := parseDay(text, zone); err == nil {
		return t, nil
	}
	day, clock, named := strings.Cut(strings.ToLower(strings.TrimSpace(text)), " ")
	if !named {
		clock = day
	}
	t, err := time.Parse("15:04", strings.TrimSpace(clock))
	for after := range 8 {
		d := now.AddDate(0, 0, after)
		at := time.Date(d.Year(), d.Month(), d.Day(), t.Hour(), t.Minute(), 0, 0, zone)
		full := strings.ToLower(at.Weekday().String())
		if err == nil && at.After(now) && (!named || day == full || day == full[:3]) {
			return at, nil
		}
	}
	return time.Time{}, &UsageError{Msg: fmt.Sprintf("--at %q is no time", text), Hint: "--at '2026-12-24 16:00', --at 17:30, or --at 'friday 17:00'"}
}
