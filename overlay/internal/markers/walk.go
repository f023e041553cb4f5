package markers

import (
	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
)

// Visitor is told of markers, and of what is nearly one.
type Visitor interface {
	// Found is told of a scalar that has a marker.
	Found(t *nodes.Trail, m Marker)
	// Warn is told what is wrong at a node.
	Warn(n *yaml.Node, text string)
}

// Walk looks at the comments below a node. The parser puts a comment on a
// value's line, or on the header of a block scalar, to the value's LineComment;
// one between a key's line and a value that stands on its own line is the value's
// HeadComment; one above a key, or behind it, is the key's.
func Walk(t *nodes.Trail, to Visitor) {
	n := t.Node
	value(t, to)
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			misplaced(to, k, "behind or above the key of what it is about: write it on the value's line", k.LineComment, k.HeadComment)
			misplaced(to, k, "below what it is about: write it on the value's line", k.FootComment)
			if next := t.Field(k, n.Content[i+1]); next != nil {
				Walk(next, to)
			}
		}
	case yaml.SequenceNode:
		for i, it := range n.Content {
			if next := t.Item(i, it); next != nil {
				Walk(next, to)
			}
		}
	}
}

// value looks at the comments of a value. Where it has one on its line, the one
// above it does not count.
func value(t *nodes.Trail, to Visitor) {
	n := t.Node
	switch {
	case n.Kind == yaml.AliasNode:
		misplaced(to, n, "at an alias: write it at the anchor", n.LineComment, n.HeadComment, n.FootComment)
		return
	case n.Kind != yaml.ScalarNode:
		misplaced(to, n, "at a list or a mapping: write it on the line of a scalar", n.LineComment, n.HeadComment, n.FootComment)
		return
	}
	comment := n.LineComment
	if comment == "" {
		comment = n.HeadComment
	} else {
		misplaced(to, n, "above a value that has another comment on its line, which counts alone", n.HeadComment)
	}
	misplaced(to, n, "below what it is about: write it on the value's line", n.FootComment)
	m, problem := Parse(comment)
	if problem != "" {
		to.Warn(n, "this is no marker of Flux: "+problem)
	}
	if m.Policy != "" {
		to.Found(t, m)
	}
}

func misplaced(to Visitor, n *yaml.Node, where string, comments ...string) {
	for _, c := range comments {
		if Near(c) {
			to.Warn(n, "a marker of Flux stands "+where)
		}
	}
}
