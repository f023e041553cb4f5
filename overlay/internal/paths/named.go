package paths

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
)

// Named gives a path in the documents of a file with names in place of positions, as
// far as there are any; the path itself where it leads nowhere.
func Named(docs []*yaml.Node, path string) string {
	outer, inner, nested := strings.Cut(path, "|")
	expr, err := Parse(outer)
	if err != nil || max(expr.Doc, 0) >= len(docs) {
		return path
	}
	var b strings.Builder
	node := docs[max(expr.Doc, 0)]
	b.WriteString(documentPrefix(docs, expr))
	for _, s := range expr.Steps {
		text := outer[s.Start:s.End]
		if s.Selects == 0 && s.Start > expr.Steps[0].Start {
			text = "." + text
		}
		if s.Selects == '[' {
			if name := uniqueName(nodes.Resolve(node), s.Index); name != "" {
				text = Item("", name)
			}
		}
		b.WriteString(text)
		found := s.Find(Match{Node: node})
		if len(found) == 0 {
			return path
		}
		node = found[0].Node
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
func documentPrefix(docs []*yaml.Node, expr Expr) string {
	as := expr.Text[:expr.Steps[0].Start]
	if expr.Doc < 0 {
		return as
	}
	root := docs[expr.Doc]
	kind, name := nodes.Text(nodes.Value(root, "kind")), nodes.Text(nodes.At(root, "metadata", "name"))
	if kind == "" || name == "" {
		return as
	}
	same := 0
	for _, d := range docs {
		if nodes.Text(nodes.Value(d, "kind")) == kind && nodes.Text(nodes.At(d, "metadata", "name")) == name {
			same++
		}
	}
	if same > 1 {
		return as
	}
	return nodes.EscapeKey.Replace(kind) + "/" + nodes.EscapeKey.Replace(name) + ":"
}

// uniqueName gives the name of a list's item; "" where it has none or shares it.
func uniqueName(list *yaml.Node, index int) string {
	if list.Kind != yaml.SequenceNode || index >= len(list.Content) {
		return ""
	}
	name := nodes.Text(nodes.At(list.Content[index], "name"))
	for i, it := range list.Content {
		if i != index && nodes.Text(nodes.At(it, "name")) == name {
			return ""
		}
	}
	return name
}
