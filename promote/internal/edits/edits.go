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
	made := &Made{Asked: asked, Changes: edit.Changes, After: edit.After.Bytes(), Notes: append(edit.Notes, leftbehind.Notes(edit, asked)...)}
	if edit.Changed() && diff {
		made.Diff = edit.Diff()
	}
	return made
}
