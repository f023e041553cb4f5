package overlay

import "go.yaml.in/yaml/v3"

// manifest finds the images of an API object: those of pods' containers and
// volumes wherever they stand, and those at the paths that the caller declared.
func (f *finder) manifest(root *yaml.Node, path string) {}
