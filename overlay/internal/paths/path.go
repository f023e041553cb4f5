// Package paths is the grammar of paths to values in a file, and the search by them.
package paths

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
)

// Expr names values in a file: keys separated by dots, list items in
// brackets, and in front, where a file has several documents, which one.
//
//	spec.replicas               a key in a key
//	metadata.annotations.a\.b   a dot in a key; \[ \: \\ likewise
//	args[2]                     an item by its index, from 0
//	containers[name=web].image  the item that has this field
//	containers[*].image         all items
//	containers[name=*]          all items that have this field
//	config.*                    all keys; \* is the key "*"
//	.                           the document itself
//	doc:1:spec.replicas         in the second document that is not empty
//	Deployment/web:spec         in the documents of this kind and name
type Expr struct {
	Text  string
	Doc   int // -1: any
	Kind  string
	name  string
	Steps []step
}

// step is one key or one selection of list items.
type step struct {
	Key        string
	Index      int    // of an item, where selects is '['
	field, is  string // of an item, where selects is '='
	any        bool   // whatever the field is
	Selects    byte   // 0 for a key, '[' for an index, '=' for a field, '*' for all items, 'k' for all keys, '.' for what is there
	Start, End int    // in the path's text
}

// maxPathLength bounds a path, in bytes, and with it the number of its steps.
const maxPathLength = 4096

// Parse reads a path. Errors name the byte, counted from 1.
func Parse(text string) (Expr, error) {
	p := Expr{Text: text, Doc: -1}
	if len(text) > maxPathLength {
		return p, fmt.Errorf("the path is longer than %d bytes", maxPathLength)
	}
	rest, err := p.prefix(text)
	if err != nil {
		return p, err
	}
	at := len(text) - len(rest)
	if rest == "." {
		p.Steps = []step{{Selects: '.', Start: at, End: at + 1}}
		return p, nil
	}
	for at < len(text) {
		if text[at] == '[' {
			if at, err = p.bracket(at); err != nil {
				return p, err
			}
			continue
		}
		if len(p.Steps) > 0 {
			if text[at] != '.' {
				return p, fmt.Errorf("path %q: byte %d: %q where a dot or a bracket should be", text, at+1, text[at])
			}
			at++
		}
		key, next := unescapeKey(text, at)
		if key == "" {
			return p, fmt.Errorf("path %q: byte %d: an empty key", text, at+1)
		}
		st := step{Key: key, Start: at, End: next}
		if text[at:next] == "*" {
			st.Selects = 'k'
		}
		p.Steps = append(p.Steps, st)
		at = next
	}
	if len(p.Steps) == 0 {
		return p, fmt.Errorf("path %q names nothing", text)
	}
	return p, nil
}

// prefix reads doc:N: or kind/name: and gives what follows.
func (p *Expr) prefix(text string) (string, error) {
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
		p.Doc = n
		return more, nil
	}
	kind, name, ok := strings.Cut(head, "/")
	if !ok || kind == "" || name == "" {
		return "", fmt.Errorf("path %q: byte %d: a colon; want KIND/NAME:PATH or doc:N:PATH, or \\: in a key", text, next+1)
	}
	p.Kind, p.name = kind, name
	return rest, nil
}

// bracket reads [2], [*] or [field=value] at an offset and gives the one behind.
func (p *Expr) bracket(at int) (int, error) {
	inner, end := unescapeUntil(p.Text, at+1, "]")
	if end >= len(p.Text) {
		return 0, fmt.Errorf("path %q: byte %d: the bracket is not closed", p.Text, at+1)
	}
	s := step{Start: at, End: end + 1}
	field, is, isField := strings.Cut(inner, "=")
	switch n, err := strconv.Atoi(inner); {
	case inner == "*":
		s.Selects = '*'
	case err == nil && n >= 0:
		s.Selects, s.Index = '[', n
	case isField && field != "":
		s.Selects, s.field, s.is = '=', field, is
		s.any = is == "*" && p.Text[end-2:end] == "=*"
	default:
		return 0, fmt.Errorf("path %q: byte %d: want [N], [*] or [FIELD=VALUE]", p.Text, at+1)
	}
	p.Steps = append(p.Steps, s)
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

// Match is a value that a path names.
type Match struct {
	Node *yaml.Node
	Path string // in full, with indices in place of selections
	Key  string // the last one; "" for an item
}

// Many tells whether the path may name several values.
func (p Expr) Many() bool {
	return slices.ContainsFunc(p.Steps, func(s step) bool { return s.Selects == '*' || s.Selects == 'k' || s.any })
}

// In tells whether the path is about a document.
func (p Expr) In(index int, root *yaml.Node) bool {
	switch {
	case p.Doc >= 0:
		return index == p.Doc
	case p.Kind != "":
		return root.Kind == yaml.MappingNode && nodes.Text(nodes.Value(root, "kind")) == p.Kind && nodes.Text(nodes.At(root, "metadata", "name")) == p.name
	}
	return true
}

// Find gives the values that the path names below a node.
func (p Expr) Find(root *yaml.Node) []Match {
	matches := []Match{{Node: root}}
	for _, s := range p.Steps {
		var next []Match
		for _, m := range matches {
			next = append(next, s.Find(m)...)
		}
		matches = next
	}
	return matches
}

// Find gives what the step leads to from a match: nothing, one node, or all of a list.
func (s step) Find(m Match) []Match {
	n := nodes.Resolve(m.Node)
	var out []Match
	switch {
	case s.Selects == '.':
		return []Match{{m.Node, ".", ""}}
	case s.Selects == 0:
		if v := nodes.Value(n, s.Key); v != nil {
			return []Match{{v, nodes.Join(m.Path, s.Key), s.Key}}
		}
	case s.Selects == 'k' && n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if k := n.Content[i]; k.Kind == yaml.ScalarNode && k.Value != "" && k.ShortTag() != "!!merge" {
				out = append(out, Match{n.Content[i+1], nodes.Join(m.Path, k.Value), k.Value})
			}
		}
	case s.Selects == '[' && n.Kind == yaml.SequenceNode:
		if s.Index < len(n.Content) {
			return []Match{{n.Content[s.Index], nodes.Item(m.Path, s.Index), ""}}
		}
	case n.Kind == yaml.SequenceNode:
		for i, it := range n.Content {
			if s.Selects == '*' || s.Selects == '=' && s.has(it) {
				out = append(out, Match{it, nodes.Item(m.Path, i), ""})
			}
		}
	}
	return out
}

// has tells whether an item has the field.
func (s step) has(item *yaml.Node) bool {
	text := nodes.Text(nodes.Value(nodes.Resolve(item), s.field))
	return text != "" && (s.any || text == s.is)
}

// KeysFrom gives the keys of a path's steps from one on; false where one of them
// selects an item.
func (p Expr) KeysFrom(step int) ([]string, bool) {
	var keys []string
	for _, st := range p.Steps[step:] {
		if st.Selects != 0 {
			return nil, false
		}
		keys = append(keys, st.Key)
	}
	return keys, true
}

// Cut takes PATH=VALUE apart at the first "=" that stands in no bracket and has no
// backslash before it.
func Cut(arg string) (path, value string, ok bool) {
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
			if depth <= 0 {
				return arg[:i], arg[i+1:], true
			}
		}
	}
	return "", "", false
}
