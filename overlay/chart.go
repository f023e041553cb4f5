package overlay

import "go.yaml.in/yaml/v3"

// isChart tells a Chart.yaml from a values file.
func isChart(root *yaml.Node) bool { return false }

// chart finds the versions of a chart's dependencies.
func (f *finder) chart(root *yaml.Node, path string) {}
