package nodes

import (
	"slices"

	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// Memo keeps what is asked for again and again in one edit, lest the time grows with
// the square of the images in a file.
type Memo struct {
	likes   map[*[]*yaml.Node]map[string]*yaml.Node
	keys    map[*yaml.Node]map[string]int
	aliases map[*syntax.Source]map[*yaml.Node]int // by the node at the anchor
}

// Like finds a value of the same key in one of the siblings.
func (m *Memo) Like(siblings *[]*yaml.Node, key string) *yaml.Node {
	known := m.likes[siblings]
	if known == nil {
		known = make(map[string]*yaml.Node)
		if m.likes == nil {
			m.likes = make(map[*[]*yaml.Node]map[string]*yaml.Node)
		}
		m.likes[siblings] = known
	}
	n, ok := known[key]
	if !ok {
		n = Like(*siblings, key)
		known[key] = n
	}
	return n
}

// OneStyle tells whether all values have one style that Like has been asked for the keys of,
// those of the siblings as well as those of what became of them; and none of them is gone.
func (m *Memo) OneStyle(after []*yaml.Node, gone func(key string) bool) bool {
	for siblings, keys := range m.likes {
		for key := range keys {
			if styles := slices.Concat(styles(*siblings, key), styles(after, key)); gone(key) || len(slices.Compact(styles)) > 1 {
				return false
			}
		}
	}
	return true
}

// styles are those of the values that siblings have under a key.
func styles(siblings []*yaml.Node, key string) (out []yaml.Style) {
	for _, m := range siblings {
		if v := Like([]*yaml.Node{m}, key); v != nil {
			out = append(out, v.Style)
		}
	}
	return out
}

// Index is keyIndex, for mappings that may be large.
func (m *Memo) Index(n *yaml.Node, key string) int {
	if len(n.Content) < 128 || n.Kind != yaml.MappingNode {
		return KeyIndex(n, key)
	}
	known := m.keys[n]
	if known == nil {
		known = make(map[string]int, len(n.Content)/2)
		for i := len(n.Content) - 2; i >= 0; i -= 2 {
			if k := n.Content[i]; k.Kind == yaml.ScalarNode {
				known[k.Value] = i
			}
		}
		if m.keys == nil {
			m.keys = make(map[*yaml.Node]map[string]int)
		}
		m.keys[n] = known
	}
	if i, ok := known[key]; ok {
		return i
	}
	return -1
}

// Value is the function of the same name, for mappings that may be large.
func (m *Memo) Value(n *yaml.Node, key string) *yaml.Node {
	if i := m.Index(n, key); i >= 0 {
		return n.Content[i+1]
	}
	if m.Index(n, "<<") < 0 {
		return nil
	}
	return Value(n, key)
}

// Aliases tells how many aliases a text has of a node with an anchor.
func (m *Memo) Aliases(src *syntax.Source, anchored *yaml.Node) int {
	known := m.aliases[src]
	if known == nil {
		known = make(map[*yaml.Node]int)
		for _, d := range src.Docs {
			countAliases(d, known)
		}
		if m.aliases == nil {
			m.aliases = make(map[*syntax.Source]map[*yaml.Node]int)
		}
		m.aliases[src] = known
	}
	return known[anchored]
}

// Like finds a value of the same key in one of the siblings.
func Like(siblings []*yaml.Node, key string) *yaml.Node {
	for _, m := range siblings {
		if i := KeyIndex(m, key); i >= 0 && m.Content[i+1].Kind == yaml.ScalarNode {
			return m.Content[i+1]
		}
	}
	return nil
}

func countAliases(n *yaml.Node, known map[*yaml.Node]int) {
	if n.Kind == yaml.AliasNode {
		known[n.Alias]++
	}
	for _, c := range n.Content {
		countAliases(c, known)
	}
}
