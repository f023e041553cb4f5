package overlay

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/paths"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// ValueChange sets one scalar of a file, whatever it means.
type ValueChange struct {
	// Path names the scalar; see docs/editing.md for its form.
	Path string
	// Text is what it shall be. Where the value is a number or a boolean, and Text
	// is one too, it is written as one, and so it is where there is no value yet. In
	// double quotes it is always a string, and so is what another text would be read
	// from under a key that ends in tag, version, digest or revision, such as 1.10.
	// Otherwise it is a string.
	Text string
	// Plain writes a Text that is a number or a boolean as one, whatever stands there.
	Plain bool
	// Create adds keys that are missing.
	Create bool
}

// ParseValue reads PATH=VALUE. The path ends at the first "=" that stands in no
// bracket and has no backslash before it.
func ParseValue(arg string) (ValueChange, error) {
	path, text, ok := paths.Cut(arg)
	if !ok {
		return ValueChange{}, fmt.Errorf("%q is malformed: want PATH=VALUE", arg)
	}
	_, err := paths.Parse(path)
	return ValueChange{Path: path, Text: text}, err
}

// setValue makes one change of a scalar.
func (s *setter) setValue(v ValueChange) error {
	p, err := paths.Parse(v.Path)
	if err != nil {
		return s.file.src.Errorf(nil, "", "%v", err)
	}
	docs, matches := p.Of(s.file.src.Docs), p.FindAll(s.file.src.Docs)
	switch {
	case len(s.file.src.Docs) == 0 && v.Create, len(matches) == 0 && v.Create && len(docs) == 1:
		s.missingValues = append(s.missingValues, v)
		return nil
	case len(docs) == 0:
		return s.file.src.Errorf(nil, "", "no document is %s", strings.TrimSuffix(p.Text[:p.Steps[0].Start], ":"))
	case len(matches) == 0:
		return s.nothingAt(docs, p)
	case len(matches) > 1 && !p.Many():
		return s.file.src.Errorf(matches[1].Node, "write [*] for all of them, or doc:N: or KIND/NAME: in front",
			"%s names %d values; the first is at line %d", p.Text, len(matches), matches[0].Node.Line)
	}
	var errs []error
	for _, m := range matches {
		errs = append(errs, s.setText(m, v.Text, v.Plain))
	}
	return errors.Join(errs...)
}

// setText writes a scalar as a string, or as the number or boolean that it is.
func (s *setter) setText(m paths.Match, text string, asPlain bool) error {
	n := m.Node
	if n.Kind == yaml.AliasNode && s.follow {
		n = n.Alias
	}
	p := Pin{Name: m.Path}
	text, literal := syntax.Unquote(text)
	plain := ""
	switch {
	case asPlain && n.Kind == yaml.ScalarNode && n.Style&yaml.TaggedStyle == 0 && n.Value != "" && syntax.PlainKind(text) != "!!str":
		plain = text
	case literal || syntax.IsVersion(m.Key, text):
	case n.Kind == yaml.ScalarNode && n.Style == 0 && n.Anchor == "" && n.ShortTag() == "!!null" && syntax.PlainKind(text) != "!!str":
		plain = text
	default:
		plain = syntax.PlainInPlaceOf(n, text)
	}
	if text == "" && nodes.IsText(n) && nodes.Text(n) == "" {
		return nil
	}
	if plain == "" {
		return s.setScalar(s.file.src, n, p, FieldValue, text)
	}
	if n.Value == plain && (n.Style == 0 || !asPlain) {
		return nil
	}
	s.changed(FieldChange{Image: p.Name, Field: FieldValue, Old: n.Value, New: plain, Position: position(s.file.src, n)})
	s.warnAliases(s.file.src, n)
	return s.edit(s.file.src).SetPlain(n, plain)
}

// nothingAt says how far a path leads and what is there.
func (s *setter) nothingAt(docs []*yaml.Node, p paths.Expr) error {
	best, at := p.Reach(docs)
	st := p.Steps[best]
	where := "the document"
	if best > 0 {
		where = p.Text[p.Steps[0].Start:p.Steps[best-1].End]
	}
	n := nodes.Resolve(at)
	missing := strings.TrimPrefix(p.Text[st.Start:st.End], ".")
	if st.Selects != 0 || n.Kind != yaml.MappingNode {
		return s.file.src.Errorf(at, "", "%s leads nowhere: %s is a %s and has no %s", p.Text, where, syntax.KindName(n), missing)
	}
	var names []string
	for i := 0; i < len(n.Content); i += 2 {
		names = append(names, n.Content[i].Value)
	}
	hint := "--create adds it"
	if near := spelling.Nearest(st.Key, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return s.file.src.Errorf(at, hint, "%s leads nowhere: %s has no key %q", p.Text, where, st.Key)
}

// create adds the keys that are missing on the way to a scalar, and gives the file
// with them.
func (f *File) create(v ValueChange) (*Edit, error) {
	p, err := paths.Parse(v.Path)
	if err != nil {
		return nil, f.src.Errorf(nil, "", "%v", err)
	}
	text, literal := syntax.Unquote(v.Text)
	literal = literal || !v.Plain && syntax.IsVersion(p.Steps[len(p.Steps)-1].Key, text)
	edit := &Edit{Before: f, Changes: []FieldChange{{Image: p.Text, Field: FieldValue, New: text}}}
	var after *syntax.Source
	if len(f.src.Docs) == 0 {
		keys, ok := p.KeysFrom(0)
		if !ok || p.Kind != "" || p.Doc > 0 {
			return nil, f.src.Errorf(nil, "", "%s leads nowhere: the file is empty", p.Text)
		}
		after, err = f.src.CreateDocument(keys, text, literal)
	} else {
		after, err = f.createBelow(p, text, literal)
	}
	if err != nil {
		return nil, err
	}
	edit.After, err = f.opts.parse(after)
	return edit, err
}

// createBelow adds keys to the mapping that a path leads to, or to a null there.
func (f *File) createBelow(p paths.Expr, text string, literal bool) (*syntax.Source, error) {
	s := &setter{file: f}
	docs := p.Of(f.src.Docs)
	at, parent, have := p.Way(docs[0])
	keys, ok := p.KeysFrom(have)
	if !ok || len(keys) == 0 || at.Node.Kind == yaml.AliasNode {
		return nil, s.nothingAt(docs, p)
	}
	e := f.src.Edit()
	switch null := at.Node.Kind == yaml.ScalarNode && at.Node.ShortTag() == "!!null"; {
	case at.Node.Kind == yaml.MappingNode:
		if err := e.Create(at.Node, keys, text, literal); err != nil {
			return nil, err
		}
	case null && parent != nil && nodes.KeyIndex(parent, at.Key) >= 0:
		if err := e.CreateInNull(parent, nodes.KeyIndex(parent, at.Key), keys, text, literal); err != nil {
			return nil, err
		}
	case null:
		return nil, f.src.Errorf(at.Node, "write {} there", "%s has no value that keys can be added to", p.Text)
	default:
		return nil, s.nothingAt(docs, p)
	}
	return e.Apply()
}

// CheckPath tells what is wrong with a path, or nil. Paths are what
// ValueChange.Path and ImagePath.Path take.
func CheckPath(path string) error {
	_, err := paths.Parse(path)
	return err
}
