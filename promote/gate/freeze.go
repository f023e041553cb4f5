package gate

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/internal/schedule"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// freeze passes while nothing is denied, and something allowed where there are windows
// that allow.
type freeze struct {
	deny, allow []window
	dates       []date
	argo        *argoWindows
	zone        *time.Location
}

// window is a time that recurs, for some services or all.
type window struct {
	schedule.Window
	services []string
	reason   string
	zone     *time.Location
	always   bool // it never closes
}

// At tells whether the window is open, and until when; zero where it never closes.
func (w *window) At(t time.Time) (until time.Time, open bool) {
	if w.always {
		return time.Time{}, true
	}
	return w.Window.At(t)
}

// longer tells whether an end is later than another; zero is none.
func longer(end, than time.Time) bool {
	return !than.IsZero() && (end.IsZero() || end.After(than))
}

func newFreeze(cfg *pipeline.FreezeGate, d Deps) (*freeze, error) {
	zone, err := schedule.Zone(cfg.TimeZone)
	if err != nil {
		return nil, err
	}
	f := &freeze{zone: zone}
	if f.deny, err = windows(cfg.Deny, zone); err != nil {
		return nil, err
	}
	if f.allow, err = windows(cfg.Allow, zone); err != nil {
		return nil, err
	}
	if cfg.Calendar != "" {
		if f.dates, err = readCalendar(d.Tree, cfg.Calendar, zone); err != nil {
			return nil, err
		}
	}
	if cfg.ArgoCD != nil {
		f.argo, err = newArgoWindows(cfg.ArgoCD, d)
	}
	return f, err
}

func windows(all []pipeline.Window, zone *time.Location) ([]window, error) {
	var out []window
	for _, cfg := range all {
		w := window{services: cfg.Services, reason: cfg.Reason, zone: zone}
		if cfg.TimeZone != "" {
			var err error
			if w.zone, err = schedule.Zone(cfg.TimeZone); err != nil {
				return nil, err
			}
		}
		cron, err := schedule.Parse(cfg.Schedule, w.zone)
		if err != nil {
			return nil, err
		}
		w.Window = schedule.Window{Cron: cron, Duration: cfg.Duration.Time()}
		w.always = w.Endless()
		out = append(out, w)
	}
	return out, nil
}

// concerns tells whether one of the names or globs is a name's; all are where there are none.
func concerns(globs []string, name string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(glob string) bool {
		ok, _ := path.Match(glob, name)
		return ok || glob == name
	})
}

// closed is why nothing may pass at a moment.
type closed struct {
	until  time.Time // when this cause ends; zero where it does not
	reason string
	rule   string
}

// asked is what a freeze is asked about: a service, and its application of Argo CD.
type asked struct {
	promote.GateRequest
	argo *argoWindows
	app  argoApp
}

// at tells what closes an instant: what our windows say, or those of Argo CD.
func (f *freeze) at(t time.Time, q asked) *closed {
	own := f.own(t, q.GateRequest)
	if q.argo == nil {
		return own
	}
	argo := q.argo.at(t, q.app)
	if argo == nil || own != nil && !argo.until.IsZero() && (own.until.IsZero() || own.until.After(argo.until)) {
		return own
	}
	return argo
}

// own tells what our windows close: what is denied longest, or that nothing is allowed.
func (f *freeze) own(t time.Time, q promote.GateRequest) *closed {
	var found *closed
	deny := func(until time.Time, reason, rule string) {
		if found == nil || longer(until, found.until) {
			found = &closed{until, reason, rule}
		}
	}
	for _, w := range f.deny {
		if until, open := w.At(t); open && concerns(w.services, q.Service) {
			deny(until.In(w.zone), w.reason, "")
		}
	}
	for _, d := range f.dates {
		if d.denies(t, q) {
			deny(d.to, d.reason, d.place)
		}
	}
	if found != nil {
		return found
	}
	allowed, next := true, time.Time{}
	for _, w := range f.allow {
		if !concerns(w.services, q.Service) {
			continue
		}
		if _, open := w.At(t); open {
			return nil
		}
		allowed = false
		if start := w.Next(t); next.IsZero() || !start.IsZero() && start.Before(next) {
			next = start
		}
	}
	if allowed {
		return nil
	}
	return &closed{next, "", ""}
}

// farthest bounds the search for an opening.
const (
	farthest   = 2 * 366 * 24 * time.Hour
	mostCauses = 10_000
)

// opening is the first instant from one on at which nothing is closed; zero where there
// is none in two years.
func (f *freeze) opening(from time.Time, q asked) time.Time {
	t := from
	for range mostCauses {
		c := f.at(t, q)
		if c == nil {
			return t
		}
		if c.until.IsZero() || c.until.Sub(from) > farthest {
			return time.Time{}
		}
		t = c.until
	}
	return time.Time{}
}

func (f *freeze) check(ctx context.Context, r promote.GateRequest) promote.Verdict {
	q := asked{GateRequest: r}
	if f.argo != nil {
		var err error
		if q.argo, q.app, err = f.argo.of(ctx, r); err != nil {
			v := unknown("the application of Argo CD: %s", fault.OneLine(err.Error()))
			v.Hint = fault.HintOf(err)
			return v
		}
	}
	now := f.at(q.Now, q)
	if now == nil {
		return pass("%s", f.open(q))
	}
	opening := f.opening(q.Now, q)
	because := "outside of the windows that allow promotions"
	if now.reason != "" || f.denied(r) {
		because = "frozen"
		if now.reason != "" {
			because += " (" + now.reason + ")"
		}
	}
	var v promote.Verdict
	if opening.IsZero() {
		v = say(promote.Wait, "%s, and no opening is in sight", because)
	} else {
		v = until(opening, r, fmt.Sprintf("%s until %s", because, stamp(opening.In(f.showIn(now.until)))))
	}
	v.Rule = now.rule
	return v
}

// denied tells whether the moment asked about is denied, and not merely not allowed.
func (f *freeze) denied(q promote.GateRequest) bool {
	return slices.ContainsFunc(f.deny, func(w window) bool {
		_, open := w.At(q.Now)
		return open && concerns(w.services, q.Service)
	}) || slices.ContainsFunc(f.dates, func(d date) bool { return d.denies(q.Now, q) })
}

// showIn is the zone that a moment is told in: the one that the cause was written in.
func (f *freeze) showIn(t time.Time) *time.Location {
	if t.IsZero() {
		return f.zone
	}
	return t.Location()
}

// open says until when nothing is frozen, where that is known.
func (f *freeze) open(all asked) string {
	q := all.GateRequest
	var next time.Time
	sooner := func(t time.Time) {
		if t.After(q.Now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, w := range f.deny {
		if concerns(w.services, q.Service) {
			sooner(w.Next(q.Now))
		}
	}
	for _, d := range f.dates {
		if d.concerns(q) {
			sooner(d.from)
		}
	}
	for _, w := range f.allow {
		if until, open := w.At(q.Now); open && concerns(w.services, q.Service) {
			sooner(until.In(w.zone))
		}
	}
	if all.argo != nil {
		all.argo.changes(q.Now, all.app, sooner)
	}
	if next.IsZero() {
		return "nothing is frozen"
	}
	return "nothing is frozen until " + stamp(next)
}
