package promote

import (
	"slices"
	"strings"
)

// OverlayPath gives the path of the overlay of a service in an environment, as the
// layout has it: a directory, or a file.
func (p *Pipeline) OverlayPath(service, environment string) string {
	return p.Spec.placement().overlayPath(service, environment)
}

// EnvironmentOf finds the environment that a directory is part of: one that the
// layout's template leads to or through, as far as the environment's folder. Where
// folders lie in each other, the innermost counts. ok is false where it is part of
// none, such as the directory of a base.
func (p *Pipeline) EnvironmentOf(dir string) (e *Environment, ok bool) {
	template := strings.Split(p.Spec.Layout.Path, "/")
	hole := slices.IndexFunc(template, func(segment string) bool { return strings.Contains(segment, environmentHole) })
	names, longest := strings.Split(dir, "/"), 0
	for i := range p.Spec.Environments {
		one := &p.Spec.Environments[i]
		want := strings.Split(strings.Replace(strings.Join(template[:hole+1], "/"), environmentHole, one.folder(), 1), "/")
		if len(want) > longest && leadsThrough(want, names) {
			e, longest = one, len(want)
		}
	}
	return e, e != nil
}

func leadsThrough(template, names []string) bool {
	if len(template) > len(names) {
		return false
	}
	for i, segment := range template {
		if _, _, ok := matchSegment(segment, names[i]); !ok {
			return false
		}
	}
	return true
}
