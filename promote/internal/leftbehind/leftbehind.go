// Package leftbehind finds what an edit of pins has left of the old versions.
package leftbehind

import (
	"fmt"

	"github.com/kubepromote/kubepromote/overlay"
)

// Finder looks through one file for what stays in it.
type Finder struct {
	File *overlay.File
	// At, if not nil, says where a place of the file is after the edit, which is not in it yet.
	At func(overlay.Position) overlay.Position

	versions map[string][]overlay.Mention // by the tag: edits of one file have one tag at times
	others   map[string][]overlay.Pin     // those of no image, by the tag
}

// Notes tells which other versions of the same thing stay after an edit: the image at a place
// that is no pin, and what has the old tag as its version, such as the ref of a remote resource
// or a label. Made are the pins that the edit has made of those that were.
func (f *Finder) Notes(changes []overlay.Change, was, made []overlay.Pin) []string {
	var notes []string
	note := func(p overlay.Position, format string, args ...any) {
		if f.At != nil {
			p = f.At(p)
		}
		notes = append(notes, fmt.Sprintf("%s:%d:%d: ", f.File.Name(), p.Line, p.Col)+fmt.Sprintf(format, args...)+", and stays")
	}
	for _, c := range changes {
		for _, m := range f.File.Mentions(c.Name) {
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
		f.index(old.Tag)
		for _, p := range f.others[old.Tag] {
			note(p.Position, "%s %q has %s, as image %q had", p.Type, p.Name, p.Tag, old.Name)
		}
		for _, m := range f.versions[old.Tag] {
			note(m.Position, "%s has %s, as image %q had", m.Path, m.Text, old.Name)
		}
	}
	return notes
}

// index finds what the file has of a tag.
func (f *Finder) index(tag string) {
	if f.others == nil {
		f.versions, f.others = make(map[string][]overlay.Mention), make(map[string][]overlay.Pin)
		for _, p := range f.File.Pins() {
			if p.Type != overlay.TypeImage {
				f.others[p.Tag] = append(f.others[p.Tag], p)
			}
		}
	}
	if _, known := f.versions[tag]; !known {
		f.versions[tag] = f.File.Versions(tag)
	}
}
