package convention

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
)

// NotHere is why a repository is not known that nothing in the file names; at is
// where it would stand.
func NotHere(at string) string {
	return fmt.Sprintf("its repository is not in this file (%s would name it)", at)
}

// ChartRegistry is the registry that a chart's values set for all of its images.
type ChartRegistry struct {
	Text string
	Key  string // where it stands, for messages
	// fallback says that an image's own registry takes precedence.
	fallback bool
	// doubtful says that the chart may put it in front of an image or not.
	doubtful bool
}

// chartRegistries are the keys of such a registry: Bitnami's, Grafana's, and what
// others have made of them, then Rancher's and Istio's.
var chartRegistries = [][]string{
	{"global", "imageRegistry"}, {"global", "image", "registry"}, {"global", "registry"}, {"global", "containerRegistry"},
	{"global", "dockerRegistry"}, {"global", "systemDefaultRegistry"}, {"global", "cattle", "systemDefaultRegistry"}, {"global", "hub"},
}

// RegistryOfChart reads it from the root of the values.
func RegistryOfChart(root *yaml.Node) ChartRegistry {
	for _, keys := range chartRegistries {
		if text := strings.TrimSuffix(nodes.Text(nodes.At(root, keys...)), "/"); text != "" {
			return ChartRegistry{Text: text, Key: strings.Join(keys, "."), fallback: keys[len(keys)-1] == "hub"}
		}
	}
	return ChartRegistry{}
}

// registriesAround are keys of a registry that stands around images in charts of their
// own convention. Whether such a chart puts it in front of one cannot be told.
var registriesAround = []string{"registry", "imageRegistry", "image_registry", "dockerRegistry", "docker_registry", "containerRegistry", "systemDefaultRegistry", "registryUrl", "registryURL", "registryHost", "registryName"}

// Around finds the registry in the mappings around a place, or in the one there. It
// looks at each mapping once.
type Around map[*yaml.Node]ChartRegistry

// Registry gives it. Docker Hub is what everybody takes without one.
func (a Around) Registry(t *nodes.Trail) ChartRegistry {
	for ; t != nil; t = t.Up {
		m := nodes.Resolve(t.Node)
		r, ok := a[m]
		if !ok {
			r = registryIn(m)
			a[m] = r
		}
		if r.Text != "" {
			return r
		}
	}
	return ChartRegistry{}
}

func registryIn(m *yaml.Node) ChartRegistry {
	if m.Kind != yaml.MappingNode {
		return ChartRegistry{}
	}
	for _, key := range registriesAround {
		text := strings.TrimSuffix(nodes.Text(nodes.Value(m, key)), "/")
		if HasHost(text+"/x") && text != "docker.io" && text != "index.docker.io" {
			return ChartRegistry{Text: text, Key: key, doubtful: true}
		}
	}
	return ChartRegistry{}
}

// RepositoryOfTag is the key that would name the repository of a tag's path.
func RepositoryOfTag(path string) string {
	for _, end := range []string{"Tag", "_tag", "-tag"} {
		if stem, ok := strings.CutSuffix(path, end); ok {
			return stem + strings.NewReplacer("Tag", "Repository", "tag", "repository").Replace(end)
		}
	}
	return nodes.Join(path, "repository")
}

// Over gives the registry that stands in front of a repository whose own one, under
// a key beside it, may be empty; unknown says why that cannot be told.
func (r ChartRegistry) Over(own, repository string) (registry, unknown string) {
	switch {
	case r.Text == "" || (r.fallback || r.doubtful) && own != "":
		return own, ""
	case r.doubtful && !HasHost(repository) && repository != "":
		return "", r.Doubt()
	case r.doubtful:
		return "", ""
	case own != "" || !HasHost(repository):
		return r.Text, ""
	case strings.HasPrefix(repository, r.Text+"/"):
		return "", ""
	}
	return "", r.Doubt()
}

// Doubt is why the repository of a reference is not known that is written whole:
// charts differ in whether they put the registry of all images in front of it.
func (r ChartRegistry) Doubt() string {
	return fmt.Sprintf("its repository cannot be told from this file: whether %s stands in front of it, the chart decides", r.Key)
}

// HasHost tells whether a repository begins with a registry, by the rule of all
// clients: a dot, a port, or localhost before the first slash.
func HasHost(repository string) bool {
	host, _, ok := strings.Cut(repository, "/")
	return ok && (strings.ContainsAny(host, ".:") || host == "localhost")
}

// NameParts are keys that hold another part of an image's name in charts of their
// own convention. How such a chart joins them cannot be told.
var NameParts = []string{"host", "hostname", "server", "domain", "org", "organization", "organisation", "owner", "namespace", "project", "prefix", "repositoryPrefix", "registryPath"}

// HasNamePart tells whether a mapping has one of them.
func HasNamePart(get func(key string) *yaml.Node, keys ...string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return nodes.Text(get(key)) != "" })
}

// RepositoryOf reads a repository without tag and digest; "" where a value is
// none. ok is false where the value is surely no image: a URL, or no scalar.
func RepositoryOf(n *yaml.Node) (repository string, ok bool) {
	switch {
	case n == nil:
		return "", true
	case nodes.Resolve(n).Kind != yaml.ScalarNode:
		return "", false
	}
	text := nodes.Text(n)
	if strings.Contains(text, "://") {
		return "", false
	}
	repo, tag, digest, ok := reference.SplitRef(text, false)
	if !ok || tag != "" || digest != "" || !reference.IsName(strings.TrimPrefix(repo, "/")) {
		return "", true
	}
	return repo, true
}
