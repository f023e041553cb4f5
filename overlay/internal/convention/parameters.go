package convention

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
)

// Parameter is one of Argo CD's helm.parameters: a key of Helm values in dots,
// and its value.
type Parameter struct {
	Node *yaml.Node
	Path string
}

// ImageParameters are the parameters of one image: those that have a prefix in
// common, such as web.image.tag and web.image.repository.
type ImageParameters struct {
	Name                        string // of the parameter that comes first
	Tag, Digest, Repo, Registry Parameter
	First                       Parameter
}

// SplitParameter cuts a parameter's name into what image it is about and what of
// the image it holds.
func SplitParameter(name string) (prefix, last string) {
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

// RegistryOfParameters reads the registry of all images from parameters.
func RegistryOfParameters(params []*yaml.Node) ChartRegistry {
	for _, keys := range chartRegistries {
		key := strings.Join(keys, ".")
		for _, p := range params {
			if text := strings.TrimSuffix(nodes.Text(nodes.At(p, "value")), "/"); text != "" && nodes.Text(nodes.At(p, "name")) == key {
				return ChartRegistry{Text: text, Key: key, fallback: keys[len(keys)-1] == "hub"}
			}
		}
	}
	return ChartRegistry{}
}

// Take notes what a parameter holds.
func (g *ImageParameters) Take(what, name string, p Parameter) {
	switch what {
	case "tag":
		g.Tag = p
	case "digest":
		if text := nodes.Text(p.Node); text != "" && !reference.IsDigest(text) {
			return
		}
		g.Digest = p
	case "repository", "image", "repo":
		g.Repo = p
		return
	case "name":
		// The default of Argo CD Image Updater, image.name. Elsewhere a name is
		// what an object is called.
		if _, isRepo := RepositoryOf(p.Node); isRepo && g.Repo.Node == nil && IsImageKey(strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(name), "name"), ".")) {
			g.Repo = p
		}
		return
	case "registry":
		g.Registry = p
		return
	default:
		return
	}
	if g.Name == "" {
		g.Name, g.First = name, p
	}
}

// RepositoryName is what the parameter of the repository would be called.
func (g *ImageParameters) RepositoryName() string {
	for _, end := range []string{"tag", "digest"} {
		if stem, ok := strings.CutSuffix(g.Name, end); ok {
			return stem + "repository"
		}
	}
	return strings.TrimSuffix(strings.TrimSuffix(g.Name, "Tag"), "Digest") + "Repository"
}
