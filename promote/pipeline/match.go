package pipeline

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/internal/kustomization"
	"github.com/kubepromote/kubepromote/promote/internal/location"
)

// Match gives what a file may be of: a site for each location that it fits. Of a file
// that several services share, the service and the part of it are open.
func (p *Pipeline) Match(file string) []Site {
	var out []Site
	for i := range p.Spec.Environments {
		e := &p.Spec.Environments[i]
		for n, entry := range p.Spec.layoutOf(e) {
			if one, ok := p.matches(entry, n, e, file); ok {
				if own, _ := p.Spec.ownLayout(one.Service); own == nil {
					out = append(out, one)
				}
			}
		}
		for _, service := range p.Spec.Services {
			own, first := p.Spec.ownLayout(service.Name)
			for n, entry := range own {
				if one, ok := p.matches(entry, first+n, e, file); ok && one.Service == service.Name {
					out = append(out, one)
				}
			}
		}
	}
	return out
}

func (p *Pipeline) matches(entry Location, n int, e *Environment, file string) (one Site, ok bool) {
	at := file
	if !location.IsFile(entry.Path) && kustomization.Is(file) {
		at = path.Dir(file)
	} else if !location.IsFile(entry.Path) && strings.Contains(path.Base(file), ".") {
		return one, false
	}
	given := location.Holes{location.Environment: e.folder()}
	found, ok := location.Match(entry.Path, at, given)
	if !ok {
		return one, false
	}
	one = Site{Entry: n, Environment: e.Name, Path: at, Image: entry.eachImage(), Holes: map[string]string{}, Starred: len(found.Stars) > 0}
	for name, text := range found.Holes {
		if name == location.Service {
			one.Service = text
		} else {
			one.Holes[name] = text
		}
	}
	if !location.Has(entry.Path+entry.Within, location.Service) && !one.Image {
		one.Service = entry.service(p)
	}
	one.Within = location.Fill(location.Fill(entry.Within, given), found.Holes)
	return one, true
}

// Pathspecs gives the Git pathspecs of the files of some services in some environments;
// those of all where none is named.
func (p *Pipeline) Pathspecs(services []string, environments ...string) []string {
	if len(services) == 0 {
		services = []string{"*"}
	}
	var specs []string
	for i := range p.Spec.Environments {
		e := &p.Spec.Environments[i]
		if len(environments) > 0 && !slices.Contains(environments, e.Name) {
			continue
		}
		for _, entry := range p.Spec.layoutOf(e) {
			for _, service := range services {
				specs = append(specs, entry.pathspecs(e, path.Base(service))...)
			}
		}
		for _, one := range p.Spec.Services {
			own, _ := p.Spec.ownLayout(one.Name)
			for _, entry := range own {
				if services[0] == "*" || slices.Contains(services, one.Name) {
					specs = append(specs, entry.pathspecs(e, one.Name)...)
				}
			}
		}
	}
	slices.Sort(specs)
	return slices.Compact(specs)
}

// Glob is the location's path in an environment, with a star in the place of each hole.
func (l Location) Glob(e *Environment) string {
	return location.Glob(l.Path, location.Holes{location.Environment: e.folder()})
}

func (l Location) pathspecs(e *Environment, service string) []string {
	return location.Pathspecs(l.Path, location.Holes{location.Environment: e.folder(), location.Service: service})
}

// OverlayPath gives the path of the overlay of a service in an environment, as the
// first location of the layout has it: a directory, or a file.
func (p *Pipeline) OverlayPath(service, environment string) string {
	e, err := p.Environment(environment)
	if err != nil {
		return ""
	}
	return location.Fill(p.Spec.layoutOf(e)[0].Path, location.Holes{location.Environment: e.folder(), location.Service: service})
}

// EnvironmentOf finds the environment that a directory is part of: one that a template
// of the layout leads to or through, as far as the environment's folder. Where folders
// lie in each other, the innermost counts. ok is false where it is part of none, such as
// the directory of a base; those whose files are elsewhere have none here. service is the
// one whose part it is, or "".
func (p *Pipeline) EnvironmentOf(dir string) (e *Environment, service string, ok bool) {
	longest := 0
	for i := range p.Spec.Environments {
		one := &p.Spec.Environments[i]
		if one.Elsewhere() {
			continue
		}
		for _, entry := range p.Spec.layoutOf(one) {
			template := strings.Split(entry.Path, "/")
			hole := slices.IndexFunc(template, func(element string) bool { return strings.Contains(element, environmentHole) })
			if hole < 0 {
				continue
			}
			need := hole + 1 + strings.Count(one.folder(), "/")
			found, n := location.Lead(entry.Path, dir, location.Holes{location.Environment: one.folder()})
			if n >= need && need > longest {
				e, service, longest = one, found.Holes[location.Service], need
			}
		}
	}
	return e, service, e != nil
}

// Misfits says what of a layout fits nothing: all of it, an environment's part, or a
// location; and which locations have the same pins. A name that is not that of the folder
// looks like an environment without services.
func (p *Pipeline) Misfits(overlays ByService, unknown ...string) []string {
	in := make(map[string]bool)
	for _, environments := range overlays {
		for e := range environments {
			in[e] = true
		}
	}
	var out []string
	for i := range p.Spec.Environments {
		e := &p.Spec.Environments[i]
		if !in[e.Name] && !slices.Contains(unknown, e.Name) && (len(unknown) == 0 || !e.EachService()) {
			line := fmt.Sprintf("environment %q has no overlay: nothing fits %s", e.Name,
				location.Fill(p.Spec.layoutOf(e).String(), location.Holes{location.Environment: e.folder()}))
			if e.Elsewhere() {
				line += ", on " + e.Place().String()
			}
			out = append(out, line)
		}
	}
	if len(out) == len(p.Spec.Environments) {
		return []string{"no overlay anywhere: nothing fits the layout " + p.Spec.Layout.String()}
	}
	if len(out) == 0 && len(unknown) == 0 {
		out = p.unused(overlays)
	}
	return append(out, p.claims(overlays)...)
}

// Services names the services of a repository, in alphabetical order.
func (p *Pipeline) Services(tree Tree) ([]string, error) {
	overlays, err := p.Sites(tree).All()
	return slices.Sorted(maps.Keys(overlays)), err
}
