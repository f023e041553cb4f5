// Package leftbehind finds what an edit of pins has left of the old versions.
package leftbehind

import (
	"fmt"

	"github.com/kubepromote/kubepromote/overlay"
)

// Notes tells which other versions of the same thing stay in the target's file after an
// edit, which made is out of was:
// the image at a place that is no pin, and what has the old tag as its version, such
// as the ref of a remote resource or a label. Where at is not nil, the file is that before the
// edit, and at says where its places are afterwards.
func Notes(file *overlay.File, changes []overlay.Change, was, made []overlay.Pin, at func(overlay.Position) overlay.Position) []string {
	var notes []string
	note := func(p overlay.Position, format string, args ...any) {
		if at != nil {
			p = at(p)
		}
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
	for i, old := range was {
		if i >= len(made) || old.Tag == made[i].Tag || old.Tag == "" || told[old.Tag] {
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
