// Package edits makes edits of files that are kept without the syntax that they were made
// with, which is many times as large.
package edits

import (
	"fmt"
	"slices"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/leftbehind"
)

// Made is an edit that was made, or Err says why it was not.
type Made struct {
	// Asked are the changes of images that were asked for.
	Asked   []overlay.Change
	Changes []overlay.FieldChange
	Diff    string
	After   []byte
	// Changed tells whether any byte differs.
	Changed bool
	Notes   []string
	Err     error
}

// aliased is the error of an edit that would change more than it names.
type aliased struct{ warning string }

func (a aliased) Error() string {
	return a.warning + "; a promotion changes the images that it names and no others"
}

// HintText says what to do.
func (aliased) HintText() string { return "write the value in place of the alias" }

// Make makes the changes of images, and others and values with them.
func Make(target *overlay.File, asked, others []overlay.Change, values []overlay.ValueChange, diff bool) *Made {
	edit, err := target.Edit(overlay.Request{Changes: slices.Concat(asked, others), Values: values})
	if err == nil && len(edit.Warnings) > 0 {
		err = aliased{fmt.Sprint(edit.Warnings[0])}
	}
	if err != nil {
		return &Made{Asked: asked, Err: err}
	}
	made := &Made{Asked: asked, Changes: edit.Changes, After: edit.After.Bytes(), Changed: edit.Changed()}
	finder := leftbehind.Finder{File: edit.After}
	made.Notes = append(edit.Notes, finder.Notes(asked, edit.Before.Images(), edit.After.Images())...)
	if made.Changed && diff {
		made.Diff = edit.Diff()
	}
	return made
}

// Part is what is asked of a file for one of those who share it.
type Part struct {
	File          *overlay.File
	Asked, Others []overlay.Change
	Values        []overlay.ValueChange
	// Taken says that what comes after it stands upon it.
	Taken bool
}

// Together makes all parts of a file, each as if it was made of what those before it have
// made that are taken; but all that is taken is what is made of the file in the end. It is nil where
// they have to be made one by one; see overlay.Series.
func Together(parts []Part, diff bool) []*Made {
	target := parts[0].File
	if len(parts) == 1 || target == nil || slices.ContainsFunc(parts, func(p Part) bool { return p.File != target }) {
		return nil
	}
	var all, taken []overlay.Request
	for _, p := range parts {
		r := overlay.Request{Changes: slices.Concat(p.Asked, p.Others), Values: p.Values}
		if all = append(all, r); p.Taken {
			taken = append(taken, r)
		}
	}
	series := target.Series(all)
	if series == nil {
		return nil
	}
	with, without := series.After, series.After
	if len(taken) < len(all) {
		rest := target.Series(taken)
		if rest == nil {
			return nil
		}
		without = rest.After
	}
	made, finder := make([]*Made, len(parts)), leftbehind.Finder{File: target}
	for n, p := range parts {
		step, after, known := series.Step(n), with, true
		finder.At = func(at overlay.Position) overlay.Position {
			at, ok := series.Position(n, at)
			known = known && ok
			return at
		}
		notes := finder.Notes(p.Asked, step.Before, step.After)
		if !known {
			return nil
		}
		if p.Taken {
			series.Take(n)
			after = without
		}
		made[n] = &Made{Asked: p.Asked, Changes: step.Changes, After: after.Bytes(), Changed: step.Diff != "", Notes: notes}
		if diff {
			made[n].Diff = step.Diff
		}
	}
	return made
}
