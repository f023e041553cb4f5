package promote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubepromote/kubepromote/overlay"
)

// edit makes the edits of all services that nothing refuses, as far as they were
// not made ahead.
func (w *planner) edit(ctx context.Context) error {
	drafts := slices.Clone(w.drafts)
	errs := each(ctx, len(drafts), func(n int) error {
		c := drafts[n]
		changes := w.changes(c)
		for _, i := range c.images {
			i.plan.New = w.pinned(i)
			c.plan.Images = append(c.plan.Images, i.plan)
		}
		if c.ahead == nil || !slices.Equal(c.ahead.asked, changes) {
			target, err := w.Pipeline.Spec.parse(c.plan.TargetFile, c.target)
			if err != nil {
				return err
			}
			c.ahead = w.makeEdit(target, changes)
		}
		return w.take(c, c.ahead)
	})
	for n, err := range errs {
		errs[n] = w.setAside(drafts[n].plan.Service, err)
	}
	return errors.Join(errs...)
}

// editAhead makes the edit while the target's syntax is at hand, which is many
// times as large as the file and is not kept. What registries and verifiers say
// later seldom changes what is written: where it does, the edit is made again.
func (w *planner) editAhead(c *draft, target *overlay.File) {
	if changes := w.changes(c); len(c.images) > 0 && len(changes) == len(c.images) {
		c.ahead = w.makeEdit(target, changes)
	}
}

// changes says what a service's promotion asks of its target's file.
func (w *planner) changes(c *draft) []overlay.Change {
	var changes []overlay.Change
	for _, i := range c.images {
		if i.digest != "" || w.Pipeline.Spec.Pin == PinTag { // else a verdict says why
			changes = append(changes, i.change(w.pinned(i)))
		}
	}
	return changes
}

// madeEdit is an edit without the syntax that it was made with.
type madeEdit struct {
	asked   []overlay.Change
	changes []overlay.FieldChange
	diff    string
	after   []byte
	notes   []string
	err     error
}

func (w *planner) makeEdit(target *overlay.File, changes []overlay.Change) *madeEdit {
	edit, err := target.Set(changes...)
	if err == nil && len(edit.Warnings) > 0 {
		err = failure("write the value in place of the alias", "%s; a promotion changes the images that it names and no others", edit.Warnings[0])
	}
	if err != nil {
		return &madeEdit{asked: changes, err: err}
	}
	made := &madeEdit{asked: changes, changes: edit.Changes, after: edit.After.Bytes(), notes: append(edit.Notes, leftBehind(edit, changes)...)}
	if edit.Changed() && !w.req.NoDiff {
		made.diff = edit.Diff()
	}
	return made
}

// take puts an edit into the plan.
func (w *planner) take(c *draft, made *madeEdit) error {
	if made.err != nil {
		return made.err
	}
	c.plan.Warnings = append(c.plan.Warnings, made.notes...)
	c.plan.write = c.working == nil
	if c.working != nil && !bytes.Equal(c.working, made.after) {
		if len(c.plan.Verdicts) == 0 {
			return uncommitted(c.plan.TargetFile, "modified")
		}
		return nil // refused anyway
	}
	c.plan.Changes, c.plan.Diff = made.changes, made.diff
	if !bytes.Equal(c.target, made.after) {
		c.plan.file = File{Path: c.plan.TargetFile, Data: made.after, Old: c.target}
	}
	return nil
}

// leftBehind tells which other versions of the same thing stay in the target's file:
// the image at a place that is no pin, and what has the old tag as its version, such
// as the ref of a remote resource or a label.
func leftBehind(edit *overlay.Edit, changes []overlay.Change) []string {
	file := edit.After
	var notes []string
	note := func(p overlay.Position, format string, args ...any) {
		notes = append(notes, fmt.Sprintf("%s:%d:%d: ", file.Name(), p.Line, p.Col)+fmt.Sprintf(format, args...)+", and stays")
	}
	for _, c := range changes {
		for _, m := range file.Mentions(c.Name) {
			if c.Over(m.Text) != m.Text {
				note(m.Position, "%s has %s", m.Path, m.Text)
			}
		}
	}
	told := make(map[string]bool)
	for i, old := range edit.Before.Images() {
		now := edit.After.Images()
		if i >= len(now) || old.Tag == now[i].Tag || old.Tag == "" || told[old.Tag] {
			continue
		}
		told[old.Tag] = true
		for _, p := range file.Pins() {
			if p.Type != overlay.TypeImage && p.Tag == old.Tag {
				note(p.Position, "%s %q has %s, as image %q had", p.Type, p.Name, p.Tag, old.Name)
			}
		}
		for _, m := range file.Versions(old.Tag) {
			note(m.Position, "%s has %s, as image %q had", m.Path, m.Text, old.Name)
		}
	}
	return notes
}
