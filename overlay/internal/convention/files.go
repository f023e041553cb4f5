package convention

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
)

// IsKustomization tells a kustomization from other YAML by its content, or by its
// name where the content is silent, as kustomize does.
func IsKustomization(file string, root *yaml.Node) bool {
	version, kind := nodes.Text(nodes.Value(root, "apiVersion")), nodes.Text(nodes.Value(root, "kind"))
	group, _, _ := strings.Cut(version, "/")
	switch {
	case version != "" && group != "kustomize.config.k8s.io":
		return false
	case kind != "" && kind != "Kustomization" && kind != "Component":
		return false
	case root.Kind != yaml.MappingNode:
		return false
	}
	return version != "" || kind != "" || IsKustomizationName(path.Base(file))
}

// IsKustomizationName tells the names under which kustomize finds a kustomization.
func IsKustomizationName(name string) bool {
	return name == "kustomization.yaml" || name == "kustomization.yml" || name == "Kustomization"
}

// IsChart tells a Chart.yaml from a values file: it has apiVersion v1 or v2, a
// name and a version, and no kind (https://helm.sh/docs/topics/charts/).
func IsChart(root *yaml.Node) bool {
	version := nodes.Text(nodes.Value(root, "apiVersion"))
	return (version == "v1" || version == "v2") && nodes.Value(root, "kind") == nil &&
		nodes.IsScalar(nodes.Value(root, "name")) && nodes.IsScalar(nodes.Value(root, "version"))
}

// IsArgoOverride tells a file of Argo CD's parameter overrides by its name:
// .argocd-source.yaml, or .argocd-source-APP.yaml beside the manifests. Its root
// holds what spec.source of the application holds.
func IsArgoOverride(file string) bool {
	name := path.Base(file)
	return name == ".argocd-source.yaml" || strings.HasPrefix(name, ".argocd-source-") && strings.HasSuffix(name, ".yaml")
}
