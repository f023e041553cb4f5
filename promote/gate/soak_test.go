package gate

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
)

func TestSoak(t *testing.T) {
	one, two, three := promote.Pin{Tag: "v1", Digest: sha("1")}, promote.Pin{Tag: "v2", Digest: sha("2")}, promote.Pin{Tag: "v3", Digest: sha("3")}
	retagged, tag, oldTag := promote.Pin{Tag: "v2.0", Digest: sha("2")}, promote.Pin{Tag: "v2"}, promote.Pin{Tag: "v1"}
	const ten = "- soak: {for: 10m}"
	for _, tc := range []struct {
		name, list string
		changes    Changes
		want       string
	}{
		{"long enough", ten, changes(change(30, one, two), change(60, promote.Pin{}, one)),
			"pass: staging has had sha256:222222222222 since 2026-11-27 15:00 UTC; 10m are asked for"},
		{"to the minute", ten, changes(change(10, one, two)), "pass: staging has had sha256:222222222222 since 2026-11-27 15:20 UTC; 10m are asked for"},
		{"not yet", ten, changes(change(8, one, two)),
			"wait: staging has had sha256:222222222222 since 2026-11-27 15:22 UTC; 10m are asked for, until 2026-11-27 15:32 UTC [11-27 15:32]; await"},
		{"not for long", "- soak: {for: 24h}", changes(change(8, one, two)),
			"wait: staging has had sha256:222222222222 since 2026-11-27 15:22 UTC; 24h are asked for, until 2026-11-28 15:22 UTC [11-28 15:22]"},
		{"the clock of the committer is ahead", ten, changes(change(-60, one, two)),
			"wait: staging has had sha256:222222222222 since 2026-11-27 16:30 UTC; 10m are asked for, until 2026-11-27 16:40 UTC [11-27 16:40]"},
		{"another tag for the same digest begins nothing anew", ten, changes(change(1, two, retagged), change(30, one, two)),
			"pass: staging has had sha256:222222222222 since 2026-11-27 15:00 UTC; 10m are asked for"},
		{"away and back begins anew", ten, changes(change(5, three, two), change(15, two, three), change(300, one, two)),
			"wait: staging has had sha256:222222222222 since 2026-11-27 15:25 UTC; 10m are asked for, until 2026-11-27 15:35 UTC [11-27 15:35]; await"},
		{"away", ten, changes(change(5, two, three), change(300, one, two)), `fail: image "cart": staging had sha256:222222222222 until 2026-11-27 15:25 UTC, and has something else since`},
		{"never there", ten, changes(change(300, promote.Pin{}, one)), `fail: image "cart": staging has never had sha256:222222222222`},
		{"a tag alone", ten, changes(change(300, oldTag, tag)),
			`unknown: image "cart": staging has had the tag v2 since 2026-11-27 10:30 UTC and no digest, so nobody can tell how long it has had sha256:222222222222; hint: pin staging by digest, or soak: {trustTags: true}`},
		{"a tag that is trusted", "- soak: {for: 10m, trustTags: true}", changes(change(300, oldTag, tag)),
			"pass: staging has had sha256:222222222222 since 2026-11-27 10:30 UTC; 10m are asked for"},
		{"another environment", "- soak: {for: 10m, environment: dev}", changes(change(30, one, two)), `fail: image "cart": dev has never had sha256:222222222222`},
		{"no history", ten, nil, "unknown: there is no history to read"},
		{"a history that cannot be read", ten, func(context.Context, []string, string, func(history.Change) bool) error {
			return errors.New("git is gone")
		},
			"unknown: the history of staging: git is gone"},
		{"a shallow clone", ten, truncated(change(30, promote.Pin{}, one)),
			"unknown: the history of staging: this clone has no history before commit 0123456; hint: git fetch --unshallow"},
		{"a shallow clone that is deep enough", ten, truncated(change(30, one, two)), "pass: staging has had sha256:222222222222 since 2026-11-27 15:00 UTC; 10m are asked for"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var d Deps
			if tc.changes != nil {
				d.History = NewHistory(tc.changes)
			}
			want(t, ask(t, tc.list, d, cart()), tc.want)
		})
	}
}

// dates is a history by its dates, newest first.
type dates []history.Dated

// Dates implements [history.Dater].
func (d dates) Dates(context.Context, int) ([]history.Dated, error) { return d, nil }

