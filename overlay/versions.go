package overlay

import (
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/convention"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// remotes finds what a kustomization pins apart from images: the revisions of
// remote resources, and the versions and inline values of the Helm charts that it inflates.
func (f *finder) remotes(root *yaml.Node) {
	for _, field := range []string{"resources", "components", "bases"} {
		for i, n := range f.items(nodes.At(root, field)) {
			if u, ok := newURLSite(f.src, n, f.path(nodes.Item(field, i))); ok {
				f.sites = append(f.sites, u)
			}
		}
	}
	for i, c := range f.items(nodes.At(root, "helmCharts")) {
		p := Pin{Type: TypeChart, Format: Kustomization, Name: nodes.Text(nodes.At(c, "name"))}
		f.version(nodes.At(c, "version"), p, nodes.Join(nodes.Item("helmCharts", i), "version"), "version")
		if v := nodes.At(c, "valuesInline"); v != nil && nodes.Resolve(v).Kind == yaml.MappingNode && f.once(nodes.Resolve(v)) {
			f.values(nodes.Resolve(v), nodes.Join(nodes.Item("helmCharts", i), "valuesInline"))
		}
	}
}

// urlSite is the revision in a URL's query, as kustomize reads it: ref, or else
// version. Nothing else of the URL is touched.
type urlSite struct {
	src      *syntax.Source
	node     *yaml.Node
	p        Pin
	from, to int // of the revision in the scalar's text
}

// newURLSite reads the URL of a remote resource; ok is false where it pins no
// revision.
func newURLSite(src *syntax.Source, n *yaml.Node, path string) (*urlSite, bool) {
	text := nodes.Text(n)
	base, revision, from, to := reference.RevisionIn(text)
	if revision == "" || convention.IsPlaceholder(text) {
		return nil, false
	}
	p := Pin{Type: TypeRevision, Format: Kustomization, Name: base, Tag: revision, Path: path, Position: position(src, n)}
	return &urlSite{src: src, node: n, p: p, from: from, to: to}, true
}

func (u *urlSite) pin() Pin { return u.p }

func (u *urlSite) want(c Change) Pin {
	p := u.p
	p.Tag = c.Tag.apply(p.Tag)
	return p
}

func (u *urlSite) set(s *setter, c Change) error {
	w := u.want(c)
	if w.Tag == "" {
		return u.src.Errorf(u.node, "give a revision", "the ref of %q cannot be left empty", u.p.Name)
	}
	if strings.ContainsAny(w.Tag, "&#?") {
		return u.src.Errorf(u.node, "", "revision %q of %q is malformed: it cannot stand in a URL", w.Tag, u.p.Name)
	}
	if n := u.node; n.Kind == yaml.ScalarNode && n.Anchor != "" {
		s.warnAliases(u.src, n)
	}
	s.changed(FieldChange{Image: u.p.Name, Field: "ref", Old: u.p.Tag, New: w.Tag, Position: u.p.Position})
	// In a query, a plus means a space and a percent sign begins an escape.
	raw := strings.NewReplacer("%", "%25", "+", "%2B").Replace(w.Tag)
	return s.edit(u.src).SetPart(u.node, u.from, u.to, raw)
}

// chart finds the versions of a chart's dependencies. A version may be a range,
// such as ^1.2 or ">=1 <2"; it is listed as it stands.
func (f *finder) chart(root *yaml.Node, path string) {
	list := nodes.Value(root, "dependencies")
	if list == nil || nodes.Resolve(list).Kind != yaml.SequenceNode {
		return
	}
	for i, it := range nodes.Resolve(list).Content {
		dep := nodes.Resolve(it)
		if dep.Kind != yaml.MappingNode {
			continue
		}
		name, version := nodes.Value(dep, "name"), nodes.Value(dep, "version")
		if nodes.Text(name) == "" || !nodes.IsScalar(version) {
			continue
		}
		p := Pin{Type: TypeChart, Format: HelmChart, Name: nodes.Text(name), Path: f.path(nodes.Join(nodes.Item(nodes.Join(path, "dependencies"), i), "version"))}
		var st site = newTagSite(f.src, version, p, "version", partTag)
		switch own := nodes.KeyIndex(dep, "version"); {
		case nodes.Resolve(list) != list:
			st = borrow(st, f.src, list, version)
		case it != dep:
			st = borrow(st, f.src, it, version)
		case own < 0:
			continue // a version that a merge key brings is its anchor's
		}
		f.sites = append(f.sites, st)
	}
}
