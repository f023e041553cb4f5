// Package rollback finds in the history of a service what it was pinned to before, so that
// it can be taken back there.
//
// A [Walk] visits the changes of one service in one environment, newest first, as
// history.Read gives them, until it knows the pins to go back to. What a rollback has
// taken back is passed over with it: to go back twice is to go back further, and never
// forward to what was left. The pins go through the planner of promotions as a
// [promote.Back].
package rollback

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
)

// Target says how far to go back: one of its fields is set.
type Target struct {
	// Steps is how many changes are taken back.
	Steps int
	// Change is the newest change that stays: that of a revision.
	Change string
	// Time is the moment whose pins are wanted.
	Time time.Time
}

// Walk goes through the changes of one service in one environment.
type Walk struct {
	target Target
	taken  []history.Change // that are taken back, newest first
	steps  int
	past   string // the commit up to which a rollback has taken all back
	by     string // and that rollback
	done   bool
}

// NewWalk makes one.
func NewWalk(t Target) *Walk { return &Walk{target: t} }

// Visit takes the next older change, and tells whether the one before it is wanted too.
func (w *Walk) Visit(c history.Change) bool {
	switch {
	case w.target.Change != "":
		w.done = c.Commit == w.target.Change
	case !w.target.Time.IsZero():
		w.done = !c.Time.After(w.target.Time)
	case len(c.Images) == 0:
		return true // charts and revisions stay
	default:
		w.taken = append(w.taken, c)
		w.done = w.step(c)
		return !w.done
	}
	if !w.done && len(c.Images) > 0 {
		w.taken = append(w.taken, c)
	}
	return !w.done
}

// step tells whether a change is the last to be taken back.
func (w *Walk) step(c history.Change) bool {
	if w.past != "" {
		if c.Commit == w.past {
			w.past = ""
		}
		return false
	}
	if c.Record != nil && c.Mismatch == "" && c.Record.RollbackOf != "" {
		w.past, w.by = c.Record.RollbackOf, c.Commit
		return false
	}
	w.steps++
	return w.steps == w.target.Steps
}

// Found is what to go back to.
type Found struct {
	promote.Back
	// Taken are the changes that are taken back, newest first. There are none where the
	// pins are what they were then.
	Taken []history.Change
	// Notes are what does not go back, a line each.
	Notes []string
}

// Found gives what was found. An error means that it cannot be told what there was, or
// that it was nothing.
func (w *Walk) Found() (*Found, error) {
	if !w.done {
		return nil, w.short()
	}
	f := &Found{Taken: w.taken}
	if len(w.taken) == 0 {
		return f, nil
	}
	f.Of = w.taken[len(w.taken)-1].Commit
	return f, f.collect()
}

// short says why the history did not reach far enough.
func (w *Walk) short() error {
	e := &promote.Error{Hint: "kubectl promote history"}
	switch {
	case w.past != "":
		e.Msg = fmt.Sprintf("commit %.9s takes %.9s back, which is not in the history any more: how far back that was cannot be told", w.by, w.past)
		e.Hint = "--to-revision COMMIT"
	case w.target.Change != "":
		e.Msg = fmt.Sprintf("commit %.9s is not in the first-parent history of the branch", w.target.Change)
	case !w.target.Time.IsZero():
		e.Msg = "there was no pin yet at " + w.target.Time.UTC().Format(time.RFC3339)
	case len(w.taken) == 0:
		e.Msg = "no change of a pin is committed, so there is nothing to go back to"
	default:
		e.Msg = fmt.Sprintf("the history has %d changes to take back, and %d are asked for", w.steps, w.target.Steps)
	}
	return e
}

// place is where a pin stands.
type place struct{ overlay, name, path string }

// collect finds the oldest pin of each place: that before the oldest change.
func (f *Found) collect() error {
	then, now := make(map[place]history.ImageChange), make(map[place]history.ImageChange)
	var order []place
	along := make(map[string]bool)
	for _, c := range f.Taken {
		for _, i := range c.Images {
			at := place{i.Overlay, i.Name, i.Path}
			if _, ok := now[at]; !ok {
				now[at], order = i, append(order, at)
			}
			then[at] = i
			if i.OldRepository != "" {
				return &promote.Error{
					Msg:  fmt.Sprintf("%s: image %q came from %s before commit %.9s, and a rollback takes back pins alone", i.File, i.Name, i.OldRepository, c.Commit),
					Hint: "git show " + c.Commit + ", and kubectl promote set",
				}
			}
		}
		if c.Record != nil && c.Mismatch == "" {
			for _, a := range c.Record.Along {
				if what, _, _ := strings.Cut(a, "="); !along[what] {
					along[what] = true
					f.Notes = append(f.Notes, fmt.Sprintf("%s moved with the images in commit %.9s, and stays as it is", what, c.Commit))
				}
			}
		}
	}
	for _, at := range order {
		old, last := then[at], now[at]
		switch none := (promote.Pin{}); {
		case last.New == none:
			f.Notes = append(f.Notes, fmt.Sprintf("%s: image %q was pinned to %s then and has gone since; it does not come back", last.File, at.name, old.Old.Short()))
			continue
		case old.Old == none:
			f.Notes = append(f.Notes, fmt.Sprintf("%s: image %q had no pin then, and stays at %s", last.File, at.name, last.New.Short()))
			continue
		case old.Old.Digest == "":
			f.Notes = append(f.Notes, fmt.Sprintf("%s: image %q was pinned to the tag %s alone then: what that stands for now is what comes", last.File, at.name, old.Old.Tag))
		}
		f.Pins = append(f.Pins, promote.BackPin{Overlay: at.overlay, Name: at.name, Path: at.path, Pin: old.Old})
	}
	if len(f.Pins) == 0 {
		return &promote.Error{Msg: fmt.Sprintf("there was no pin before commit %.9s", f.Of), Hint: "kubectl promote history"}
	}
	return nil
}
