package promote

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/edits"
	"github.com/kubepromote/kubepromote/promote/internal/parallel"
)

// edit makes the edits of all services that nothing refuses, as far as they were
// not made ahead. Parts of one file are edited one after the other.
func (w *planner) edit(ctx context.Context) error {
	var files [][]partOf
	at := make(map[string]int)
	for _, c := range w.drafts {
		for _, p := range c.parts {
			for _, i := range p.paired {
				i.plan.New = w.pinned(i)
				c.plan.Images = append(c.plan.Images, i.plan)
			}
			n, ok := at[p.plan.Target]
			if !ok {
				n = len(files)
				at[p.plan.Target], files = n, append(files, nil)
			}
			files[n] = append(files[n], partOf{draft: c, part: p})
		}
	}
	parallel.Each(ctx, len(files), func(n int) error {
		w.editFile(files[n])
		return nil
	})
	for _, c := range w.drafts {
		for _, p := range c.parts {
			c.plan.Files = append(c.plan.Files, p.plan)
			c.plan.Along = append(c.plan.Along, p.along.plans...)
		}
	}
	var errs []error
	for _, parts := range files {
		for _, one := range parts {
			one.draft.plan.Warnings = append(one.draft.plan.Warnings, one.notes...)
			errs = append(errs, w.setAside(one.draft.plan.Service, one.err))
		}
	}
	return errors.Join(errs...)
}

// partOf is a part, the draft that it is of, what its edit has to say, and why it cannot
// be made. The draft's other parts may be in files that are edited meanwhile.
type partOf struct {
	draft *draft
	part  *part
	notes []string
	err   error
}

// editFile makes the edits of a file's parts. What is refused is shown, and is not in
// what the others write.
func (w *planner) editFile(parts []partOf) {
	before := parts[0].part.target
	var all []edits.Part
	for _, one := range parts {
		all = append(all, edits.Part{File: one.part.shared, Asked: w.changes(one.part), Others: one.part.along.changes, Values: one.part.along.values, Taken: one.draft.plan.Answer() == Pass})
	}
	now, together := before, edits.Together(all, !w.req.NoDiff)
	for n := range parts {
		one := &parts[n]
		c, p := one.draft, one.part
		if together != nil {
			p.ahead = together[n]
		} else if changes := all[n].Asked; p.ahead == nil || n > 0 || !slices.Equal(p.ahead.Asked, changes) {
			if p.ahead, one.err = w.editIn(p, p.plan.Target, now, changes); one.err != nil {
				continue
			}
		}
		if one.err = p.take(before); one.err != nil {
			continue
		}
		if one.notes = p.ahead.Notes; c.plan.Answer() == Pass {
			now = p.ahead.After
		}
	}
	if working := parts[0].part.working; working != nil && !bytes.Equal(working, now) {
		foreign(parts)
	}
}

// editIn makes the edit of a part in a version of its file.
func (w *planner) editIn(p *part, file string, data []byte, changes []overlay.Change) (*edits.Made, error) {
	target := p.shared
	if target == nil || !bytes.Equal(data, p.target) {
		var err error
		if target, err = w.sites.Parse(p.site, file, data); err != nil {
			return nil, err
		}
	}
	return edits.Make(target, changes, p.along.changes, p.along.values, !w.req.NoDiff), nil
}

// foreign takes parts back whose file has something else in the working tree than all of
// them together have made of it, which nobody but an earlier run may have written.
func foreign(parts []partOf) {
	for n := range parts {
		one := &parts[n]
		if one.err == nil && one.draft.plan.Answer() == Pass {
			one.err = uncommitted(one.part.plan.Target, "modified")
		}
		one.part.plan = FilePlan{Source: one.part.plan.Source, Target: one.part.plan.Target}
	}
}

// editAhead makes the edit while the target's syntax is at hand, which is many
// times as large as the file and is not kept. What registries and verifiers say
// later seldom changes what is written: where it does, the edit is made again. A file
// that services share is kept for all of them.
func (w *planner) editAhead(p *part, target *overlay.File) {
	if w.sites.Shares(p.site) {
		p.shared = target
	} else if changes := w.changes(p); len(p.paired) > 0 && len(changes) == len(p.paired) {
		p.ahead = edits.Make(target, changes, p.along.changes, p.along.values, !w.req.NoDiff)
	}
}

// changes says what a service's promotion asks of its target's file.
func (w *planner) changes(p *part) []overlay.Change {
	var changes []overlay.Change
	for _, i := range p.paired {
		if i.digest != "" || w.byTag(i) { // else a verdict says why
			changes = append(changes, i.change(w.pinned(i)))
		}
	}
	return changes
}

// take puts an edit of a file into the plan. before is what the file was.
func (p *part) take(before []byte) error {
	made := p.ahead
	if made.Err != nil {
		return made.Err
	}
	p.plan.write = p.working == nil
	p.plan.Changes, p.plan.Diff = made.Changes, made.Diff
	if made.Changed {
		p.plan.file = File{Path: p.plan.Target, Data: made.After, Old: before}
	}
	return nil
}

// edited gives the files that a service's promotion would write, for gates that look at
// what comes of it. The edits of the draft may be made anew meanwhile.
func (w *planner) edited(c *draft) func() ([]File, error) {
	made, targets, copies := make([]*edits.Made, len(c.parts)), make([]string, len(c.parts)), slices.Clone(c.plan.Copies)
	for n, p := range c.parts {
		made[n], targets[n] = p.ahead, p.plan.Target
	}
	return sync.OnceValues(func() (out []File, err error) {
		for n, p := range c.parts {
			i := slices.IndexFunc(out, func(f File) bool { return f.Path == targets[n] })
			if i < 0 {
				i, out = len(out), append(out, File{Path: targets[n], Data: p.target, Old: p.target})
			}
			edit, changes := made[n], w.changes(p)
			if edit == nil || slices.Contains(targets[:n], targets[n]) || !slices.Equal(edit.Asked, changes) {
				if edit, err = w.editIn(p, targets[n], out[i].Data, changes); err != nil {
					return nil, err
				}
			}
			if edit.Err != nil {
				return nil, edit.Err
			}
			out[i].Data = edit.After
		}
		for _, f := range copies {
			if f.Changed {
				out = append(out, File{Path: f.Target, Data: f.data, Old: f.old})
			}
		}
		return out, nil
	})
}
