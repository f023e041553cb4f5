package overlay

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// trail is the way from where a walk began to a collection. The path is spelled
// out only where a pin is found: most nodes of a file are none.
type trail struct {
	up    *trail
	node  *yaml.Node // the collection
	base  string     // the path of where the walk began; at the start only
	key   string     // in a mapping
	index int        // in a list; -1 in a mapping
	size  int        // of the path, about
}

// maxPath bounds the length of a path, and with it how deep a walk goes and how
// much memory the paths of a hostile file take. Nobody names a longer one.
const maxPath = 2048

func start(node *yaml.Node, base string) *trail {
	return &trail{node: node, base: base, index: -1, size: len(base)}
}

// field steps to a key's value; nil where no path leads there: the key is no
// plain text, is empty, or stands too deep.
func (t *trail) field(key, v *yaml.Node) *trail {
	if key.Kind != yaml.ScalarNode || key.Value == "" || key.ShortTag() == "!!merge" || t.size+len(key.Value) > maxPath {
		return nil
	}
	return &trail{up: t, node: v, key: key.Value, index: -1, size: t.size + len(key.Value) + 1}
}

// item steps to an item of a list; nil where it stands too deep.
func (t *trail) item(i int, v *yaml.Node) *trail {
	if t.size > maxPath {
		return nil
	}
	return &trail{up: t, node: v, index: i, size: t.size + len("[00]")}
}

// path spells the way out.
func (t *trail) path() string {
	var steps []*trail
	for ; t.up != nil; t = t.up {
		steps = append(steps, t)
	}
	var b strings.Builder
	b.WriteString(t.base)
	for i := len(steps) - 1; i >= 0; i-- {
		switch s := steps[i]; {
		case s.index >= 0:
			b.WriteString(item("", s.index))
		case b.Len() > 0:
			b.WriteString("." + join("", s.key))
		default:
			b.WriteString(join("", s.key))
		}
	}
	return b.String()
}

// label is the nearest key on the way: that of a list, for its items.
func (t *trail) label() string {
	for t.index >= 0 && t.up != nil {
		t = t.up
	}
	return t.key
}

// isText tells whether a node is a string: a number is no reference.
func isText(n *yaml.Node) bool {
	return n != nil && resolve(n).Kind == yaml.ScalarNode && resolve(n).ShortTag() == "!!str"
}
