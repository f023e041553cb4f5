package overlay

import (
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
		expr, err := parsePath(text)
		if err != nil {
			if doc == 0 {
				f.fail(nil, "", "%v", err)
			}
			continue
		}
		if !expr.in(doc, root) {
			continue
		}
		for _, m := range expr.find(root) {
			if found == nil {
				found = make(map[string]bool)
				for _, st := range f.sites[from:] {
					found[st.pin().Path] = true
				}
			}
			if path := f.path(m.path); !found[path] {
				found[path] = true
				f.declaredImage(m.node, path, text)
			}
		}
	}
}

// declaredImage adds one. A scalar that is no reference is left out, as
// everywhere: one list of paths serves many files, and in some the value may be
// a variable. A mapping or list that cannot hold an image is a mistake in the
// path, and is said.
func (f *finder) declaredImage(n *yaml.Node, path, expr string) {
	m := resolve(n)
	switch {
	case isText(m):
		if r, ok := newRefSite(f.src, n, Declared, path, "image", false); ok {
			f.sites = append(f.sites, r)
		}
	case m.Kind == yaml.MappingNode && blockKeys(m, true) != (valueKeys{}):
		if v, ok := f.valuesImage(n, blockKeys(m, true), fieldsOf(m), path, Declared, true); ok {
			f.sites = append(f.sites, v)
		}
	case m.Kind != yaml.ScalarNode:
		f.fail(n, "declare the path of a reference, or of a mapping with repository and tag",
			"%s is declared to be an image and is a %s that holds none", expr, syntax.KindName(m))
	}
}
