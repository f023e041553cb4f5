package overlay

import "go.yaml.in/yaml/v3"

// isChart tells a Chart.yaml from a values file: it has apiVersion v1 or v2, a
// name and a version, and no kind (https://helm.sh/docs/topics/charts/).
func isChart(root *yaml.Node) bool {
	version := textOf(value(root, "apiVersion"))
	return (version == "v1" || version == "v2") && value(root, "kind") == nil &&
		isScalar(value(root, "name")) && isScalar(value(root, "version"))
}

// chart finds the versions of a chart's dependencies. A version may be a range,
// such as ^1.2 or ">=1 <2"; it is listed as it stands.
func (f *finder) chart(root *yaml.Node, path string) {
	list := value(root, "dependencies")
	if list == nil || resolve(list).Kind != yaml.SequenceNode {
		return
	}
	for i, it := range resolve(list).Content {
		dep := resolve(it)
		if dep.Kind != yaml.MappingNode {
			continue
		}
		name, version := value(dep, "name"), value(dep, "version")
		if textOf(name) == "" || !isScalar(version) {
			continue
		}
		p := Pin{Type: TypeChart, Format: HelmChart, Name: textOf(name), Path: f.path(join(item(join(path, "dependencies"), i), "version"))}
		var st site = newTagSite(f.src, version, p, "version", partTag)
		switch own := keyIndex(dep, "version"); {
		case resolve(list) != list:
			st = borrow(st, f.src, list, version)
		case it != dep:
			st = borrow(st, f.src, it, version)
		case own < 0:
			continue // a version that a merge key brings is its anchor's
		}
		f.sites = append(f.sites, st)
	}
}
