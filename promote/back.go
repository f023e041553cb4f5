package promote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Back takes a service back to pins that it had; package promote/rollback finds them.
type Back struct {
	// Of is the commit of the oldest change that is taken back, and Reason why; both are
	// recorded.
	Of, Reason string
	// Holds, if not nil, is the file of holds as it shall be, in the same commit. Where it
	// is not as committed, an interrupted run has written just that.
	Holds *File
	// Revert, if not empty, is the commit whose changes are taken back whole, in place of the
	// pins alone, which must come to the same.
	Revert string
	// Pins are those of then, where they are others than now. All other images stay.
	Pins []BackPin
}

// BackPin is an image's pin of then. Overlay is the path of the site that it is in, and
// Path where it stands in the file, as history.ImageChange has them.
type BackPin struct {
	Overlay, Name, Path string
	Pin
}

// goBack gives images the pins that they had. That an image has none is told by who has
// looked for them.
func (w *planner) goBack() error {
	var errs []error
	used := make(map[string]bool)
	for _, c := range w.drafts {
		for _, p := range c.parts {
			apart := history.PinnedApart(p.images)
			for _, i := range p.paired {
				taken := -1
				i.done = true
				for n, b := range w.req.Back.Pins {
					if b.Overlay != p.site.Path || b.Name != i.source.Name || apart[b.Name] && b.Path != i.source.Path {
						continue
					}
					if other := w.req.Back.Pins[max(taken, 0)]; taken >= 0 && other.Pin != b.Pin {
						errs = append(errs, placed(i.file, i.source, "", "image %q had several pins then, %s and %s, and which of them this one was cannot be told", b.Name, other.Short(), b.Short()))
					}
					taken = n
					used[b.Overlay+"\n"+b.Name] = true
				}
				if taken >= 0 {
					w.takeIn(i, w.req.Back.Pins[taken].Pin)
				}
			}
		}
	}
	for _, b := range w.req.Back.Pins {
		if !used[b.Overlay+"\n"+b.Name] {
			w.plan.Warnings = append(w.plan.Warnings, fmt.Sprintf("%s: image %q was pinned to %s then and is not here any more", b.Overlay, b.Name, b.Short()))
		}
	}
	return errors.Join(errs...)
}

// holds refuses what is held in the commit that the plan is made on; what somebody has in
// the working tree alone neither holds nor lets go. A way back goes past it, aloud.
func (w *planner) holds(ctx context.Context) error {
	data, err := []byte(nil), error(nil)
	if how := w.states[pipeline.Place{}].Dirty[hold.FileName]; how == "" {
		data, err = w.Repo.ReadFile(hold.FileName)
	} else {
		var all map[string][]byte
		all, err = w.Repo.Committed(ctx, []string{hold.FileName})
		if data = all[hold.FileName]; w.req.Back == nil || w.req.Back.Holds == nil {
			w.plan.Warnings = append(w.plan.Warnings, hold.FileName+" has uncommitted changes ("+how+"): what is committed counts")
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	list, err := hold.Parse(hold.FileName, data, w.Pipeline)
	if err != nil {
		return err
	}
	for _, c := range w.drafts {
		h, held := list.For(c.plan.Service, w.to, w.now())
		switch {
		case !held || w.gateRequest(c) == nil:
		case w.req.Back != nil:
			w.warn(c, "%s; a rollback goes past that", h)
		default:
			v := w.say(c, GateHold, Fail, "", "%s", h)
			v.Advice = advise(DoUnhold, "service", h.Service, "env", h.Environment)
			if !h.Until.IsZero() {
				v.Answer, v.Until = Wait, h.Until
			}
		}
	}
	return nil
}
