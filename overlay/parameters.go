package overlay

import (
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
func (f *finder) helmParameters(params []*yaml.Node, path string) {
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
			f.ref(v, ArgoCD, here.path, name, false)
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
			f.sites = append(f.sites, f.parameterSite(g))
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
	for _, end := range []string{"Tag", "Digest", "Repository", "Registry"} {
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
	case "repository", "image":
		g.repo = p
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

func (f *finder) parameterSite(g *imageParameters) site {
	p := Pin{Type: TypeImage, Format: ArgoCD, Name: textOf(g.repo.node), Path: f.path(g.first.path), Position: position(f.src, g.first.node)}
	if r := textOf(g.registry.node); r != "" && p.Name != "" {
		p.Name = r + "/" + p.Name
	}
	if p.Name == "" {
		p.Name = g.name
	}
	p.Tag, p.Digest = textOf(g.tag.node), textOf(g.digest.node)
	if g.digest.node == nil {
		p.Tag, p.Digest, _ = strings.Cut(p.Tag, "@")
	}
	return &parameterSite{src: f.src, g: g, p: p}
}

// parameterSite is an image whose parts are parameters of their own.
type parameterSite struct {
	src *syntax.Source
	g   *imageParameters
	p   Pin
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
	if r := textOf(s.g.registry.node); r != "" {
		rest, ok := strings.CutPrefix(name, r+"/")
		if !ok {
			return "", s.src.Errorf(s.g.registry.node, "change the registry by hand", "image %q has its registry in a parameter of its own", s.p.Name)
		}
		return rest, nil
	}
	return name, nil
}
