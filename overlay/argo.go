package overlay

import (
	"github.com/kubepromote/kubepromote/overlay/internal/convention"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// argo finds the pins of an Application or ApplicationSet; false where the kind
// is another.
//
// An ApplicationSet's template is read as an Application, and the elements of its
// generators for keys that name a version. templatePatch is text that a template
// engine reads first, and is left out. So is every value with a placeholder.
func (f *finder) argo(kind string, root *yaml.Node, path string) bool {
	switch kind {
	case "Application":
		f.argoSpec(nodes.At(root, "spec"), nodes.Join(path, "spec"))
	case "ApplicationSet":
		spec := nodes.Join(path, "spec")
		f.argoSpec(nodes.At(root, "spec", "template", "spec"), nodes.Join(nodes.Join(spec, "template"), "spec"))
		f.generators(nodes.At(root, "spec", "generators"), nodes.Join(spec, "generators"), 0)
	default:
		return false
	}
	return true
}

// argoSpec finds the pins of an application's one source or several.
func (f *finder) argoSpec(spec *yaml.Node, path string) {
	if spec == nil {
		return
	}
	if s := nodes.At(spec, "source"); s != nil {
		f.argoSource(nodes.Resolve(s), nodes.Join(path, "source"))
	}
	for i, s := range f.items(nodes.At(spec, "sources")) {
		f.argoSource(nodes.Resolve(s), nodes.Item(nodes.Join(path, "sources"), i))
	}
}

// argoSource finds the pins of one source of an application.
func (f *finder) argoSource(source *yaml.Node, path string) {
	if !f.once(source) {
		return
	}
	images := nodes.Join(nodes.Join(path, "kustomize"), "images")
	for i, n := range f.items(nodes.At(source, "kustomize", "images")) {
		at := f.path(nodes.Item(images, i))
		if r, ok := newRefSite(f.src, n, ArgoCD, at, "images", true); ok {
			f.sites = append(f.sites, r)
		} else {
			f.notRead(n, at, nodes.Line(n))
		}
	}
	helm := nodes.Join(path, "helm")
	params := f.items(nodes.At(source, "helm", "parameters"))
	before := f.registry
	f.registry = convention.RegistryOfParameters(params)
	defer func() { f.registry = before }()
	f.helmParameters(params, nodes.Join(helm, "parameters"), f.registryOfValues(source))
	if v := nodes.At(source, "helm", "valuesObject"); v != nil && nodes.Resolve(v).Kind == yaml.MappingNode && f.once(nodes.Resolve(v)) {
		f.values(nodes.Resolve(v), nodes.Join(helm, "valuesObject"))
	}
	f.nestedValues(nodes.At(source, "helm", "values"), nodes.Join(helm, "values"))
	f.targetRevision(source, path)
}

// targetRevision finds the version of a source: that of a chart, or the revision
// of a repository. A branch or HEAD is listed as it is.
func (f *finder) targetRevision(source *yaml.Node, path string) {
	p := Pin{Type: TypeRevision, Format: ArgoCD, Name: nodes.Text(nodes.At(source, "repoURL"))}
	if chart := nodes.Text(nodes.At(source, "chart")); chart != "" {
		p.Type, p.Name = TypeChart, chart
	}
	f.version(nodes.At(source, "targetRevision"), p, nodes.Join(path, "targetRevision"), "targetRevision")
}

// ref adds a scalar that holds a whole reference.
func (f *finder) ref(n *yaml.Node, format Format, path, field string, named bool) {
	if r, ok := newRefSite(f.src, n, format, f.path(path), field, named); ok {
		f.sites = append(f.sites, r)
	}
}

// version adds a scalar that holds a version, a revision or a tag. One that is
// empty or a placeholder is no pin.
func (f *finder) version(n *yaml.Node, p Pin, path, field string) {
	if !nodes.IsScalar(n) || nodes.Text(n) == "" || convention.IsPlaceholder(nodes.Text(n)) {
		return
	}
	p.Path = f.path(path)
	if p.Name == "" || convention.IsPlaceholder(p.Name) {
		p.Name = p.Path
		if p.Type == TypeImage {
			p.Unknown = "its repository is not in this file beside it"
		}
	}
	f.sites = append(f.sites, newTagSite(f.src, n, p, field, partTag))
}

// items gives the items of a list; none where the node is no list, or one that
// was looked at before.
func (f *finder) items(n *yaml.Node) []*yaml.Node {
	if n == nil || nodes.Resolve(n).Kind != yaml.SequenceNode || !f.once(nodes.Resolve(n)) {
		return nil
	}
	return nodes.Resolve(n).Content
}

// once tells whether a node is looked at for the first time. What an anchor holds
// is listed once, lest aliases in aliases make a small file have millions of pins.
func (f *finder) once(n *yaml.Node) bool {
	if f.seen == nil {
		f.seen = make(map[*yaml.Node]bool)
	}
	if f.seen[n] {
		return false
	}
	f.seen[n] = true
	return true
}

// nestedValues finds the images of Helm values that stand as text in a scalar.
// Their paths are the scalar's path, "|", and the path in the text. Text that is
// no YAML mapping, as templates are not, has none. Text in another style than a
// literal block (|) is read, and refused when it is to be changed.
func (f *finder) nestedValues(n *yaml.Node, path string) {
	if n == nil || n.Kind != yaml.ScalarNode || nodes.Text(n) == "" {
		return
	}
	literal := n.Style&yaml.LiteralStyle != 0
	var inner *syntax.Source
	var err error
	if literal {
		inner, err = f.src.Nested(n)
	} else {
		inner, err = syntax.Parse(f.src.Name, []byte(n.Value))
	}
	if err != nil || len(inner.Docs) != 1 || inner.Docs[0].Kind != yaml.MappingNode {
		return
	}
	in := &finder{src: inner, opts: f.opts, prefix: f.path(path) + "|", registry: f.registry}
	in.values(inner.Docs[0], "")
	if len(in.errs) > 0 {
		return
	}
	if literal {
		f.sites = append(f.sites, in.sites...)
		f.nested = append(f.nested, nested{f.src, n, inner})
		return
	}
	for _, st := range in.sites {
		f.sites = append(f.sites, &quotedSite{site: st, src: f.src, node: n})
	}
}

// quotedSite is a pin in YAML text that cannot be edited in place: the text is
// quoted, folded or plain, so its lines are not lines of the file.
type quotedSite struct {
	site
	src  *syntax.Source
	node *yaml.Node
}

func (q *quotedSite) pin() Pin { return q.at(q.site.pin()) }

func (q *quotedSite) want(c Change) Pin { return q.at(q.site.want(c)) }

func (q *quotedSite) at(p Pin) Pin {
	p.Position = position(q.src, q.node)
	return p
}

func (q *quotedSite) set(*setter, Change) error {
	return q.src.Errorf(q.node, "write it as a block scalar, with |", "image %q stands in YAML text that is quoted or folded", q.pin().Name)
}

// maxGenerators bounds how deep generators may nest. Argo CD allows two levels.
const maxGenerators = 8

// generators finds the pins in the generators of an ApplicationSet: in the
// elements of lists, in the values that other generators hand on, and in
// templates that a generator has of its own.
func (f *finder) generators(list *yaml.Node, path string, depth int) {
	if depth > maxGenerators {
		return
	}
	for i, g := range f.items(list) {
		g = nodes.Resolve(g)
		if g.Kind != yaml.MappingNode {
			continue
		}
		for j := 0; j+1 < len(g.Content); j += 2 {
			gen := nodes.Resolve(g.Content[j+1])
			p := nodes.Join(nodes.Item(path, i), g.Content[j].Value)
			for k, e := range f.items(nodes.At(gen, "elements")) {
				f.element(nodes.Resolve(e), nodes.Item(nodes.Join(p, "elements"), k), 0)
			}
			if v := nodes.At(gen, "values"); v != nil {
				f.element(nodes.Resolve(v), nodes.Join(p, "values"), 0)
			}
			f.argoSpec(nodes.At(gen, "template", "spec"), nodes.Join(nodes.Join(p, "template"), "spec"))
			f.generators(nodes.At(gen, "generators"), nodes.Join(p, "generators"), depth+1)
		}
	}
}

// element finds the pins of one element of a generator. What the template makes
// of a version is not known here, so the name is the path.
func (f *finder) element(m *yaml.Node, path string, depth int) {
	if m.Kind != yaml.MappingNode || depth > maxGenerators || !f.once(m) {
		return
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, v := m.Content[i].Value, m.Content[i+1]
		p := nodes.Join(path, key)
		switch t := Type(convention.ElementType(key)); {
		case v.Kind == yaml.MappingNode:
			f.element(v, p, depth+1)
		case !nodes.IsScalar(v) || convention.IsPlaceholder(nodes.Text(v)):
		case key == "image" && reference.IsPinned(nodes.Text(v)):
			f.ref(v, ArgoCD, p, key, false)
		case key == "digest":
			if reference.IsDigest(nodes.Text(v)) {
				f.sites = append(f.sites, newTagSite(f.src, v, Pin{Type: t, Format: ArgoCD, Name: f.path(p), Path: f.path(p), Unknown: "its repository is not in this file beside it"}, key, partDigest))
			}
		case t != "":
			f.version(v, Pin{Type: t, Format: ArgoCD}, p, key)
		}
	}
}
