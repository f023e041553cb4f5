package overlay

import (
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/convention"
	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// helmParameters finds the images of Helm parameters by the conventions of
// charts: "image" with a whole reference, and PREFIX.tag or PREFIX.digest, where
// the repository may stand in PREFIX.repository (and PREFIX.registry); imageTag
// with image or imageRepository. A repository alone chooses no version and is no
// pin.
// all is the registry of the source's values.
func (f *finder) helmParameters(params []*yaml.Node, path string, all convention.ChartRegistry) {
	var order []*convention.ImageParameters
	known := make(map[string]*convention.ImageParameters)
	for i, p := range params {
		name, v := nodes.Text(nodes.At(p, "name")), nodes.At(p, "value")
		here := convention.Parameter{Node: v, Path: nodes.Join(nodes.Item(path, i), "value")}
		prefix, last := convention.SplitParameter(name)
		if last == "image" && nodes.IsScalar(v) && convention.IsNoReference(nodes.Text(v)) {
			f.notRead(v, f.path(here.Path), nodes.Text(v))
		}
		if !nodes.IsScalar(v) || convention.IsPlaceholder(nodes.Text(v)) {
			continue
		}
		if last == "image" && reference.IsPinned(nodes.Text(v)) {
			f.parameterRef(v, here.Path, name, all)
			continue
		}
		g := known[prefix]
		if g == nil {
			g = &convention.ImageParameters{}
			known[prefix] = g
			order = append(order, g)
		}
		g.Take(last, name, here)
	}
	for _, g := range order {
		if g.Name != "" {
			f.sites = append(f.sites, f.parameterSite(g, all))
		}
	}
}

// parameterRef adds a parameter that holds a whole reference.
func (f *finder) parameterRef(n *yaml.Node, path, name string, all convention.ChartRegistry) {
	if r, ok := newRefSite(f.src, n, ArgoCD, f.path(path), name, false); ok {
		if all.Text != "" && !convention.HasHost(r.p.Name) {
			r.p.Unknown = all.Doubt()
		}
		f.sites = append(f.sites, r)
	}
}

// registryOfValues gives the registry that a source's parameters are subject to:
// that of a parameter, or else that of the values beside them.
func (f *finder) registryOfValues(source *yaml.Node) convention.ChartRegistry {
	if f.registry.Text != "" {
		return f.registry
	}
	if v := nodes.At(source, "helm", "valuesObject"); v != nil {
		return convention.RegistryOfChart(nodes.Resolve(v))
	}
	if inner, err := syntax.Parse(f.src.Name, []byte(nodes.Text(nodes.At(source, "helm", "values")))); err == nil && len(inner.Docs) == 1 {
		return convention.RegistryOfChart(inner.Docs[0])
	}
	return convention.ChartRegistry{}
}

func (f *finder) parameterSite(g *convention.ImageParameters, all convention.ChartRegistry) site {
	p := Pin{Type: TypeImage, Format: ArgoCD, Name: nodes.Text(g.Repo.Node), Path: f.path(g.First.Path), Position: position(f.src, g.First.Node)}
	own := nodes.Text(g.Registry.Node)
	registry, unknown := all.Over(own, p.Name)
	repository, _ := convention.RepositoryOf(g.Repo.Node)
	switch {
	case p.Name != repository:
		p.Name, unknown = g.Name, "its repository cannot be told from this file: "+strconv.Quote(p.Name)+" is none"
	case p.Name == "":
		p.Name, unknown = g.Name, convention.NotHere("a parameter "+g.RepositoryName())
	case registry != "":
		p.Name = registry + "/" + p.Name
	}
	p.Unknown = unknown
	p.Tag, p.Digest = nodes.Text(g.Tag.Node), nodes.Text(g.Digest.Node)
	if g.Digest.Node == nil {
		p.Tag, p.Digest, _ = strings.Cut(p.Tag, "@")
	}
	return &parameterSite{src: f.src, g: g, p: p, registry: registry, shared: registry != own}
}

// parameterSite is an image whose parts are parameters of their own.
type parameterSite struct {
	src *syntax.Source
	g   *convention.ImageParameters
	p   Pin
	// registry stands in front of the repository; shared where it is that of other
	// images too.
	registry string
	shared   bool
}

func (s *parameterSite) pin() Pin { return s.p }

func (s *parameterSite) want(c Change) Pin {
	p := s.p
	p.Tag, p.Digest = c.Tag.apply(p.Tag), c.Digest.apply(p.Digest)
	if s.g.Repo.Node != nil && c.NewName.op == to {
		p.Name = c.NewName.text
	}
	return p
}

func (s *parameterSite) set(st *setter, c Change) error {
	w := s.want(c)
	repo, err := s.repository(w.Name)
	if err != nil {
		return err
	}
	tag, digest := w.Tag, w.Digest
	if s.g.Digest.Node == nil && digest != "" && tag != "" {
		tag, digest = tag+"@"+digest, ""
	}
	for _, row := range []struct {
		node        *yaml.Node
		field, text string
	}{{s.g.Repo.Node, "repository", repo}, {s.g.Tag.Node, "tag", tag}, {s.g.Digest.Node, "digest", digest}} {
		switch {
		case row.node == nil && row.text != "":
			return s.src.Errorf(s.g.First.Node, "add the parameter", "image %q has no parameter for its %s", s.p.Name, row.field)
		case row.node == nil || nodes.Text(row.node) == row.text && !notString(row.node):
			continue
		case row.text == "" && row.field == "tag":
			return s.src.Errorf(row.node, "give a tag as well", "the tag of image %q cannot be left empty", s.p.Name)
		}
		if err := st.setScalar(s.src, row.node, s.p, row.field, row.text); err != nil {
			return err
		}
	}
	return nil
}

// repository gives what the repository's parameter shall hold: a name without the
// registry where that is another parameter.
func (s *parameterSite) repository(name string) (string, error) {
	if s.g.Repo.Node == nil {
		return "", nil
	}
	if s.registry != "" {
		rest, ok := strings.CutPrefix(name, s.registry+"/")
		if !ok && s.shared {
			return "", s.src.Errorf(s.g.First.Node, "change the registry by hand", "registry %s of image %q is that of other images too", s.registry, s.p.Name)
		}
		if !ok {
			return "", s.src.Errorf(s.g.Registry.Node, "change the registry by hand", "image %q has its registry in a parameter of its own", s.p.Name)
		}
		return rest, nil
	}
	return name, nil
}
