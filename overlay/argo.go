package overlay

import "go.yaml.in/yaml/v3"

// isArgoOverride tells a file of Argo CD's parameter overrides by its name.
func isArgoOverride(file string) bool { return false }

// argo finds the pins of an Application or ApplicationSet; false where the kind
// is another.
func (f *finder) argo(kind string, root *yaml.Node, path string) bool { return false }

// argoSource finds the pins of one source of an application.
func (f *finder) argoSource(source *yaml.Node, path string) {}
