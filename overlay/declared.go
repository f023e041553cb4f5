package overlay

import (
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/convention"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/paths"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// declared adds the images at the paths of Options.Images in one document: a
// scalar is a whole reference, a mapping an image block as in Helm values. What
// a convention has found already, among the sites from an index on, is not
// listed twice.
func (f *finder) declared(doc int, root *yaml.Node, from int) {
	var found map[string]bool
	for _, text := range f.opts.Images {
		expr, err := paths.Parse(text)
		if err != nil {
			if doc == 0 {
				f.fail(nil, "", "%v", err)
			}
			continue
		}
		if !expr.In(doc, root) {
			continue
		}
		for _, m := range expr.Find(root) {
			if found == nil {
				found = make(map[string]bool)
				for _, st := range f.sites[from:] {
					found[st.pin().Path] = true
				}
			}
			if path := f.path(m.Path); !found[path] {
				found[path] = true
				f.declaredImage(m.Node, path, text)
			}
		}
	}
}

// declaredImage adds one. A scalar that is no reference is left out, as
// everywhere: one list of paths serves many files, and in some the value may be
// a variable. A mapping or list that cannot hold an image is a mistake in the
// path, and is said.
func (f *finder) declaredImage(n *yaml.Node, path, expr string) {
	m := nodes.Resolve(n)
	switch {
	case nodes.IsText(m):
		if r, ok := newRefSite(f.src, n, Declared, path, "image", false); ok {
			f.sites = append(f.sites, r)
		}
	case m.Kind == yaml.MappingNode && convention.BlockKeys(m, true) != (convention.ValueKeys{}):
		if v, ok := f.valuesImage(n, convention.BlockKeys(m, true), convention.FieldsOf(m), path, Declared, true); ok {
			f.sites = append(f.sites, v)
		}
	case m.Kind != yaml.ScalarNode:
		f.fail(n, "declare the path of a reference, or of a mapping with repository and tag",
			"%s is declared to be an image and is a %s that holds none", expr, syntax.KindName(m))
	}
}

// KindImages gives the paths at which objects of a kind hold images outside of
// containers, in the grammar of [ValueChange]: Argo Workflows' templates, Tekton's
// steps, and the fields of operators. None where the kind is not known.
func KindImages(apiVersion, kind string) []string { return convention.KindImages(apiVersion, kind) }

// ofKind adds the images that an object has by its kind alone. What the walk for
// containers has found already is left out.
func (f *finder) ofKind(root *yaml.Node, path string) {
	from := len(f.sites)
	for _, text := range KindImages(nodes.Text(nodes.Value(root, "apiVersion")), nodes.Text(nodes.Value(root, "kind"))) {
		expr, err := paths.Parse(text)
		if err != nil {
			continue
		}
		for _, m := range expr.Find(root) {
			if nodes.IsText(m.Node) {
				here := m.Path
				if path != "" {
					here = path + "." + m.Path
				}
				f.kindImage(m, f.path(here), text[strings.LastIndexByte(text, '.')+1:], from)
			}
		}
	}
}

func (f *finder) kindImage(m paths.Match, path, field string, from int) {
	for _, st := range f.sites[from:] {
		if st.pin().Path == path {
			return
		}
	}
	if r, ok := newRefSite(f.src, m.Node, Manifest, path, field, false); ok {
		f.sites = append(f.sites, r)
	}
}
