package overlay

import (
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// Set makes all changes in one edit, or none. Of several changes to one image
// the last counts. A value that is already as asked for is left alone, byte for
// byte. The File itself stays as it is.
//
// It is an error, with the place, when an entry is missing and the change does
// not say Create; when a value is an alias, a mapping or a list, or stands where
// it cannot be changed alone; and when the new text, parsed again, differs in
// anything but the intended values.
func (f *File) Set(changes ...Change) (*Edit, error) {
	s := &setter{file: f, edit: f.src.Edit(), result: &Edit{Before: f, After: f}, changes: make(map[string]Change)}
	var errs []error
	for _, c := range lastOfEach(changes) {
		s.changes[c.Name] = c
		if err := c.check(); err != nil {
			errs = append(errs, f.src.Errorf(nil, "", "%v", err))
		} else if err := s.change(c); err != nil {
			errs = append(errs, err)
		}
	}
	if err := s.create(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return s.apply()
}

// lastOfEach keeps the last change of each image, at the place of the first.
func lastOfEach(changes []Change) []Change {
	at := make(map[string]int, len(changes))
	var out []Change
	for _, c := range changes {
		if i, ok := at[c.Name]; ok {
			out[i] = c
			continue
		}
		at[c.Name] = len(out)
		out = append(out, c)
	}
	return out
}

// setter carries one call of Set.
type setter struct {
	file    *File
	edit    *syntax.Edit
	result  *Edit
	changes map[string]Change
	added   [][]syntax.Field // new entries
}

func (s *setter) change(c Change) error {
	for _, e := range s.file.kust.entries {
		if e.image.Name == c.Name {
			return s.changeEntry(e, c)
		}
	}
	if c.Create {
		s.add(c)
		return nil
	}
	k := s.file.kust
	at := k.images
	if at == nil {
		at = k.root
	}
	var names []string
	for _, e := range k.entries {
		names = append(names, e.image.Name)
	}
	return k.src.Errorf(at, "", "image %q has no entry here%s", c.Name, near(c.Name, names))
}

// near names the entries there are, the way an error message ends.
func near(name string, names []string) string {
	if best := Nearest(name, names); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}

// wish is one field's old text and what it shall be; touch is false where the
// change says nothing of it.
type wish struct {
	field, old, text string
	touch            bool
}

// wishes lists the fields of an entry in fieldNames' order, without the name.
func wishes(i Image, c Change) []wish {
	row := func(field, old string, v Value) wish {
		return wish{field, old, v.apply(old), v.op != keep}
	}
	return []wish{
		row("newName", i.NewName, c.NewName),
		row("tagSuffix", i.TagSuffix, c.TagSuffix),
		row("newTag", i.Tag, c.Tag),
		row("digest", i.Digest, c.Digest),
	}
}

// changeEntry edits one existing entry. It holds its fields back until all are
// known, so that a new field finds a key that stays to stand behind.
func (s *setter) changeEntry(e entry, c Change) error {
	kept := make(map[string]bool)
	ws := wishes(e.image, c)
	for _, w := range ws {
		kept[w.field] = w.text != "" || !w.touch
	}
	for _, w := range ws {
		present := e.node != nil && keyIndex(e.node, w.field) >= 0
		if !w.touch || w.text == w.old && (w.text != "" || !present) {
			continue
		}
		if e.node == nil {
			return s.file.src.Errorf(e.item, "write the entry here in place of the alias", "the entry of image %q is an alias of &%s", c.Name, e.item.Value)
		}
		pos, err := s.setField(e, w.field, w.text, kept)
		if err != nil {
			return err
		}
		s.result.Changes = append(s.result.Changes, FieldChange{Image: c.Name, Field: w.field, Old: w.old, New: w.text, Position: pos})
	}
	return nil
}

// setField writes, adds or removes one field and tells where.
func (s *setter) setField(e entry, field, text string, kept map[string]bool) (Position, error) {
	m := e.node
	i := keyIndex(m, field)
	switch {
	case text == "" && i < 0:
		return Position{}, s.file.src.Errorf(m, "write the entry's fields here in place of <<",
			"%s of image %q comes from a merge key and cannot be removed", field, e.image.Name)
	case text == "":
		n := m.Content[i]
		if a := m.Content[i+1].Anchor; a != "" && s.file.aliased(a) {
			return Position{}, s.file.src.Errorf(n, "", "%s of image %q has the anchor &%s, which is used elsewhere", field, e.image.Name, a)
		}
		return Position{n.Line, n.Column}, s.edit.RemoveField(m, i)
	case i < 0:
		err := s.edit.InsertField(m, s.neighbour(m, field, kept), syntax.Field{Key: field, Value: text, Like: s.like(field)})
		return e.image.Position, err
	}
	n := m.Content[i+1]
	if n.Anchor != "" && s.file.aliased(n.Anchor) {
		s.result.Warnings = append(s.result.Warnings, fmt.Sprintf("%s:%d:%d: the aliases of &%s change as well", s.file.Name(), n.Line, n.Column, n.Anchor))
	}
	return Position{n.Line, n.Column}, s.edit.SetScalar(n, text)
}

// neighbour gives the index of the key behind which a new field is placed: the
// nearest one before it in fieldNames' order that stays, or else the last that
// stays.
func (s *setter) neighbour(m *yaml.Node, field string, kept map[string]bool) int {
	best := -1
	for _, name := range fieldNames {
		if name == field {
			break
		}
		if i := keyIndex(m, name); i >= 0 && (name == "name" || kept[name]) {
			best = i
		}
	}
	if best >= 0 {
		return best
	}
	for i := len(m.Content) - 2; i > 0; i -= 2 {
		if stays, known := kept[m.Content[i].Value]; stays || !known {
			return i
		}
	}
	return 0
}

// like finds a value of the same field in another entry, whose quotes a new one
// shall have.
func (s *setter) like(field string) *yaml.Node {
	for _, e := range s.file.kust.entries {
		if e.node == nil {
			continue
		}
		if i := keyIndex(e.node, field); i >= 0 && e.node.Content[i+1].Kind == yaml.ScalarNode {
			return e.node.Content[i+1]
		}
	}
	return nil
}

// add notes a new entry.
func (s *setter) add(c Change) {
	fields := []syntax.Field{{Key: "name", Value: c.Name, Like: s.like("name")}}
	for _, w := range wishes(Image{}, c) {
		if w.text == "" {
			continue
		}
		fields = append(fields, syntax.Field{Key: w.field, Value: w.text, Like: s.like(w.field)})
		s.result.Changes = append(s.result.Changes, FieldChange{Image: c.Name, Field: w.field, New: w.text})
	}
	if len(fields) == 1 {
		s.result.Changes = append(s.result.Changes, FieldChange{Image: c.Name, Field: "name", New: c.Name})
	}
	s.added = append(s.added, fields)
}

// create writes the new entries, and the images field where it is missing.
func (s *setter) create() error {
	k := s.file.kust
	switch {
	case len(s.added) == 0:
		return nil
	case k.images == nil:
		return s.edit.Add(k.root, "images", s.added...)
	case k.images.Kind == yaml.AliasNode:
		return k.src.Errorf(k.images, "write the list here in place of the alias", "images is an alias of &%s", k.images.Value)
	case k.images.Kind == yaml.SequenceNode && len(k.images.Content) > 0:
		return s.edit.Append(k.images, s.added...)
	}
	return s.edit.Fill(k.root, k.index, s.added...)
}

func (s *setter) apply() (*Edit, error) {
	after, err := s.edit.Apply()
	if err != nil {
		return nil, err
	}
	if after == s.file.src {
		return s.result, nil
	}
	k, err := parseKustomization(after)
	if err != nil {
		return nil, err
	}
	f := &File{src: after, kust: k}
	for _, e := range k.entries {
		f.images = append(f.images, e.image)
	}
	s.result.After = f
	if err := s.checkMeaning(); err != nil {
		return nil, err
	}
	return s.result, nil
}

// checkMeaning compares the images after with the ones before: the syntax may be
// as intended and the meaning not, as when a removed field uncovers the one of a
// merge key. Where an anchor was changed, other images may follow it.
func (s *setter) checkMeaning() error {
	for _, got := range s.result.After.images {
		want, _ := s.file.Image(got.Name)
		c, asked := s.changes[got.Name]
		if !asked && len(s.result.Warnings) > 0 {
			continue
		}
		want = Image{
			Format: got.Format, Name: got.Name, Position: got.Position,
			NewName: c.NewName.apply(want.NewName), TagSuffix: c.TagSuffix.apply(want.TagSuffix),
			Tag: c.Tag.apply(want.Tag), Digest: c.Digest.apply(want.Digest),
		}
		if got != want {
			return &Error{
				File: s.file.Name(), Line: got.Position.Line, Col: got.Position.Col,
				Msg:  fmt.Sprintf("refused: image %q would become %s, not %s", got.Name, got.Ref(), want.Ref()),
				Hint: "write the entry's fields here in place of << and *",
			}
		}
	}
	return nil
}

// aliased tells whether anything in the file refers to an anchor.
func (f *File) aliased(anchor string) bool {
	for _, d := range f.src.Docs {
		if refersTo(d, anchor) {
			return true
		}
	}
	return false
}

func refersTo(n *yaml.Node, anchor string) bool {
	if n.Kind == yaml.AliasNode {
		return n.Value == anchor
	}
	for _, c := range n.Content {
		if refersTo(c, anchor) {
			return true
		}
	}
	return false
}
