package overlay

import (
	"errors"
	"fmt"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// Set makes all changes in one edit, or none. A change concerns every pin that
// it names; of several changes that name the same, the last counts. A value that
// is already as asked for is left alone, byte for byte. The File itself stays as
// it is.
//
// It is an error, with the place, when nothing is there that a change names and
// it does not say Create; when a value is an alias, a mapping or a list, or
// stands where it cannot be changed alone; and when the new text, parsed again,
// differs in anything but the intended values.
func (f *File) Set(changes ...Change) (*Edit, error) { return f.Edit(Request{Changes: changes}) }

// Request is several changes that make one edit.
type Request struct {
	Changes []Change
	Values  []ValueChange
	// FollowAliases edits the value at the anchor where a value is an alias.
	FollowAliases bool
}

// Edit makes all changes of a request in one edit, or none; see Set.
func (f *File) Edit(r Request) (*Edit, error) {
	e, err := f.edit(r)
	return e, public(err)
}

func (f *File) edit(r Request) (*Edit, error) {
	s := f.setter(r.FollowAliases)
	if err := s.request(r); err != nil {
		return nil, err
	}
	edit, err := s.apply()
	if err != nil {
		return nil, err
	}
	edit.Notes = s.notes
	return edit, edit.create(s.missingValues)
}

func (f *File) setter(followAliases bool) *setter {
	return &setter{
		file: f, edits: make(map[*syntax.Source]*syntax.Edit), result: &Edit{Before: f, After: f},
		want: make(map[string]Pin), written: make(map[*yaml.Node]string), anchors: make(map[*yaml.Node]*anchorEdit), asked: make(map[string]bool), follow: followAliases,
	}
}

// request asks for all changes of a request.
func (s *setter) request(r Request) error {
	s.values = s.values || len(r.Values) > 0
	var errs []error
	var missing []Change
	for _, v := range r.Values {
		errs = append(errs, s.setValue(v))
	}
	for _, c := range lastOfEach(r.Changes) {
		if err := c.check(); err != nil {
			errs = append(errs, s.file.src.Errorf(nil, "", "%v", err))
			continue
		}
		n, err := s.change(c)
		if errs = append(errs, err); err == nil && n == 0 {
			missing = append(missing, c)
		}
	}
	return errors.Join(append(errs, s.create(missing), s.editAnchors())...)
}

// create adds values to what an edit has made. Each sees the keys that those before
// it have added.
func (e *Edit) create(values []ValueChange) error {
	for _, v := range values {
		next, err := e.After.edit(Request{Values: []ValueChange{{Path: v.Path, Text: v.Text, Plain: v.Plain}}})
		if err != nil {
			next, err = e.After.create(v)
		}
		if err != nil {
			return err
		}
		e.After = next.After
		e.Changes, e.Warnings = append(e.Changes, next.Changes...), append(e.Warnings, next.Warnings...)
	}
	return nil
}

// lastOfEach keeps the last change of each name, at the place of the first.
func lastOfEach(changes []Change) []Change {
	at, out := make(map[[3]string]int, len(changes)), make([]Change, 0, len(changes))
	for _, c := range changes {
		key := [3]string{c.Name, c.Path, c.Policy}
		if _, ok := at[key]; !ok {
			at[key] = len(out)
			out = append(out, c)
		}
		out[at[key]] = c
	}
	return out
}

// setter carries one call of Set.
type setter struct {
	file   *File
	edits  map[*syntax.Source]*syntax.Edit
	result *Edit
	want   map[string]Pin // by path: pins that shall differ, as they shall be
	added  []Pin
	follow bool // edit the anchor where a value is an alias
	values bool // scalars are set by path too, and may be parts of pins
	// written holds what scalars are given. A pin whose text stands in one of
	// them, by an alias or a merge key, follows.
	written map[*yaml.Node]string
	// anchors are the values that aliases of pins stand for, anchored their order.
	anchors  map[*yaml.Node]*anchorEdit
	anchored []*yaml.Node
	asked    map[string]bool  // paths of the pins that changes name
	byName   map[string][]int // indices of the pins
	byPath   map[string]int
	memo     nodes.Memo
	// missingValues are to be added, one after the other, when all else is done.
	missingValues []ValueChange
	notes         []string // for Edit.Notes
}

// edit gives the edit of the file, or of YAML nested in it.
func (s *setter) edit(src *syntax.Source) *syntax.Edit {
	e := s.edits[src]
	if e == nil {
		e = src.Edit()
		s.edits[src] = e
	}
	return e
}

func (s *setter) changed(c FieldChange) { s.result.Changes = append(s.result.Changes, c) }

// setScalar writes one scalar, unless it is as it shall be.
func (s *setter) setScalar(src *syntax.Source, n *yaml.Node, p Pin, field, text string) error {
	if nodes.Text(n) == text && text != "" && !notString(n) {
		return nil
	}
	if now, ok := s.written[nodes.Resolve(n)]; ok && now == text {
		return nil
	}
	change := FieldChange{Image: p.Name, Field: field, Old: nodes.Text(n), New: text, Position: position(src, n)}
	if n.Kind == yaml.AliasNode && !s.follow && field != FieldValue {
		s.borrow(src, n, change)
		return nil
	} else if n.Kind == yaml.AliasNode && s.follow {
		n = n.Alias
		change.Position = position(src, n)
	}
	s.written[n] = text
	s.warnAliases(src, n)
	s.changed(change)
	return s.edit(src).SetScalar(n, text)
}

// warnAliases says that other values follow the one that is changed.
func (s *setter) warnAliases(src *syntax.Source, n *yaml.Node) {
	if n.Anchor != "" && s.memo.Aliases(src, n) > 0 {
		line, col := src.Place(n)
		s.result.Warnings = append(s.result.Warnings, fmt.Sprintf("%s:%d:%d: the aliases of &%s change as well", s.file.Name(), line, col, n.Anchor))
	}
}

// change edits all pins that a change names and tells how many there are.
func (s *setter) change(c Change) (int, error) {
	n := 0
	var errs []error
	s.warnDiffering(c)
	for _, i := range s.sites(c) {
		n++
		s.asked[s.file.pins[i].Path] = true
		if err := s.site(s.file.found.sites[i], c); err != nil {
			errs = append(errs, err)
		}
	}
	return n, errors.Join(errs...)
}

// site makes a change of one site.
func (s *setter) site(st site, c Change) error {
	c, err := s.meaning(st, c)
	if err != nil {
		return err
	}
	now, want := s.file.pins[s.byPath[st.pin().Path]], st.want(c)
	want.Misread = now.Misread
	if l, ok := st.(interface{ loose(Change) bool }); want == now && (!ok || !l.loose(c)) {
		return nil
	}
	if as, ok := s.want[want.Path]; ok && as == want {
		return nil // by another name of it
	} else if ok {
		return s.file.src.Errorf(nil, "ask for one of them", "image %q is to become %s and %s", want.Name, as.Ref(), want.Ref())
	}
	s.want[want.Path] = want
	return st.set(s, c)
}

// warnDiffering says that a change puts one tag where pins of the same name have had
// different ones: a repository may hold an image of each component.
func (s *setter) warnDiffering(c Change) {
	if c.Path != "" || c.Policy != "" {
		return
	}
	var first *Pin
	for _, i := range s.sites(c) {
		p := &s.file.pins[i]
		switch {
		case p.Tag == "" && p.Digest == "": // it has the chart's tag, or none
		case first == nil:
			first = p
		case p.Tag != first.Tag || p.Digest != first.Digest && p.Digest != "" && first.Digest != "":
			s.notes = append(s.notes, fmt.Sprintf("%s:%d:%d: image %q had %s here and %s at line %d: the change is made to both, as one name stands for both",
				s.file.Name(), p.Position.Line, p.Position.Col, p.Name, Pin{Tag: p.Tag, Digest: p.Digest}.Ref(), Pin{Tag: first.Tag, Digest: first.Digest}.Ref(), first.Position.Line))
			return
		}
	}
}

// sites gives the indices of the pins that a change names.
func (s *setter) sites(c Change) []int {
	if s.byName == nil {
		s.byName, s.byPath = make(map[string][]int), make(map[string]int)
		for i, p := range s.file.pins {
			s.byPath[p.Path] = i
			s.byName[p.Name] = append(s.byName[p.Name], i)
		}
	}
	var out []int
	if c.Path == "" && c.Policy == "" {
		for _, i := range s.byName[c.Name] {
			if c.names(s.file.pins[i]) {
				out = append(out, i)
			}
		}
		return out
	}
	if c.Path != "" {
		if i, ok := s.byPath[c.Path]; ok {
			out = append(out, i)
		}
		return out
	}
	for i, p := range s.file.pins {
		if c.names(p) {
			out = append(out, i)
		}
	}
	return out
}

// meaning gives what a change means for one site, where it names pins that may be
// of any type.
func (s *setter) meaning(st site, c Change) (Change, error) {
	if c.Path == "" && c.Policy == "" {
		return c, nil
	}
	if p := st.pin(); c.Tag.op == to {
		if err := reference.CheckTag(string(p.Type), p.Type == TypeImage, c.Tag.text, p.Name); err != nil {
			return c, &Error{File: s.file.Name(), Line: p.Position.Line, Col: p.Position.Col, Msg: err.Error()}
		}
	}
	if c.Policy == "" {
		return c, nil
	}
	return s.file.found.byPolicy(st, c)
}

// create adds entries for what is not there, or says that it is missing.
func (s *setter) create(missing []Change) error {
	var creatable []Change
	var errs []error
	for _, c := range missing {
		if c.Create && c.Name != "" && len(s.file.found.homes) == 1 {
			creatable = append(creatable, c)
		} else {
			errs = append(errs, s.missing(c, len(errs) < mostHints))
		}
	}
	if len(creatable) > 0 {
		pins, err := s.file.found.homes[0].add(s, creatable)
		if err != nil {
			errs = append(errs, err)
		}
		s.added = append(s.added, pins...)
	}
	return errors.Join(errs...)
}

// mostHints is for how many names that are missing a similar one is looked for.
const mostHints = 20

// missing says that nothing is there that a change names, and what is near.
func (s *setter) missing(c Change, hint bool) error {
	var names []string
	for _, p := range s.file.pins {
		switch {
		case !hint:
		case c.Path != "":
			names = append(names, p.Path)
		case c.Policy != "":
			names = append(names, p.Policy)
		case p.Type == c.kind():
			names = append(names, p.Name)
		}
	}
	what, name := string(c.kind()), c.Name
	switch {
	case c.Path != "":
		what, name = "path", c.Path
	case c.Policy != "":
		what, name = "marker of policy", c.Policy
	}
	for _, u := range s.file.found.unread {
		if c.Path == u.Path || reference.Begins(u.Text, c.Name) {
			return &syntax.Error{File: s.file.Name(), Line: u.Position.Line, Col: u.Position.Col, Msg: fmt.Sprintf("%s %q stands here as %q, which cannot be read as an image", what, name, u.Text), Hint: "write a tag of letters, digits, _, . and - there"}
		}
	}
	var at *yaml.Node
	if docs := s.file.src.Docs; len(docs) > 0 {
		at = docs[0]
	}
	if homes := s.file.found.homes; len(homes) > 0 {
		at = homes[0].node()
	}
	return s.file.src.Errorf(at, "", "%s %q has no entry here%s", what, name, spelling.Question(name, names))
}

// apply makes the edits of nested YAML first, then those of the file around it.
func (s *setter) apply() (*Edit, error) {
	for i := len(s.file.found.nested) - 1; i >= 0; i-- {
		n := s.file.found.nested[i]
		inner := s.edits[n.inner]
		if inner == nil {
			continue
		}
		s.warnAliases(n.outer, n.node)
		if err := s.edit(n.outer).ReplaceNested(n.node, inner); err != nil {
			return nil, err
		}
	}
	edit := s.edits[s.file.src]
	if edit == nil {
		return s.result, s.checkMeaning()
	}
	after, err := edit.Apply()
	if err != nil {
		return s.result, err
	}
	if after != s.file.src {
		if s.result.After, err = s.file.opts.parse(after); err != nil {
			return nil, err
		}
	}
	return s.result, s.checkMeaning()
}

// checkMeaning compares the pins after with the ones before: the syntax may be as
// intended and the meaning not, as when a removed field uncovers the one of a
// merge key. Where an anchor was changed, other pins may follow it, and where entries
// of a kustomization apply to what others make, those.
func (s *setter) checkMeaning() error {
	if s.values {
		return nil // a scalar set by its path may be any part of a pin
	}
	want, follows := make(map[string]Pin), make(map[string]bool)
	for i, p := range append(s.file.pins[:len(s.file.pins):len(s.file.pins)], s.added...) {
		if w, ok := s.want[p.Path]; ok {
			p = w
		}
		want[p.Path] = p
		follows[p.Path] = i < len(s.file.pins) && chained(s.file, i) != nil
	}
	for i, got := range s.result.After.pins {
		w, ok := want[got.Path]
		delete(want, got.Path)
		_, changes := s.want[got.Path]
		by := chained(s.result.After, i)
		chain := by != nil || follows[got.Path]
		if ok && got.Ref() != s.refBefore(got.Path) && !s.asked[got.Path] && (chain || changes) {
			s.result.Warnings = append(s.result.Warnings, fmt.Sprintf("%s:%d:%d: image %q becomes %s as well, as entries apply one after the other",
				s.file.Name(), got.Position.Line, got.Position.Col, got.Name, got.Ref()))
		}
		if !changes && (chain || len(s.result.Warnings) > 0) {
			continue
		}
		w.Position, w.Misread, w.Unknown = got.Position, got.Misread, got.Unknown
		switch {
		case ok && got == w:
			continue
		case by != nil && w.Tag+w.Digest == "" && got.NewName == w.NewName:
			continue // a name alone was asked for
		}
		msg, hint := fmt.Sprintf("refused: image %q would become %s, not %s", got.Name, got.Ref(), w.Ref()), "write the entry's fields here in place of << and *"
		if by != nil {
			msg += fmt.Sprintf(": the entry for %q at line %d applies to it as well", by.p.Name, by.p.Position.Line)
			hint = fmt.Sprintf("%s sets what they make together", Pin{Name: w.Name + "=*", Tag: w.Tag, Digest: w.Digest}.Ref())
		}
		return &Error{File: s.file.Name(), Line: got.Position.Line, Col: got.Position.Col, Msg: msg, Hint: hint}
	}
	for path, w := range want {
		return s.file.src.Errorf(nil, "edit the file by hand", "refused: %q at %s would be gone", w.Name, path)
	}
	return nil
}

// chained gives the entry that is the last to apply to what the pin of an index
// makes; nil where there is none.
func chained(f *File, i int) *fieldsSite {
	if c, ok := f.found.sites[i].(*chainedSite); ok {
		return c.by
	}
	return nil
}

// refBefore gives the image at a path as it was.
func (s *setter) refBefore(path string) string {
	if i, ok := s.byPath[path]; ok {
		return s.file.pins[i].Ref()
	}
	return ""
}
