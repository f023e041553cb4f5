package overlay

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// pathExpr names values in a file: keys separated by dots, list items in
// brackets, and in front, where a file has several documents, which one.
//
//	spec.replicas               a key in a key
//	metadata.annotations.a\.b   a dot in a key; \[ \: \\ likewise
//	args[2]                     an item by its index, from 0
//	containers[name=web].image  the item that has this field
//	containers[*].image         all items
//	doc:1:spec.replicas         in the second document that is not empty
//	Deployment/web:spec         in the documents of this kind and name
type pathExpr struct {
	text  string
	doc   int // -1: any
	kind  string
	name  string
	steps []step
}

// step is one key or one selection of list items.
type step struct {
	key        string
	index      int    // of an item, where selects is '['
	field, is  string // of an item, where selects is '='
	selects    byte   // 0 for a key, '[' for an index, '=' for a field, '*' for all
	start, end int    // in the path's text
}

// maxPathLength bounds a path, in bytes, and with it the number of its steps.
const maxPathLength = 4096

// parsePath reads a path. Errors name the byte, counted from 1.
func parsePath(text string) (pathExpr, error) {
	p := pathExpr{text: text, doc: -1}
	if len(text) > maxPathLength {
		return p, fmt.Errorf("the path is longer than %d bytes", maxPathLength)
	}
	rest, err := p.prefix(text)
	if err != nil {
		return p, err
	}
	at := len(text) - len(rest)
	for at < len(text) {
		if text[at] == '[' {
			if at, err = p.bracket(at); err != nil {
				return p, err
			}
			continue
		}
		if len(p.steps) > 0 {
			if text[at] != '.' {
				return p, fmt.Errorf("path %q: byte %d: %q where a dot or a bracket should be", text, at+1, text[at])
			}
			at++
		}
		key, next := unescapeKey(text, at)
		if key == "" {
			return p, fmt.Errorf("path %q: byte %d: an empty key", text, at+1)
		}
		p.steps = append(p.steps, step{key: key, start: at, end: next})
		at = next
	}
	if len(p.steps) == 0 {
		return p, fmt.Errorf("path %q names nothing", text)
	}
	return p, nil
}

// prefix reads doc:N: or kind/name: and gives what follows.
func (p *pathExpr) prefix(text string) (string, error) {
	head, next := unescapeUntil(text, 0, ":")
	if next >= len(text) {
		return text, nil
	}
	rest := text[next+1:]
	if head == "doc" {
		number, more, ok := strings.Cut(rest, ":")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 0 {
			return "", fmt.Errorf("path %q: want doc:N:PATH, with N from 0", text)
		}
		p.doc = n
		return more, nil
	}
	kind, name, ok := strings.Cut(head, "/")
	if !ok || kind == "" || name == "" {
		return "", fmt.Errorf("path %q: byte %d: a colon; want KIND/NAME:PATH or doc:N:PATH, or \\: in a key", text, next+1)
	}
	p.kind, p.name = kind, name
	return rest, nil
}

// bracket reads [2], [*] or [field=value] at an offset and gives the one behind.
func (p *pathExpr) bracket(at int) (int, error) {
	inner, end := unescapeUntil(p.text, at+1, "]")
	if end >= len(p.text) {
		return 0, fmt.Errorf("path %q: byte %d: the bracket is not closed", p.text, at+1)
	}
	s := step{start: at, end: end + 1}
	field, is, isField := strings.Cut(inner, "=")
	switch n, err := strconv.Atoi(inner); {
	case inner == "*":
		s.selects = '*'
	case err == nil && n >= 0:
		s.selects, s.index = '[', n
	case isField && field != "":
		s.selects, s.field, s.is = '=', field, is
	default:
		return 0, fmt.Errorf("path %q: byte %d: want [N], [*] or [FIELD=VALUE]", p.text, at+1)
	}
	p.steps = append(p.steps, s)
	return end + 1, nil
}

// unescapeKey reads a key up to an unescaped dot or bracket.
func unescapeKey(text string, at int) (string, int) { return unescapeUntil(text, at, ".[") }

// unescapeUntil reads up to the first unescaped byte of a set. A backslash takes
// the byte behind it as it is.
func unescapeUntil(text string, at int, stops string) (string, int) {
	var b strings.Builder
	for at < len(text) && strings.IndexByte(stops, text[at]) < 0 {
		if text[at] == '\\' && at+1 < len(text) {
			at++
		}
		b.WriteByte(text[at])
		at++
	}
	return b.String(), at
}

// pathMatch is a value that a path names.
type pathMatch struct {
	node *yaml.Node
	path string // in full, with indices in place of selections
	key  string // the last one; "" for an item
}

