package overlay

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Known tells whether the file says which repository an image's pin is about. Where
// it does not, Repository and Ref are nothing that a registry could be asked for.
func (p Pin) Known() bool { return p.Unknown == "" }

// notHere is why a repository is not known that nothing in the file names; at is
// where it would stand.
func notHere(at string) string {
	return fmt.Sprintf("its repository is not in this file (%s would name it)", at)
}

// chartRegistry is the registry that a chart's values set for all of its images.
type chartRegistry struct {
	text string
	key  string // where it stands, for messages
	// fallback says that an image's own registry takes precedence.
	fallback bool
}

// chartRegistries are the keys of such a registry: Bitnami's, Grafana's, and what
// others have made of them, then Rancher's and Istio's.
var chartRegistries = [][]string{
	{"global", "imageRegistry"}, {"global", "image", "registry"}, {"global", "registry"}, {"global", "containerRegistry"},
	{"global", "dockerRegistry"}, {"global", "systemDefaultRegistry"}, {"global", "cattle", "systemDefaultRegistry"}, {"global", "hub"},
}

// registryOfChart reads it from the root of the values.
func registryOfChart(root *yaml.Node) chartRegistry {
	for _, keys := range chartRegistries {
		if text := strings.TrimSuffix(textOf(at(root, keys...)), "/"); text != "" {
			return chartRegistry{text, strings.Join(keys, "."), keys[len(keys)-1] == "hub"}
		}
	}
	return chartRegistry{}
}

// over gives the registry that stands in front of a repository whose own one, under
// a key beside it, may be empty; unknown says why that cannot be told.
func (r chartRegistry) over(own, repository string) (registry, unknown string) {
	switch {
	case r.text == "" || r.fallback && own != "":
		return own, ""
	case own != "" || !hasHost(repository):
		return r.text, ""
	case strings.HasPrefix(repository, r.text+"/"):
		return "", ""
	}
	return "", r.doubt()
}

// doubt is why the repository of a reference is not known that is written whole:
// charts differ in whether they put the registry of all images in front of it.
func (r chartRegistry) doubt() string {
	return fmt.Sprintf("its repository cannot be told from this file: whether %s stands in front of it, the chart decides", r.key)
}

// hasHost tells whether a repository begins with a registry, by the rule of all
// clients: a dot, a port, or localhost before the first slash.
func hasHost(repository string) bool {
	host, _, ok := strings.Cut(repository, "/")
	return ok && (strings.ContainsAny(host, ".:") || host == "localhost")
}

// nameParts are keys that hold another part of an image's name in charts of their
// own convention. How such a chart joins them cannot be told.
var nameParts = []string{"org", "organization", "organisation", "owner", "namespace", "project", "prefix", "repositoryPrefix", "registryPath"}

// hasNamePart tells whether a mapping has one of them.
func hasNamePart(get func(key string) *yaml.Node, keys ...string) bool {
	for _, key := range keys {
		if n := get(key); n != nil && textOf(n) != "" {
			return true
		}
	}
	return false
}
