package pipeline

import (
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/promote/internal/location"
)

// errEachService is the cause where one place is asked for of an environment that has many.
var errEachService = errors.New("each service has a place of its own")

// EachService tells whether an environment is in another place for each service: {service}
// stands in its branch or its repository. Which services there are is told by the other
// environments, and by those that the pipeline lists.
func (e *Environment) EachService() bool {
	return location.Has(e.Branch+e.Repository, location.Service)
}

// of is an environment as one service has it.
func (e *Environment) of(service string) *Environment {
	if !e.EachService() {
		return e
	}
	out, holes := *e, location.Holes{location.Service: path.Base(service)}
	out.Branch, out.Repository = location.Fill(e.Branch, holes), location.Fill(e.Repository, holes)
	out.Layout = slices.Clone(e.Layout)
	for i := range out.Layout {
		out.Layout[i] = out.Layout[i].ownedBy(path.Base(service))
	}
	return &out
}

// ownedBy is a location that one service has for itself.
func (l Location) ownedBy(service string) Location {
	if !location.Has(l.Path+l.Within, location.Service) {
		l.Service = service
	}
	return l
}

// Of is the pipeline as one service has it: environments that are in another place for each
// service are in that of this one.
func (p *Pipeline) Of(service string) *Pipeline {
	if !slices.ContainsFunc(p.Spec.Environments, func(e Environment) bool { return e.EachService() }) {
		return p
	}
	out := *p
	out.Spec.Environments = slices.Clone(p.Spec.Environments)
	for i := range out.Spec.Environments {
		out.Spec.Environments[i] = *out.Spec.Environments[i].of(service)
	}
	return &out
}

// environment is that of a site, as its service has it.
func (s *Sites) environment(one Site) (*Environment, error) {
	e, err := s.pipeline.Environment(one.Environment)
	if err != nil {
		return nil, err
	}
	return e.of(one.Service), nil
}

// inEach is in for all services of an environment that is in another place for each. One
// without a branch of its own is not there. Of a place that cannot be read nobody can tell:
// reading the site says so.
func (s *Sites) inEach(e *Environment) ([]Site, error) {
	names, err := s.names()
	var out []Site
	for _, name := range names {
		here, herr := s.in(e, name)
		var place *Unreached
		switch {
		case errors.As(herr, &place):
			out = append(out, Site{Service: name, Environment: e.Name, Path: s.pipeline.Of(name).OverlayPath(name, e.Name), listed: true})
		case errors.Is(herr, fs.ErrNotExist):
		case herr != nil:
			return nil, herr
		}
		out = append(out, here...)
	}
	return out, err
}

// names are the services that are listed, or in an environment with one place for all.
func (s *Sites) names() ([]string, error) {
	names, _ := s.pipeline.dependencies()
	var lost []error
	for i := range s.pipeline.Spec.Environments {
		e := &s.pipeline.Spec.Environments[i]
		if e.EachService() {
			continue
		}
		here, err := s.in(e, "")
		if err != nil {
			lost = append(lost, err)
		}
		for _, one := range here {
			names = append(names, one.Service)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), errors.Join(lost...)
}

// checkEach finds what does not go together with a place for each service.
func (p *Pipeline) checkEach(f *yamlfile.File, e *Environment, at string) {
	switch {
	case !e.EachService():
	case e.Strategy != nil:
		f.At(at+".strategy", "remove the strategy, or {service} from the place", "environment %q is in another place for each service, whose pins are edited there", e.Name)
	case len(p.Spec.Services) == 0 && e.Name == p.Spec.Environments[0].Name && !slices.ContainsFunc(p.Spec.Environments, func(e Environment) bool { return !e.EachService() }):
		f.At(at, "services: [{name: web}]", "all environments are in another place for each service, and nothing names the services")
	}
}
