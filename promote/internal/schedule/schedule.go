// Package schedule has windows of time that recur by a cron expression in a time zone.
//
// The starts of windows are wall-clock times. One that a change to daylight saving time
// leaves out is the first instant after the gap, and one that is there twice is the
// first of the two: a window is never lost, and never opens twice.
package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// MaxDuration is the longest that a window may be.
const MaxDuration = 366 * 24 * time.Hour

// Error is what is wrong with a schedule, and what would be right.
type Error struct{ Msg, Hint string }

// Error is the message.
func (e *Error) Error() string { return e.Msg }

// Cron is a cron expression in a time zone.
type Cron struct {
	spec *cron.SpecSchedule
	zone *time.Location
}

// parser takes the five fields of crontab(5), and @weekly and the like.
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// Parse reads a cron expression: five fields, minute, hour, day of the month, month and
// day of the week, or @hourly, @daily, @weekly, @monthly and @yearly. One that names no
// date that there is, is an error. The error is an *Error.
func Parse(text string, zone *time.Location) (*Cron, error) {
	bad := func(hint, format string, args ...any) (*Cron, error) {
		return nil, &Error{fmt.Sprintf("schedule %q ", text) + fmt.Sprintf(format, args...), hint}
	}
	fields := strings.Fields(text)
	const example = `"0 16 * * 5": minute, hour, day of the month, month, day of the week`
	switch {
	case len(text) > 256:
		return nil, &Error{"schedule is longer than 256 characters", example}
	case strings.Contains(text, "TZ="):
		return bad("timeZone: Europe/Zurich", "names a time zone")
	case strings.HasPrefix(text, "@every"):
		return bad(example, "has no times of day")
	case !strings.HasPrefix(text, "@") && len(fields) != 5:
		return bad(example, "has %d fields, and five are wanted", len(fields))
	}
	parsed, err := parser.Parse(text)
	if err != nil {
		hint := example
		if len(fields) == 5 && strings.Contains(fields[4], "7") {
			hint = "Sunday is 0"
		}
		return bad(hint, "is malformed: %v", err)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return bad(example, "has no times of day")
	}
	spec.Location = time.UTC // wall-clock times are counted as if they were UTC, which has no gaps
	if spec.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return bad("", "names a date that there is not")
	}
	return &Cron{spec, zone}, nil
}

// Zone finds a time zone; "" stands for UTC.
func Zone(name string) (*time.Location, error) {
	if name == "Local" || strings.ContainsAny(name, `\`) {
		return nil, errors.New("unknown time zone " + name) // that of this machine is nobody's business
	}
	return time.LoadLocation(name)
}

// wall is the wall clock's time at an instant, as if it were UTC.
func wall(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// Instant is when the wall clock of a zone shows a time, which is given as if it were
// UTC: the first time it does, or the first instant after the gap that it is in.
func Instant(naive time.Time, zone *time.Location) time.Time {
	// Zones are at most 14 hours off, and do not change twice within two days.
	_, before := naive.Add(-26 * time.Hour).In(zone).Zone()
	_, after := naive.Add(26 * time.Hour).In(zone).Zone()
	var found time.Time
	for _, offset := range []int{before, after} {
		at := naive.Add(-time.Duration(offset) * time.Second)
		if wall(at, zone).Equal(naive) && (found.IsZero() || at.Before(found)) {
			found = at
		}
	}
	if !found.IsZero() {
		return found.In(zone)
	}
	start, _ := naive.Add(-time.Duration(before) * time.Second).In(zone).ZoneBounds()
	return start.In(zone)
}

// slack is how far the wall clock's order and that of instants may differ.
const slack = 26 * time.Hour

// Next is the first start after an instant; the zero time where there is none in five years.
func (c *Cron) Next(t time.Time) time.Time {
	naive := wall(t, c.zone).Add(-slack)
	for {
		naive = c.spec.Next(naive)
		if naive.IsZero() {
			return naive
		}
		if at := Instant(naive, c.zone); at.After(t) {
			return at
		}
	}
}

// last is the last start that is not after t, and not before since.
func (c *Cron) last(t, since time.Time) (found time.Time, ok bool) {
	end := wall(t, c.zone)
	for back := time.Hour; ; back *= 2 {
		begin := end.Add(-back)
		for naive := c.spec.Next(begin); !naive.IsZero() && naive.Before(end.Add(slack)); naive = c.spec.Next(naive) {
			at := Instant(naive, c.zone)
			if at.After(t) {
				break
			}
			found = at
		}
		if !found.IsZero() || begin.Before(wall(since, c.zone).Add(-slack)) {
			return found, !found.IsZero() && !found.Before(since)
		}
	}
}

// Window is a time that recurs: from each start for a duration, which is counted in
// hours that pass, not in hours of the clock.
type Window struct {
	*Cron
	Duration time.Duration
}

// Endless tells whether the window never closes, as far as that is seen at once.
func (w Window) Endless() bool {
	if w.zone == time.UTC {
		return Endless(w.spec, w.Duration)
	}
	return Endless(w.spec, w.Duration-slack) // where the clock is set back there are no starts for a while
}

// everyDay is what robfig/cron sets in a field that is a star.
const everyDay = 1 << 63

// Endless tells whether windows that begin every day alike leave no gap: each begins before
// the one before is over. Who looks for the end of such a window looks at each start there is.
func Endless(starts cron.Schedule, duration time.Duration) bool {
	spec, ok := starts.(*cron.SpecSchedule)
	if !ok || spec.Dom&spec.Month&spec.Dow&everyDay == 0 {
		return false
	}
	start := spec.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	for end := start.Add(24 * time.Hour); start.Before(end); {
		next := spec.Next(start)
		if next.Sub(start) >= duration {
			return false
		}
		start = next
	}
	return true
}

// At tells whether the window is open at an instant, and until when.
func (w Window) At(t time.Time) (until time.Time, open bool) {
	start, ok := w.last(t, t.Add(-w.Duration))
	if !ok || !start.Add(w.Duration).After(t) {
		return time.Time{}, false
	}
	return start.Add(w.Duration), true
}