// many tells whether the path may name several values.
func (p pathExpr) many() bool {
	for _, s := range p.steps {
		if s.selects == '*' {
			return true
		}
	}
	return false
}

// in tells whether the path is about a document.
func (p pathExpr) in(index int, root *yaml.Node) bool {
	switch {
	case p.doc >= 0:
		return index == p.doc
	case p.kind != "":
		return root.Kind == yaml.MappingNode && textOf(value(root, "kind")) == p.kind && textOf(at(root, "metadata", "name")) == p.name
	}
	return true
}

// find gives the values that the path names below a node.
func (p pathExpr) find(root *yaml.Node) []pathMatch {
	matches := []pathMatch{{node: root}}
	for _, s := range p.steps {
		var next []pathMatch
		for _, m := range matches {
			next = append(next, s.find(m)...)
		}
		matches = next
	}
	return matches
}

func (s step) find(m pathMatch) []pathMatch {
	n := resolve(m.node)
	if s.selects == 0 {
		if v := value(n, s.key); v != nil {
			return []pathMatch{{v, join(m.path, s.key), s.key}}
		}
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil
	}
	var out []pathMatch
	for i, it := range n.Content {
		if s.selects == '*' || s.selects == '[' && i == s.index || s.selects == '=' && textOf(value(resolve(it), s.field)) == s.is && s.is != "" {
			out = append(out, pathMatch{it, item(m.path, i), ""})
		}
	}
	return out
}

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
	// Create adds keys that are missing.
	Create bool
}

// ParseValue reads PATH=VALUE. The path ends at the first "=" that stands in no
// bracket and has no backslash before it.
func ParseValue(arg string) (ValueChange, error) {
	depth := 0
	for i := 0; i < len(arg); i++ {
		switch arg[i] {
		case '\\':
			i++
		case '[':
			depth++
		case ']':
			depth--
		case '=':
			if depth > 0 {
				continue
			}
			v := ValueChange{Path: arg[:i], Text: arg[i+1:]}
			_, err := parsePath(v.Path)
			return v, err
		}
	}
	return ValueChange{}, fmt.Errorf("%q is malformed: want PATH=VALUE", arg)
}

// setValue makes one change of a scalar.
func (s *setter) setValue(v ValueChange) error {
	p, err := parsePath(v.Path)
	if err != nil {
		return s.file.src.Errorf(nil, "", "%v", err)
	}
	var matches []pathMatch
	var docs []*yaml.Node
	for i, root := range s.file.src.Docs {
		if p.in(i, root) {
			docs = append(docs, root)
			matches = append(matches, p.find(root)...)
		}
	}
	switch {
	case len(s.file.src.Docs) == 0 && v.Create, len(matches) == 0 && v.Create && len(docs) == 1:
		s.missingValues = append(s.missingValues, v)
		return nil
	case len(docs) == 0:
		return s.file.src.Errorf(nil, "", "no document is %s", strings.TrimSuffix(p.text[:p.steps[0].start], ":"))
	case len(matches) == 0:
		return s.nothingAt(docs, p)
	case len(matches) > 1 && !p.many():
		return s.file.src.Errorf(matches[1].node, "write [*] for all of them, or doc:N: or KIND/NAME: in front",
			"%s names %d values; the first is at line %d", p.text, len(matches), matches[0].node.Line)
	}
	var errs []error
	for _, m := range matches {
		errs = append(errs, s.setText(m, v.Text))
	}
	return errors.Join(errs...)
}

// setText writes a scalar as a string, or as the number or boolean that it is.
func (s *setter) setText(m pathMatch, text string) error {
	n := m.node
	if n.Kind == yaml.AliasNode && s.follow {
		n = n.Alias
	}
	p := Pin{Name: m.path}
	text, literal := unquote(text)
	plain := ""
	switch {
	case literal || isVersion(m.key, text):
	case n.Kind == yaml.ScalarNode && n.Style == 0 && n.Anchor == "" && n.ShortTag() == "!!null" && syntax.PlainKind(text) != "!!str":
		plain = text
	default:
		plain = syntax.PlainInPlaceOf(n, text)
	}
	if plain == "" {
		return s.setScalar(s.file.src, n, p, FieldValue, text)
	}
	if n.Value == plain {
		return nil
	}
	s.changed(FieldChange{Image: p.Name, Field: FieldValue, Old: n.Value, New: plain, Position: position(s.file.src, n)})
	s.warnAliases(s.file.src, n)
	return s.edit(s.file.src).SetPlain(n, plain)
}

