package overlay

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/paths"
)

// NamedPath is a pin's path with names in place of positions, as far as there are
// any: [name=web] for an item of a list that has this name alone, Deployment/web: in
// place of doc:1:. It names the same image in two files whose lists are in another
// order, and has the form that set --value takes.
func (f *File) NamedPath(p Pin) string {
	outer, inner, nested := strings.Cut(p.Path, "|")
	expr, err := paths.Parse(outer)
	if err != nil || max(expr.Doc, 0) >= len(f.src.Docs) {
		return p.Path
	}
	var b strings.Builder
	node := f.src.Docs[max(expr.Doc, 0)]
	b.WriteString(f.documentPrefix(expr))
	for _, s := range expr.Steps {
		text := outer[s.Start:s.End]
		if s.Selects == 0 && s.Start > expr.Steps[0].Start {
			text = "." + text
		}
		if s.Selects == '[' {
			if name := uniqueName(nodes.Resolve(node), s.Index); name != "" {
				text = "[name=" + nameEscapes.Replace(name) + "]"
			}
		}
		b.WriteString(text)
		found := s.Find(paths.Match{Node: node})
		if len(found) == 0 {
			return p.Path
		}
		node = found[0].Node
	}
	if nested {
		b.WriteString("|" + inner)
	}
	return b.String()
}

// documentPrefix names the document of a path by its kind and name, where they are
// its alone.
func (f *File) documentPrefix(expr paths.Expr) string {
	as := expr.Text[:expr.Steps[0].Start]
	if expr.Doc < 0 {
		return as
	}
	root := f.src.Docs[expr.Doc]
	kind, name := nodes.Text(nodes.Value(root, "kind")), nodes.Text(nodes.At(root, "metadata", "name"))
	if kind == "" || name == "" {
		return as
	}
	same := 0
	for _, d := range f.src.Docs {
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
