package promote

import "strings"

// Overlay gives the path of the overlay of a service in an environment, as the
// template has it: a directory, or a file.
func (l Layout) Overlay(service, environment string) string {
	return l.overlayPath(service, environment)
}

// EnvironmentOf finds the environment that a directory is part of: one that the
// layout's template leads to or through, as far as the environment's name. ok is
// false where it is part of none, such as the directory of a base.
func (p *Pipeline) EnvironmentOf(dir string) (e *Environment, ok bool) {
	names := strings.Split(dir, "/")
	for i, template := range strings.Split(p.Spec.Layout.Path, "/") {
		if i == len(names) {
			return nil, false
		}
		_, environment, ok := matchSegment(template, names[i])
		if !ok {
			return nil, false
		}
		if environment != "" {
			e, err := p.Environment(environment)
			return e, err == nil
		}
	}
	return nil, false
}
