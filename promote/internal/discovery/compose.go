package discovery

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// isCompose tells a file of Docker Compose by its name: docker-compose.yml, compose.staging.yaml.
func isCompose(file string) bool {
	name := path.Base(file)
	return strings.HasSuffix(name, "ml") && (strings.Contains(name, "docker-compose") || strings.Contains(name, "compose."))
}

// mostComposed is how many Compose files are read.
const mostComposed = 64

// composed takes the files of Docker Compose out of those of a tree. What runs on somebody's
// machine is no environment of a cluster, so that they are in no shape; where some are of several
// environments and have images, that is told, with what a pipeline has to say of them.
func (f *finder) composed(files []string) ([]string, []Leftover) {
	environments := make(map[string]map[string]bool)
	read := 0
	rest := slices.DeleteFunc(files, func(file string) bool {
		if !isCompose(file) {
			return false
		}
		for _, r := range readings(file, false) {
			if environments[r.template][r.environment] || r.guess || read >= mostComposed || isAside(file) {
				continue
			}
			read++
			data, err := f.reader.tree.ReadFile(file)
			if err != nil || !hasImages(data) {
				continue
			}
			if environments[r.template] == nil {
				environments[r.template] = make(map[string]bool)
			}
			environments[r.template][r.environment] = true
		}
		return true
	})
	var out []Leftover
	for template, in := range environments {
		if len(ranksOf(in)) > 1 {
			out = append(out, Leftover{template, fmt.Sprintf("is of Docker Compose, in %s, and in no shape; in a pipeline: layout: [{path: %q, within: \"services.%s\"}], images: [\"services.%s.image\"]",
				list(in), template, serviceHole, serviceHole)})
		}
	}
	slices.SortFunc(out, func(a, b Leftover) int { return strings.Compare(a.Path, b.Path) })
	return rest, out
}

// hasImages tells whether a Compose file has an image with a tag or a digest of its own
// (https://docs.docker.com/reference/compose-file/services/#image).
func hasImages(data []byte) bool {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil || len(root.Content) == 0 {
		return false
	}
	services := field(root.Content[0], "services")
	if services == nil || services.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(services.Content); i += 2 {
		if image := field(services.Content[i+1], "image"); image != nil && image.Kind == yaml.ScalarNode && isReference(image.Value) {
			return true
		}
	}
	return false
}
