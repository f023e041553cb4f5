package overlay

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/convention"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/paths"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// declared adds the images at the paths of Options.Images in one document: a
// scalar is a whole reference, or a part of one that the path names, and a mapping
// an image block as in Helm values. What a convention has found already, among the
// sites from an index on, is not listed twice, but named where it has no name.
func (f *finder) declared(doc int, root *yaml.Node, from int) {
	var found *foundSites
	for _, i := range f.opts.Images {
		expr, err := paths.Parse(i.Path)
		if err == nil && doc == 0 {
			err = i.Check()
		}
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
				found = newFoundSites(f.sites[from:])
			}
			path := f.path(m.Path)
			if st := found.at(m.Node, path); st != nil {
				if n, ok := st.(nameable); ok {
					n.name(i)
				}
				continue
			}
			before := len(f.sites)
			f.declaredImage(m, path, i)
			found.add(f.sites[before:])
		}
	}
}

// foundSites are the sites of a document by their paths, and by the scalars that hold
// a tag or a digest.
type foundSites struct {
	byPath map[string]site
	byNode map[*yaml.Node]site
}

func newFoundSites(sites []site) *foundSites {
	s := &foundSites{make(map[string]site), make(map[*yaml.Node]site)}
	s.add(sites)
	return s
}

func (s *foundSites) add(sites []site) {
	for _, st := range sites {
		s.byPath[st.pin().Path] = st
		held := st.scalars()
		s.byNode[held.tag], s.byNode[held.digest] = st, st
		if r, ok := st.(*refSite); ok {
			s.byNode[r.node] = st
		}
	}
	delete(s.byNode, nil)
}

func (s *foundSites) at(n *yaml.Node, path string) site {
	if st := s.byPath[path]; st != nil {
		return st
	}
	return s.byNode[n]
}

// declaredImage adds one. A scalar that is no reference, and no part of one, is left
// out, as everywhere: one list of paths serves many files, and in some the value may
// be a variable. A mapping or list that cannot hold an image is a mistake in the
// path, and is said.
func (f *finder) declaredImage(match paths.Match, path string, i ImagePath) {
	n, m := match.Node, nodes.Resolve(match.Node)
	switch {
	case (i.says() || f.src.Form() != syntax.YAML) && nodes.IsScalar(m) && f.valuePin(n, path, cmp.Or(match.Key, "tag"), Declared, i):
	case nodes.IsText(m):
		if r, ok := newRefSite(f.src, n, Declared, path, "image", false); ok && (!i.says() || r.p.Tag != "" || r.p.Digest != "") {
			f.sites = append(f.sites, r)
		}
	case m.Kind == yaml.MappingNode && convention.BlockKeys(m, true) != (convention.ValueKeys{}):
		if v, ok := f.valuesImage(n, convention.BlockKeys(m, true), convention.FieldsOf(m), path, Declared, true); ok {
			v.name(i)
			f.sites = append(f.sites, v)
		}
	case m.Kind != yaml.ScalarNode && match.Path != ".": // which is for files of one line
		f.fail(n, "declare the path of a reference, or of a mapping with repository and tag",
			"%s is declared to be an image and is a %s that holds none", i.Path, syntax.KindName(m))
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
			here := m.Path
			if path != "" {
				here = path + "." + m.Path
			}
			f.kindImage(m, f.path(here), text[strings.LastIndexByte(text, '.')+1:], from)
		}
	}
}

func (f *finder) kindImage(m paths.Match, path, field string, from int) {
	for _, st := range f.sites[from:] {
		if st.pin().Path == path {
			return
		}
	}
	r, ok := newRefSite(f.src, m.Node, Manifest, path, field, false)
	switch known := slices.ContainsFunc(f.unread, func(u Unread) bool { return u.Path == path }); {
	case ok && nodes.IsText(m.Node):
		f.sites = append(f.sites, r)
	case nodes.Line(m.Node) != "" && !known:
		f.notRead(m.Node, path, nodes.Line(m.Node))
	}
}
