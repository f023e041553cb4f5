package overlay

import (
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// parameter is one of Argo CD's helm.parameters: a key of Helm values in dots,
// and its value.
type parameter struct {
	node *yaml.Node
	path string
}

// imageParameters are the parameters of one image: those that have a prefix in
// common, such as web.image.tag and web.image.repository.
type imageParameters struct {
	name                        string // of the parameter that comes first
	tag, digest, repo, registry parameter
	first                       parameter
}

// helmParameters finds the images of Helm parameters by the conventions of
// charts: "image" with a whole reference, and PREFIX.tag or PREFIX.digest, where
// the repository may stand in PREFIX.repository (and PREFIX.registry); imageTag
// with image or imageRepository. A repository alone chooses no version and is no
// pin.
// all is the registry of the source's values.
func (f *finder) helmParameters(params []*yaml.Node, path string, all chartRegistry) {
	var order []*imageParameters
	known := make(map[string]*imageParameters)
	for i, p := range params {
		name, v := textOf(at(p, "name")), at(p, "value")
		if !isScalar(v) || isPlaceholder(textOf(v)) {
			continue
		}
		here := parameter{v, join(item(path, i), "value")}
		prefix, last := splitParameter(name)
		if last == "image" && isPinned(textOf(v)) {
			f.parameterRef(v, here.path, name, all)
			continue
		}
		g := known[prefix]
		if g == nil {
			g = &imageParameters{}
			known[prefix] = g
			order = append(order, g)
		}
		g.take(last, name, here)
	}
	for _, g := range order {
		if g.name != "" {
			f.sites = append(f.sites, f.parameterSite(g, all))
		}
	}
}

// splitParameter cuts a parameter's name into what image it is about and what of
// the image it holds.
func splitParameter(name string) (prefix, last string) {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		prefix, last = name[:i+1], name[i+1:]
	} else {
		last = name
	}
	for _, end := range []string{"Tag", "Digest", "Repository", "Registry", "Name"} {
		if stem, ok := strings.CutSuffix(last, "mage"+end); ok && (strings.HasSuffix(stem, "I") || stem == "i") {
			return prefix + stem + "mage", strings.ToLower(end)
		}
	}
	if strings.HasSuffix(last, "Image") || last == "image" {
		return prefix + last, "image"
	}
	return strings.TrimSuffix(prefix, "."), last
}

// take notes what a parameter holds.
func (g *imageParameters) take(what, name string, p parameter) {
	switch what {
	case "tag":
		g.tag = p
	case "digest":
		if text := textOf(p.node); text != "" && !isDigest(text) {
			return
		}
		g.digest = p
	case "repository", "image", "repo":
		g.repo = p
		return
	case "name":
		// The default of Argo CD Image Updater, image.name. Elsewhere a name is
		// what an object is called.
		if _, isRepo := repositoryOf(p.node); isRepo && g.repo.node == nil && isImageKey(strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(name), "name"), ".")) {
			g.repo = p
		}
		return
	case "registry":
		g.registry = p
		return
	default:
		return
	}
	if g.name == "" {
		g.name, g.first = name, p
	}
}

// parameterRef adds a parameter that holds a whole reference.
func (f *finder) parameterRef(n *yaml.Node, path, name string, all chartRegistry) {
	if r, ok := newRefSite(f.src, n, ArgoCD, f.path(path), name, false); ok {
		if all.text != "" && !hasHost(r.p.Name) {
			r.p.Unknown = all.doubt()
		}
		f.sites = append(f.sites, r)
	}
}

// registryOfParameters reads the registry of all images from parameters.
func registryOfParameters(params []*yaml.Node) chartRegistry {
	for _, keys := range chartRegistries {
		key := strings.Join(keys, ".")
		for _, p := range params {
			if text := strings.TrimSuffix(textOf(at(p, "value")), "/"); text != "" && textOf(at(p, "name")) == key {
				return chartRegistry{text, key, keys[len(keys)-1] == "hub"}
			}
		}
	}
	return chartRegistry{}
}

// registryOfValues gives the registry that a source's parameters are subject to:
// that of a parameter, or else that of the values beside them.
func (f *finder) registryOfValues(source *yaml.Node) chartRegistry {
	if f.registry.text != "" {
		return f.registry
	}
	if v := at(source, "helm", "valuesObject"); v != nil {
		return registryOfChart(resolve(v))
	}
	if inner, err := syntax.Parse(f.src.Name, []byte(textOf(at(source, "helm", "values")))); err == nil && len(inner.Docs) == 1 {
		return registryOfChart(inner.Docs[0])
	}
	return chartRegistry{}
}

func (f *finder) parameterSite(g *imageParameters, all chartRegistry) site {
	p := Pin{Type: TypeImage, Format: ArgoCD, Name: textOf(g.repo.node), Path: f.path(g.first.path), Position: position(f.src, g.first.node)}
	own := textOf(g.registry.node)
	registry, unknown := all.over(own, p.Name)
	repository, _ := repositoryOf(g.repo.node)
	switch {
	case p.Name != repository:
		p.Name, unknown = g.name, "its repository cannot be told from this file: "+strconv.Quote(p.Name)+" is none"
	case p.Name == "":
		p.Name, unknown = g.name, notHere("a parameter "+g.repositoryName())
	case registry != "":
		p.Name = registry + "/" + p.Name
	}
	p.Unknown = unknown
	p.Tag, p.Digest = textOf(g.tag.node), textOf(g.digest.node)
	if g.digest.node == nil {
		p.Tag, p.Digest, _ = strings.Cut(p.Tag, "@")
	}
	return &parameterSite{src: f.src, g: g, p: p, registry: registry, shared: registry != own}
}

// repositoryName is what the parameter of the repository would be called.
func (g *imageParameters) repositoryName() string {
	for _, end := range []string{"tag", "digest"} {
		if stem, ok := strings.CutSuffix(g.name, end); ok {
			return stem + "repository"
		}
	}
	return strings.TrimSuffix(strings.TrimSuffix(g.name, "Tag"), "Digest") + "Repository"
}

// parameterSite is an image whose parts are parameters of their own.
type parameterSite struct {
	src *syntax.Source
	g   *imageParameters
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
	if s.g.repo.node != nil && c.NewName.op == to {
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
	if s.g.digest.node == nil && digest != "" && tag != "" {
		tag, digest = tag+"@"+digest, ""
	}
	for _, row := range []struct {
		node        *yaml.Node
		field, text string
	}{{s.g.repo.node, "repository", repo}, {s.g.tag.node, "tag", tag}, {s.g.digest.node, "digest", digest}} {
		switch {
		case row.node == nil && row.text != "":
			return s.src.Errorf(s.g.first.node, "add the parameter", "image %q has no parameter for its %s", s.p.Name, row.field)
		case row.node == nil || textOf(row.node) == row.text && !notString(row.node):
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
	if s.g.repo.node == nil {
		return "", nil
	}
	if s.registry != "" {
		rest, ok := strings.CutPrefix(name, s.registry+"/")
		if !ok && s.shared {
			return "", s.src.Errorf(s.g.first.node, "change the registry by hand", "registry %s of image %q is that of other images too", s.registry, s.p.Name)
		}
		if !ok {
			return "", s.src.Errorf(s.g.registry.node, "change the registry by hand", "image %q has its registry in a parameter of its own", s.p.Name)
		}
		return rest, nil
	}
	return name, nil
}
