package overlay

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// NamedPath is a pin's path with names in place of positions, as far as there are
// any: [name=web] for an item of a list that has this name alone, Deployment/web: in
// place of doc:1:. It names the same image in two files whose lists are in another
// order, and has the form that set --value takes.
func (f *File) NamedPath(p Pin) string {
	outer, inner, nested := strings.Cut(p.Path, "|")
	expr, err := parsePath(outer)
	if err != nil || max(expr.doc, 0) >= len(f.src.Docs) {
		return p.Path
	}
	var b strings.Builder
	node := f.src.Docs[max(expr.doc, 0)]
	b.WriteString(f.documentPrefix(expr))
	for _, s := range expr.steps {
		text := outer[s.start:s.end]
		if s.selects == 0 && s.start > expr.steps[0].start {
			text = "." + text
		}
		if s.selects == '[' {
			if name := uniqueName(resolve(node), s.index); name != "" {
				text = "[name=" + nameEscapes.Replace(name) + "]"
			}
		}
		b.WriteString(text)
		found := s.find(pathMatch{node: node})
		if len(found) == 0 {
			return p.Path
		}
		node = found[0].node
	}
	if nested {
		b.WriteString("|" + inner)
	}
	return b.String()
}

// documentPrefix names the document of a path by its kind and name, where they are
// its alone.
func (f *File) documentPrefix(expr pathExpr) string {
	as := expr.text[:expr.steps[0].start]
	if expr.doc < 0 {
		return as
	}
	root := f.src.Docs[expr.doc]
	kind, name := textOf(value(root, "kind")), textOf(at(root, "metadata", "name"))
	if kind == "" || name == "" {
		return as
	}
	same := 0
	for _, d := range f.src.Docs {
		if textOf(value(d, "kind")) == kind && textOf(at(d, "metadata", "name")) == name {
			same++
		}
	}
	if same > 1 {
		return as
	}
	return escapeKey.Replace(kind) + "/" + escapeKey.Replace(name) + ":"
}

// uniqueName gives the name of a list's item; "" where it has none or shares it.
func uniqueName(list *yaml.Node, index int) string {
	if list.Kind != yaml.SequenceNode || index >= len(list.Content) {
		return ""
	}
	name := textOf(at(list.Content[index], "name"))
	for i, it := range list.Content {
		if i != index && textOf(at(it, "name")) == name {
			return ""
		}
	}
	return name
}
