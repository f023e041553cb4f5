package paths

import (
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
)

// Namer gives paths names. What it has found out of a list it keeps: a file may have as many
// paths as lists have items.
type Namer struct {
	docs  []*yaml.Node
	mu    sync.Mutex
	names map[*yaml.Node]map[string][]int // of each list, which items have it
	kinds map[[2]string]int               // of the documents, how many have this kind and name
	memo  nodes.Memo
}

// NewNamer makes one for the documents of a file.
func NewNamer(docs []*yaml.Node) *Namer {
	return &Namer{docs: docs, names: make(map[*yaml.Node]map[string][]int)}
}

// Named gives a path with names in place of positions, as far as there are any; the path
// itself where it leads nowhere.
func (n *Namer) Named(path string) string {
	outer, inner, nested := strings.Cut(path, "|")
	expr, err := Parse(outer)
	if err != nil || max(expr.Doc, 0) >= len(n.docs) {
		return path
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var b strings.Builder
	node := n.docs[max(expr.Doc, 0)]
	b.WriteString(n.documentPrefix(expr))
	for _, s := range expr.Steps {
		text := outer[s.Start:s.End]
		if s.Selects == 0 && s.Start > expr.Steps[0].Start {
			text = "." + text
		}
		if s.Selects == '[' {
			if name := n.uniqueName(nodes.Resolve(node), s.Index); name != "" {
				text = Item("", name)
			}
		}
		b.WriteString(text)
		if node = n.first(s, node); node == nil {
			return path
		}
	}
	if nested {
		b.WriteString("|" + inner)
	}
	return b.String()
}

var nameEscapes = strings.NewReplacer(`\`, `\\`, "]", `\]`, ":", `\:`)

// Item gives the path of a list's item by its name.
func Item(list, name string) string {
	if strings.ContainsAny(name, `\]:`) {
		name = nameEscapes.Replace(name)
	}
	return list + "[name=" + name + "]"
}

// documentPrefix names the document of a path by its kind and name, where they are
// its alone.
func (n *Namer) documentPrefix(expr Expr) string {
	as := expr.Text[:expr.Steps[0].Start]
	if expr.Doc < 0 {
		return as
	}
	if n.kinds == nil {
		n.kinds = make(map[[2]string]int)
		for _, d := range n.docs {
			n.kinds[kindAndName(d)]++
		}
	}
	known := kindAndName(n.docs[expr.Doc])
	if known[0] == "" || known[1] == "" || n.kinds[known] > 1 {
		return as
	}
	return nodes.EscapeKey.Replace(known[0]) + "/" + nodes.EscapeKey.Replace(known[1]) + ":"
}

func kindAndName(doc *yaml.Node) [2]string {
	return [2]string{nodes.Text(nodes.Value(doc, "kind")), nodes.Text(nodes.At(doc, "metadata", "name"))}
}

// uniqueName gives the name of a list's item; "" where it has none or shares it.
func (n *Namer) uniqueName(list *yaml.Node, index int) string {
	if list.Kind != yaml.SequenceNode || index >= len(list.Content) {
		return ""
	}
	name := nodes.Text(nodes.At(list.Content[index], "name"))
	if len(n.named(list, name)) > 1 {
		return ""
	}
	return name
}

// named gives the items of a list that have a name.
func (n *Namer) named(list *yaml.Node, name string) []int {
	names, known := n.names[list]
	if !known {
		names = make(map[string][]int)
		for i, it := range list.Content {
			text := nodes.Text(nodes.At(it, "name"))
			names[text] = append(names[text], i)
		}
		n.names[list] = names
	}
	return names[name]
}

// first gives the first node that a step leads to; nil where there is none.
func (n *Namer) first(s step, node *yaml.Node) *yaml.Node {
	if list := nodes.Resolve(node); s.Selects == '=' && s.field == "name" && !s.any && s.is != "" && list.Kind == yaml.SequenceNode {
		if at := n.named(list, s.is); len(at) > 0 {
			return list.Content[at[0]]
		}
		return nil
	}
	if s.Selects == 0 {
		return n.memo.Value(nodes.Resolve(node), s.Key)
	}
	if found := s.Find(Match{Node: node}); len(found) > 0 {
		return found[0].Node
	}
	return nil
}
