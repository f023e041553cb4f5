package paths

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
)

// Prefix is what stands before the paths of one document of several.
func Prefix(documents, i int) string {
	if documents > 1 {
		return fmt.Sprintf("doc:%d:", i)
	}
	return ""
}

// FindAll gives the values that the path names in all documents of a file, with the
// document's prefix in their paths.
func (p Expr) FindAll(docs []*yaml.Node) []Match {
	var out []Match
	for i, root := range docs {
		if !p.In(i, root) {
			continue
		}
		for _, m := range p.Find(root) {
			m.Path = Prefix(len(docs), i) + m.Path
			out = append(out, m)
		}
	}
	return out
}

// Keys lists the keys of the mappings that the path leads to, or, where its end leaves
// a field open as in [env=*], the values of this field.
func (p Expr) Keys(docs []*yaml.Node) []string {
	var keys []string
	seen := make(map[string]bool)
	add := func(key string) {
		if key != "" && !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	last := p.Steps[len(p.Steps)-1]
	for _, m := range p.FindAll(docs) {
		n := nodes.Resolve(m.Node)
		if last.any {
			add(nodes.Text(nodes.Value(n, last.field)))
			continue
		}
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if k := n.Content[i]; k.Kind == yaml.ScalarNode && k.ShortTag() != "!!merge" {
				add(k.Value)
			}
		}
	}
	return keys
}

// Indexed is a path of one value with indices in place of what selects items.
func Indexed(docs []*yaml.Node, path string) string {
	if !strings.Contains(path, "=") {
		return path
	}
	outer, inner, nested := strings.Cut(path, "|")
	expr, err := Parse(outer)
	if err != nil {
		return path
	}
	all := expr.FindAll(docs)
	if len(all) != 1 {
		return path
	}
	if nested {
		return all[0].Path + "|" + inner
	}
	return all[0].Path
}

// IsBelow tells whether a path is another one or leads on from it.
func IsBelow(path, root string) bool {
	if strings.HasSuffix(root, ".") && !strings.HasSuffix(root, `\.`) { // the document
		return strings.HasPrefix(path, root[:len(root)-1])
	}
	rest, ok := strings.CutPrefix(path, root)
	return ok && (rest == "" || strings.IndexByte(".[|", rest[0]) >= 0)
}

// Of gives the documents that a path may lead into.
func (p Expr) Of(docs []*yaml.Node) []*yaml.Node {
	var out []*yaml.Node
	for i, root := range docs {
		if p.In(i, root) {
			out = append(out, root)
		}
	}
	return out
}

// Reach tells how many steps of a path lead somewhere in any of the documents, and where
// to.
func (p Expr) Reach(docs []*yaml.Node) (steps int, at *yaml.Node) {
	at = docs[0]
	for _, root := range docs {
		matches := []Match{{Node: root}}
		for i, st := range p.Steps {
			var next []Match
			for _, m := range matches {
				next = append(next, st.Find(m)...)
			}
			if len(next) == 0 {
				break
			}
			if i+1 > steps {
				steps, at = i+1, next[0].Node
			}
			matches = next
		}
	}
	return steps, at
}

// Way follows a path as long as each step leads to one place, and through no alias. It
// gives where that is, the node that it is in, and the steps that it took.
func (p Expr) Way(root *yaml.Node) (at Match, parent *yaml.Node, steps int) {
	at = Match{Node: root}
	for _, st := range p.Steps {
		next := st.Find(at)
		if len(next) != 1 || at.Node.Kind == yaml.AliasNode {
			break
		}
		parent, at = at.Node, next[0]
		steps++
	}
	return at, parent, steps
}
