package overlay

import "go.yaml.in/yaml/v3"

// values finds the images of Helm values by the conventions of charts.
func (f *finder) values(root *yaml.Node, path string) {}
