// Package nodes reads YAML nodes: through aliases and merge keys, and with the path
// at which a node stands.
package nodes

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Resolve gives what an alias stands for.
func Resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// Text gives a scalar's text; "" for null and for what is no scalar.
func Text(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	n = Resolve(n)
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return n.Value
}

// Line gives a scalar's text without the line break that a block scalar has at
// its end.
func Line(n *yaml.Node) string {
	if n != nil && Resolve(n).Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return strings.TrimRight(Text(n), "\n")
	}
	return Text(n)
}

// IsScalar tells whether a node is there and holds a text or a number.
func IsScalar(n *yaml.Node) bool {
	return n != nil && Resolve(n).Kind == yaml.ScalarNode && Resolve(n).ShortTag() != "!!null"
}

// KeyIndex finds a key in a mapping's own content; -1 where there is none.
func KeyIndex(m *yaml.Node, key string) int {
	if m.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if k := m.Content[i]; k.Kind == yaml.ScalarNode && k.Value == key {
			return i
		}
	}
	return -1
}

// Value finds a key's value, looking through merge keys (<<).
func Value(m *yaml.Node, key string) *yaml.Node { return merged(m, key, 0) }

// maxMerges bounds how deep merge keys are followed: anchors can be nested in
// ways that would take for ever.
const maxMerges = 8

func merged(m *yaml.Node, key string, depth int) *yaml.Node {
	if i := KeyIndex(m, key); i >= 0 {
		return m.Content[i+1]
	}
	i := KeyIndex(m, "<<")
	if i < 0 || depth == maxMerges {
		return nil
	}
	from := Resolve(m.Content[i+1])
	sources := []*yaml.Node{from}
	if from.Kind == yaml.SequenceNode {
		sources = from.Content
	}
	for _, src := range sources {
		if v := merged(Resolve(src), key, depth+1); v != nil {
			return v
		}
	}
	return nil
}

// At follows keys from a mapping; nil where one is missing.
func At(n *yaml.Node, keys ...string) *yaml.Node {
	for _, k := range keys {
		if n == nil {
			return nil
		}
		n = Value(Resolve(n), k)
	}
	return n
}

// EscapeKey escapes in a key what has a meaning in paths.
var EscapeKey = strings.NewReplacer(`\`, `\\`, ".", `\.`, "[", `\[`, ":", `\:`)

// Join adds a key to a path, with dots in the key escaped.
func Join(path, key string) string {
	if key = EscapeKey.Replace(key); key == "*" {
		key = `\*`
	}
	if path == "" || path == "." || strings.HasSuffix(path, ":.") { // the document
		return strings.TrimSuffix(path, ".") + key
	}
	return path + "." + key
}

// Item adds a list's index to a path.
func Item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// Trail is the way from where a walk began to a collection. The path is spelled
// out only where a pin is found: most nodes of a file are none.
type Trail struct {
	Up    *Trail
	Node  *yaml.Node // the collection
	base  string     // the path of where the walk began; at the start only
	Key   string     // in a mapping
	Index int        // in a list; -1 in a mapping
	Size  int        // of the path, about
}

// maxPath bounds the length of a path, and with it how deep a walk goes and how
// much memory the paths of a hostile file take. Nobody names a longer one.
const maxPath = 2048

// Start begins a trail at a collection whose path is base.
func Start(node *yaml.Node, base string) *Trail {
	return &Trail{Node: node, base: base, Index: -1, Size: len(base)}
}

// Field steps to a key's value; nil where no path leads there: the key is no
// plain text, is empty, or stands too deep.
func (t *Trail) Field(key, v *yaml.Node) *Trail {
	if key.Kind != yaml.ScalarNode || key.Value == "" || key.ShortTag() == "!!merge" || t.Size+len(key.Value) > maxPath {
		return nil
	}
	return &Trail{Up: t, Node: v, Key: key.Value, Index: -1, Size: t.Size + len(key.Value) + 1}
}

// Item steps to an item of a list; nil where it stands too deep.
func (t *Trail) Item(i int, v *yaml.Node) *Trail {
	if t.Size > maxPath {
		return nil
	}
	return &Trail{Up: t, Node: v, Index: i, Size: t.Size + len("[00]")}
}

// Path spells the way out.
func (t *Trail) Path() string {
	var steps []*Trail
	for ; t.Up != nil; t = t.Up {
		steps = append(steps, t)
	}
	var b strings.Builder
	b.WriteString(t.base)
	for i := len(steps) - 1; i >= 0; i-- {
		switch s := steps[i]; {
		case s.Index >= 0:
			b.WriteString(Item("", s.Index))
		case b.Len() > 0:
			b.WriteString("." + Join("", s.Key))
		default:
			b.WriteString(Join("", s.Key))
		}
	}
	return b.String()
}

// Label is the nearest key on the way: that of a list, for its items.
func (t *Trail) Label() string {
	for t.Index >= 0 && t.Up != nil {
		t = t.Up
	}
	return t.Key
}

// IsText tells whether a node is a string: a number is no reference.
func IsText(n *yaml.Node) bool {
	return n != nil && Resolve(n).Kind == yaml.ScalarNode && Resolve(n).ShortTag() == "!!str"
}

// EachScalar visits the scalars below a node, with the way to each. What an alias
// stands for is visited where it is anchored.
func EachScalar(t *Trail, visit func(*Trail)) {
	switch n := t.Node; n.Kind {
	case yaml.ScalarNode:
		visit(t)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if next := t.Field(n.Content[i], n.Content[i+1]); next != nil {
				EachScalar(next, visit)
			}
		}
	case yaml.SequenceNode:
		for i, it := range n.Content {
			if next := t.Item(i, it); next != nil {
				EachScalar(next, visit)
			}
		}
	}
}