// isVersion tells a text that must be a string where it stands: under a key of
// versions, and another one once it is read as a number, as 1.10 is 1.1.
func isVersion(key, text string) bool {
	if kind, read := syntax.ReadAs(&yaml.Node{Kind: yaml.ScalarNode, Value: text}); kind == "" || read == text {
		return false
	}
	key = strings.ToLower(key)
	for _, end := range []string{"tag", "version", "digest", "revision"} {
		if strings.HasSuffix(key, end) {
			return true
		}
	}
	return false
}

// unquote takes the double quotes off a text that is in them.
func unquote(text string) (string, bool) {
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		return text[1 : len(text)-1], true
	}
	return text, false
}

// nothingAt says how far a path leads and what is there.
func (s *setter) nothingAt(docs []*yaml.Node, p pathExpr) error {
	best, at := 0, docs[0]
	for _, root := range docs {
		matches := []pathMatch{{node: root}}
		for i, st := range p.steps {
			var next []pathMatch
			for _, m := range matches {
				next = append(next, st.find(m)...)
			}
			if len(next) == 0 {
				break
			}
			if i+1 > best {
				best, at = i+1, next[0].node
			}
			matches = next
		}
	}
	st := p.steps[best]
	where := "the document"
	if best > 0 {
		where = p.text[p.steps[0].start:p.steps[best-1].end]
	}
	n := resolve(at)
	missing := strings.TrimPrefix(p.text[st.start:st.end], ".")
	if st.selects != 0 || n.Kind != yaml.MappingNode {
		return s.file.src.Errorf(at, "", "%s leads nowhere: %s is a %s and has no %s", p.text, where, syntax.KindName(n), missing)
	}
	var names []string
	for i := 0; i < len(n.Content); i += 2 {
		names = append(names, n.Content[i].Value)
	}
	hint := "--create adds it"
	if near := spelling.Nearest(st.key, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return s.file.src.Errorf(at, hint, "%s leads nowhere: %s has no key %q", p.text, where, st.key)
}

// create adds the keys that are missing on the way to a scalar, and gives the file
// with them.
func (f *File) create(v ValueChange) (*Edit, error) {
	p, err := parsePath(v.Path)
	if err != nil {
		return nil, f.src.Errorf(nil, "", "%v", err)
	}
	text, literal := unquote(v.Text)
	literal = literal || isVersion(p.steps[len(p.steps)-1].key, text)
	edit := &Edit{Before: f, Changes: []FieldChange{{Image: p.text, Field: FieldValue, New: text}}}
	var after *syntax.Source
	if len(f.src.Docs) == 0 {
		keys, ok := p.keysFrom(0)
		if !ok || p.kind != "" || p.doc > 0 {
			return nil, f.src.Errorf(nil, "", "%s leads nowhere: the file is empty", p.text)
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

// keysFrom gives the keys of a path's steps from one on; false where one of them
// selects an item.
func (p pathExpr) keysFrom(step int) ([]string, bool) {
	var keys []string
	for _, st := range p.steps[step:] {
		if st.selects != 0 {
			return nil, false
		}
		keys = append(keys, st.key)
	}
	return keys, true
}

// createBelow adds keys to the mapping that a path leads to, or to a null there.
func (f *File) createBelow(p pathExpr, text string, literal bool) (*syntax.Source, error) {
	s := &setter{file: f}
	var docs []*yaml.Node
	for i, root := range f.src.Docs {
		if p.in(i, root) {
			docs = append(docs, root)
		}
	}
	at, parent, have := pathMatch{node: docs[0]}, (*yaml.Node)(nil), 0
	for _, st := range p.steps {
		next := st.find(at)
		if len(next) != 1 || at.node.Kind == yaml.AliasNode {
			break
		}
		parent, at = at.node, next[0]
		have++
	}
	keys, ok := p.keysFrom(have)
	if !ok || len(keys) == 0 || at.node.Kind == yaml.AliasNode {
		return nil, s.nothingAt(docs, p)
	}
	e := f.src.Edit()
	switch null := at.node.Kind == yaml.ScalarNode && at.node.ShortTag() == "!!null"; {
	case at.node.Kind == yaml.MappingNode:
		if err := e.Create(at.node, keys, text, literal); err != nil {
			return nil, err
		}
	case null && parent != nil && keyIndex(parent, at.key) >= 0:
		if err := e.CreateInNull(parent, keyIndex(parent, at.key), keys, text, literal); err != nil {
			return nil, err
		}
	case null:
		return nil, f.src.Errorf(at.node, "write {} there", "%s has no value that keys can be added to", p.text)
	default:
		return nil, s.nothingAt(docs, p)
	}
	return e.Apply()
}

// CheckPath tells what is wrong with a path, or nil. Paths are what
// ValueChange.Path and Options.Images take.
func CheckPath(path string) error {
	_, err := parsePath(path)
	return err
}