// Whoever makes a commit chooses its date: one that lies before the commits it is made on
// let a digest pass that was there for a moment. Dates that are yet to come hold up
// nothing that came after them.
func TestSoakDates(t *testing.T) {
	c := change(600, promote.Pin{Tag: "v1", Digest: sha("1")}, promote.Pin{Tag: "v2", Digest: sha("2")})
	c.Commit = "new"
	at := func(commit string, minutes int) history.Dated {
		return history.Dated{Commit: commit, Time: friday.Add(-time.Duration(minutes) * time.Minute)}
	}
	for name, tc := range map[string]struct {
		before []history.Dated
		want   string
	}{
		"in order":           {[]history.Dated{at("old", 700)}, "pass: staging has had sha256:222222222222 since 2026-11-27 05:30 UTC; 10m are asked for"},
		"before its parent":  {[]history.Dated{at("old", 2), at("older", 900)}, "wait: staging has had sha256:222222222222 since 2026-11-27 15:28 UTC; 10m are asked for, until 2026-11-27 15:38 UTC [11-27 15:38]; await"},
		"so does its parent": {[]history.Dated{at("old", 650), at("older", 3)}, "wait: staging has had sha256:222222222222 since 2026-11-27 15:27 UTC; 10m are asked for, until 2026-11-27 15:37 UTC [11-27 15:37]; await"},
		"from the future":    {[]history.Dated{at("old", -5000), at("older", 900)}, "pass: staging has had sha256:222222222222 since 2026-11-27 05:30 UTC; 10m are asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			h := NewHistory(changes(c))
			h.Dates = dates(append([]history.Dated{at("newest", 1), at("new", 600)}, tc.before...))
			want(t, ask(t, "- soak: {for: 10m}", Deps{History: h}, cart()), tc.want)
		})
	}
}

func truncated(all ...history.Change) Changes {
	whole := changes(all...)
	return func(ctx context.Context, services []string, environment string, visit func(history.Change) bool) error {
		stopped := false
		if err := whole(ctx, services, environment, func(c history.Change) bool { stopped = !visit(c); return !stopped }); err != nil || stopped {
			return err
		}
		return &history.Truncated{Commit: "0123456"}
	}
}

// Of several images the youngest counts, and one that is not there is a no.
func TestSoakOfSeveralImages(t *testing.T) {
	both := change(30, promote.Pin{Digest: sha("1")}, promote.Pin{Tag: "v2", Digest: sha("2")})
	side := history.ImageChange{Name: "side", Old: promote.Pin{Digest: sha("8")}, New: promote.Pin{Digest: sha("9")}}
	later := both
	later.Time, later.Images = friday.Add(-friday.Sub(both.Time)/6), []history.ImageChange{side}
	q := cart()
	q.Images = append(q.Images, promote.ImagePlan{Name: "side", New: side.New})
	want(t, ask(t, "- soak: {for: 10m}", Deps{History: NewHistory(changes(later, both))}, q),
		"wait: staging has had sha256:999999999999 since 2026-11-27 15:25 UTC; 10m are asked for, until 2026-11-27 15:35 UTC [11-27 15:35]; await")
	want(t, ask(t, "- soak: {for: 10m}", Deps{History: NewHistory(changes(both))}, q), `fail: image "side": staging has never had sha256:999999999999`)
	q.Images = q.Images[:1]
	q.Images[0].New.Digest = ""
	want(t, ask(t, "- soak: {for: 10m}", Deps{History: NewHistory(changes(both))}, q), `unknown: image "cart": its digest is not known, so nobody can tell how long it has been in staging`)
	q.Images = nil
	want(t, ask(t, "- soak: {for: 10m}", Deps{History: NewHistory(changes(both))}, q), "unknown: no image would change, and of nothing else it is known how long it has been in staging")
}

// The history is read once for all services, as far as it is needed, and again only for
// one whose newest changes do not say.
func TestHistoryIsReadOnce(t *testing.T) {
	var all []history.Change
	for i := range 50 {
		c := change(i+20, promote.Pin{Digest: sha("1")}, promote.Pin{Digest: sha("2")})
		c.Service = fmt.Sprintf("s%02d", i)
		all = append(all, c)
	}
	older := all[7]
	all[7].Images = []history.ImageChange{{Name: "cart", Old: promote.Pin{Tag: "a", Digest: sha("2")}, New: promote.Pin{Tag: "b", Digest: sha("2")}}}
	older.Time = older.Time.AddDate(0, 0, -1)
	all = append(all, older)
	reads, seen := 0, 0
	inner := changes(all...)
	h := NewHistory(func(ctx context.Context, services []string, environment string, visit func(history.Change) bool) error {
		reads++
		return inner(ctx, services, environment, func(c history.Change) bool { seen++; return visit(c) })
	})
	g := gates(t, "- soak: {for: 10m}", Deps{History: h})[0]
	q := cart()
	q.Services = nil
	for i := range 50 {
		q.Services = append(q.Services, fmt.Sprintf("s%02d", i))
	}
	for _, s := range q.Services {
		q.Service = s
		if v := g.Check(t.Context(), q); v.Answer != promote.Pass {
			t.Errorf("%s: %s", s, outline(v))
		}
	}
	if reads != 2 || seen != 52 {
		t.Errorf("read %d times, %d changes", reads, seen)
	}
}
