package promote

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// placement is a layout together with the folders that stand for environments in
// it, where they are not named as the environments are or lie deeper: prod/eu.
type placement struct {
	Layout
	// folders are those, by the environment's name. An environment that is not in
	// it stands in the template with its name.
	folders map[string]string
	// plain are the others.
	plain []string
}

func (s *PipelineSpec) placement() placement {
	p := placement{Layout: s.Layout}
	for _, e := range s.Environments {
		folder := e.folder()
		if folder == e.Name && !strings.Contains(folder, "/") {
			p.plain = append(p.plain, e.Name)
			continue
		}
		if p.folders == nil {
			p.folders = make(map[string]string)
		}
		p.folders[e.Name] = folder
	}
	return p
}

// at is the layout with an environment's folder filled in.
func (p placement) at(environment string) (Layout, bool) {
	folder, ok := p.folders[environment]
	return Layout{Path: strings.Replace(p.Path, environmentHole, folder, 1)}, ok
}

func (p placement) overlayPath(service, environment string) string {
	if l, ok := p.at(environment); ok {
		return l.overlayPath(service, "")
	}
	return p.Layout.overlayPath(service, environment)
}

// match takes the path of an overlay's file apart.
func (p placement) match(file string) (service, environment string, ok bool) {
	for name := range p.folders {
		l, _ := p.at(name)
		if service, _, ok := l.matchFile(file); ok && isName(service) {
			return service, name, true
		}
	}
	service, environment, ok = p.Layout.match(file)
	return service, environment, ok && (len(p.folders) == 0 || slices.Contains(p.plain, environment))
}

// Overlays finds the overlays there are: service → environment → true.
func (s *PipelineSpec) Overlays(tree Tree) (map[string]map[string]bool, error) {
	return s.placement().overlays(tree)
}

// overlays finds the overlays as [Layout.overlays] does. Where folders lie deeper
// than the template says, only the pipeline's environments are found: prod may be
// one, or the folder of prod/eu.
func (p placement) overlays(tree Tree) (map[string]map[string]bool, error) {
	if len(p.folders) == 0 {
		return p.Layout.overlays(tree)
	}
	found := make(map[string]map[string]bool)
	for _, name := range p.plain {
		if err := p.add(found, tree, name, strings.Replace(p.Path, environmentHole, name, 1)); err != nil {
			return nil, err
		}
	}
	for name := range p.folders {
		l, _ := p.at(name)
		if err := p.add(found, tree, name, l.Path); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// add finds the services of one environment. What only leads to the folder of
// another one is none: eu in prod/eu.
func (p placement) add(found map[string]map[string]bool, tree Tree, environment, template string) error {
	services, err := walkLayout(tree, strings.Split(template, "/"), p.isFile())
	for s := range services {
		at := p.overlayPath(s, environment) + "/"
		if slices.ContainsFunc(slices.Collect(maps.Keys(p.folders)), func(other string) bool {
			return other != environment && strings.HasPrefix(p.overlayPath(s, other), at)
		}) && !p.holds(tree, s, environment) {
			continue
		}
		if found[s] == nil {
			found[s] = make(map[string]bool)
		}
		found[s][environment] = true
	}
	return err
}

// servicesIn lists the services as [Layout.servicesIn] does.
func (p placement) servicesIn(tree Tree, environments ...string) ([]string, error) {
	var folders []string
	for _, e := range environments {
		folders = append(folders, cmp.Or(p.folders[e], e))
	}
	return p.Layout.servicesIn(tree, folders...)
}

// holds tells whether there is a kustomization in an overlay's folder.
func (p placement) holds(tree Tree, service, environment string) bool {
	found, _ := tree.ReadAny(p.overlayPath(service, environment), kustomizationNames)
	return len(found.Have) > 0
}

func (p placement) pathspecs(services []string) []string {
	specs := p.Layout.pathspecs(services)
	for _, name := range slices.Sorted(maps.Keys(p.folders)) {
		l, _ := p.at(name)
		specs = append(specs, l.pathspecs(services)...)
	}
	return specs
}

// misfits says what of a layout fits nothing: all of it, or an environment's part. A
// name that is not that of the folder looks like an environment without services.
func (s *PipelineSpec) misfits(overlays map[string]map[string]bool) []string {
	in := make(map[string]bool)
	for _, environments := range overlays {
		for e := range environments {
			in[e] = true
		}
	}
	var out []string
	for _, e := range s.Environments {
		if !in[e.Name] {
			out = append(out, fmt.Sprintf("environment %q has no overlay: nothing fits %s", e.Name, s.placement().overlayPath(serviceHole, e.Name)))
		}
	}
	if len(out) == len(s.Environments) {
		return []string{"no overlay anywhere: nothing fits the layout " + s.Layout.Path}
	}
	return out
}

// Misfits says what of the pipeline's layout fits nothing in the repository: one line for
// all of it, or one for each environment.
func (p *Promoter) Misfits() ([]string, error) {
	overlays, err := p.Pipeline.Spec.Overlays(p.Repo)
	if err != nil {
		return nil, err
	}
	return p.Pipeline.Spec.misfits(overlays), nil
}
