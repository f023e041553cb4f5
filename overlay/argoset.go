package overlay

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
)

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

// elementKeys are the keys of an element that hold a version, and what it is one
// of. Elements have no schema: the list is short on purpose.
var elementKeys = map[string]Type{
	"imageTag": TypeImage, "tag": TypeImage, "digest": TypeImage,
	"chartVersion": TypeChart, "version": TypeRevision,
	"targetRevision": TypeRevision, "revision": TypeRevision,
}

// elementType gives what a key of an element pins; "" for other keys. A key such
// as addonChartVersion or webImageTag is known by its end.
func elementType(key string) Type {
	if t := elementKeys[key]; t != "" {
		return t
	}
	switch {
	case strings.HasSuffix(key, "ImageTag"):
		return TypeImage
	case strings.HasSuffix(key, "ChartVersion"):
		return TypeChart
	case strings.HasSuffix(key, "TargetRevision"):
		return TypeRevision
	}
	return ""
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
		switch t := elementType(key); {
		case v.Kind == yaml.MappingNode:
			f.element(v, p, depth+1)
		case !nodes.IsScalar(v) || isPlaceholder(nodes.Text(v)):
		case key == "image" && isPinned(nodes.Text(v)):
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

// isPinned tells whether a text is a reference that has a tag or a digest.
func isPinned(text string) bool {
	repo, tag, digest, ok := reference.SplitRef(text, true)
	return ok && reference.IsName(repo) && (tag == "" || reference.IsTag(tag)) && (digest == "" || reference.IsDigest(digest))
}
