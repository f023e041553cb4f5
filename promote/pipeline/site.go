package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/kustomization"
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"github.com/kubepromote/kubepromote/promote/internal/remember"
)

// Site is a location with its holes filled: where pins of one service stand in one
// environment.
type Site struct {
	// Entry is the location's number in the layout.
	Entry int
	// Service is its name, behind what other holes stand for where two services would
	// be called alike; empty where the file is shared, and nobody has said by whom.
	Service     string
	Environment string
	// Path is a file, or a directory that holds a kustomization.
	Path string
	// Within is the part of the file that is the service's; empty where all is.
	Within string
	// Image tells that the service is the image of its name.
	Image bool
	// Holes are what the layout's other holes stand for.
	Holes map[string]string
	// Starred tells that the path has text in the place of stars.
	Starred bool

	listed bool // by its directory
	// named is where another file names the site's; under are the files that it is laid
	// over then, the nearest first.
	named string
	under []string
}

// IsFile tells whether the site is a file, and no directory that holds one.
func (s Site) IsFile() bool { return s.named != "" || location.IsFile(s.Path) }

// IsNamed tells whether the site is a file of values that another file names.
func (s Site) IsNamed() bool { return s.named != "" }

// Counterpart is the same for the sites of two environments that belong together.
func (s Site) Counterpart() string {
	return strconv.Itoa(s.Entry) + " " + s.named + " " + location.Holes(s.Holes).Key()
}

// Sites finds the sites in the trees of a pipeline's environments, by its layout.
type Sites struct {
	home     Tree
	pipeline *Pipeline
	lock     sync.Mutex
	stands   map[Place]stand
	namers   sync.Once
	shares   remember.Once[sharing, *overlay.File]
	parts    remember.Once[sharing, map[string][]Site]
	namedBy  map[standing][]user // see users
}

// sharing is a file that services share, as [Sites.Read] is asked for it.
type sharing struct {
	place             Place // that of a service, where each has its own
	path, environment string
	entry             int
	strict            bool
	within            string // where it is asked for its services
	image             bool
}

// stand is a place with what was found in it.
type stand struct {
	Tree
	finder *location.Finder
}

// Sites are those in a tree; in several where it has those of other places, see [Places].
func (p *Pipeline) Sites(home Tree) *Sites {
	return &Sites{home: home, pipeline: p, stands: make(map[Place]stand)}
}

// of gives what is at an environment's place.
func (s *Sites) of(e *Environment) (stand, error) {
	at := e.Place()
	s.lock.Lock()
	defer s.lock.Unlock()
	found, ok := s.stands[at]
	if !ok {
		tree, err := e.TreeOf(s.home)
		if err != nil {
			return found, err
		}
		found = stand{tree, &location.Finder{Tree: tree}}
		s.stands[at] = found
	}
	return found, nil
}

// treeOf gives the files that a site is in.
func (s *Sites) treeOf(one Site) (Tree, error) {
	e, err := s.environment(one)
	if err != nil {
		return nil, err
	}
	return s.of(e)
}

// ByService are the sites of services by their names and environments.
type ByService map[string]map[string][]Site

// Check gives an error for the first name that is no service.
func (b ByService) Check(names []string) error {
	for _, n := range names {
		if b[n] == nil {
			return &lookupError{fmt.Sprintf("unknown service %q", n), spelling.Hint(n, slices.Sorted(maps.Keys(b))), ErrUsage}
		}
	}
	return nil
}

// All finds the sites of all services in the environments named, or in all. What is
// listed exists as far as directories tell. Where nobody can tell what some places have,
// the others are there beside the error.
func (s *Sites) All(environments ...string) (ByService, error) {
	out := make(ByService)
	var unreached []error
	for i := range s.pipeline.Spec.Environments {
		e := &s.pipeline.Spec.Environments[i]
		if len(environments) > 0 && !slices.Contains(environments, e.Name) {
			continue
		}
		here, err := s.in(e, "")
		var place *Unreached
		switch {
		case errors.As(err, &place):
			if unreached = append(unreached, err); !e.EachService() {
				continue
			} // whose services are told by the others: those that are known are there
		case err != nil:
			return nil, err
		}
		err = nil
		at, _ := s.of(e)
		here = slices.DeleteFunc(here, func(one Site) bool {
			if e.EachService() {
				at, _ = s.of(e.of(one.Service))
			}
			there := one.listed
			if !there {
				var ferr error
				there, ferr = at.finder.Exists(one.Path)
				err = cmp.Or(err, ferr)
			}
			return !there || s.leadsOn(e, at, one)
		})
		if err != nil {
			return nil, err
		}
		for _, one := range named(here) {
			if out[one.Service] == nil {
				out[one.Service] = make(map[string][]Site)
			}
			out[one.Service][e.Name] = append(out[one.Service][e.Name], one)
		}
	}
	return out, errors.Join(unreached...)
}

// Reached is All without the places of which nobody can tell what they have.
func (s *Sites) Reached() (ByService, error) {
	all, err := s.All()
	var unreached *Unreached
	if errors.As(err, &unreached) {
		err = nil
	}
	return all, err
}

// Listed names the services in an environment, as far as that is told up to the last hole
// of a template. What lies behind it is not looked for.
func (s *Sites) Listed(e *Environment) (map[string]bool, error) {
	here, err := s.in(e, "")
	names := make(map[string]bool)
	for _, one := range named(here) {
		names[one.Service] = true
	}
	return names, err
}

// Of finds the sites of one service in an environment, by its name or its full name.
// Whether there is anything at them is found out by reading. Where the name is that
// of several services, the error says which.
func (s *Sites) Of(e *Environment, service string) ([]Site, error) {
	bare := path.Base(service)
	here, err := s.in(e, bare)
	if err != nil {
		return nil, err
	}
	if err := s.onlyOnce(e, here); err != nil {
		return nil, err
	}
	full := named(here)
	if bare != service {
		return slices.DeleteFunc(full, func(one Site) bool { return one.Service != service && one.FullName() != service }), nil
	}
	names := make(map[string]bool)
	for _, one := range full {
		names[one.Service] = true
	}
	if len(names) > 1 {
		all := slices.Sorted(maps.Keys(names))
		return nil, &lookupError{fmt.Sprintf("%d services are called %q", len(names), service), "name one: " + strings.Join(all[:min(len(all), 10)], ", "), ErrUsage}
	}
	return full, nil
}

// in finds what fits an environment's layout, of one service or of all. Services that
// have a layout for themselves are looked for there alone.
func (s *Sites) in(e *Environment, service string) ([]Site, error) {
	spec := &s.pipeline.Spec
	if e.EachService() && service == "" {
		return s.inEach(e)
	}
	e = e.of(service)
	if own, first := spec.ownLayout(service); service != "" && own != nil {
		return s.fit(own, first, e, service)
	}
	out, err := s.fit(spec.layoutOf(e), 0, e, service)
	if err != nil || service != "" {
		return out, err
	}
	for _, one := range spec.Services {
		own, first := spec.ownLayout(one.Name)
		if own == nil {
			continue
		}
		out = slices.DeleteFunc(out, func(found Site) bool { return found.Service == one.Name })
		more, err := s.fit(own, first, e, one.Name)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// fit finds what fits a layout, whose first location has a number.
func (s *Sites) fit(layout Layout, first int, e *Environment, service string) ([]Site, error) {
	var out []Site
	there, err := s.of(e)
	if err != nil {
		return nil, err
	}
	for i, entry := range layout {
		given := location.Holes{location.Environment: e.folder()}
		switch one := entry.service(s.pipeline); {
		case location.Has(entry.Path+entry.Within, location.Service):
			if service != "" {
				given[location.Service] = service
			}
		case entry.eachImage():
		case service != "" && service != one:
			continue
		}
		paths, err := there.finder.Find(entry.Path, given)
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			more, err := s.at(first+i, entry, p, e, service)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
	}
	return out, nil
}

// at gives the sites at a path: one, or one for each service that the file tells of.
func (s *Sites) at(entry int, l Location, p location.Found, e *Environment, service string) ([]Site, error) {
	one := Site{Entry: entry, Environment: e.Name, Path: p.Path, Holes: map[string]string{}, Starred: len(p.Stars) > 0, listed: p.Listed}
	given := location.Holes{location.Environment: e.folder()}
	for name, text := range p.Holes {
		given[name] = text
		if name != location.Service {
			one.Holes[name] = text
		}
	}
	one.Within = location.Fill(l.Within, given)
	switch {
	case l.eachImage():
		one.Image = true
		return s.shared(one, service, e)
	case !location.Has(l.Path+l.Within, location.Service):
		one.Service = l.service(s.pipeline)
	case !location.Has(l.Path, location.Service):
		return s.shared(one, service, e)
	default:
		one.Service = cmp.Or(p.Holes[location.Service], service)
	}
	one.Within = location.Fill(one.Within, location.Holes{location.Service: one.Service})
	return []Site{one}, nil
}

// named gives services that are called alike their full names, in which the other
// holes are told: team/web.
func named(all []Site) []Site {
	type name struct {
		entry   int
		service string
	}
	first, twice := make(map[name]string), make(map[string]bool)
	for _, one := range all {
		n, key := name{one.Entry, one.Service}, location.Holes(one.Holes).Key()
		if k, ok := first[n]; ok && k != key {
			twice[one.Service] = true
		}
		first[n] = key
	}
	if len(twice) > 0 {
		for i := range all {
			if twice[all[i].Service] {
				all[i].Service = all[i].FullName()
			}
		}
	}
	return all
}

// FullName is a service's name behind the other holes of its site.
func (s Site) FullName() string {
	parts := []string{}
	for _, name := range slices.Sorted(maps.Keys(s.Holes)) {
		parts = append(parts, s.Holes[name])
	}
	return strings.Join(append(parts, s.Service), "/")
}

// leadsOn tells whether a directory only leads to the folder of another environment,
// such as that of prod/eu, and holds no kustomization itself.
func (s *Sites) leadsOn(e *Environment, at stand, one Site) bool {
	if location.IsFile(one.Path) {
		return false
	}
	place := e.Place()
	for i := range s.pipeline.Spec.Environments {
		e := &s.pipeline.Spec.Environments[i]
		if e.Name == one.Environment || !strings.Contains(e.folder(), "/") || e.Place() != place {
			continue
		}
		for _, entry := range s.pipeline.Spec.layoutOf(e) {
			holes := location.Holes(one.Holes).With(location.Service, one.Service).With(location.Environment, e.folder())
			if strings.HasPrefix(location.Fill(entry.Path, holes), one.Path+"/") {
				found, _ := at.ReadAny(one.Path, kustomization.Names)
				return len(found.Have) == 0
			}
		}
	}
	return false
}

// Shares tells whether a site's file is read once for all services that have a part of it.
func (s *Sites) Shares(one Site) bool {
	return (one.Within != "" || one.Image) && one.named == "" && !s.pipeline.namesServices()
}

// Read reads the file of a site. It returns ErrNoOverlay where there is none. strict
// refuses a directory that has several kustomization files, as kustomize does. A file that
// services share is read once.
func (s *Sites) Read(one Site, strict bool) (*overlay.File, error) {
	if !s.Shares(one) {
		return s.read(one, strict)
	}
	e, err := s.environment(one)
	if err != nil {
		return nil, err
	}
	return s.shares.Do(sharing{e.Place(), one.Path, one.Environment, one.Entry, strict, "", false}, func() (*overlay.File, error) { return s.read(one, strict) })
}

func (s *Sites) read(one Site, strict bool) (*overlay.File, error) {
	name, data, err := s.open(one, strict)
	if err != nil {
		return nil, err
	}
	f, err := s.Parse(one, name, data)
	if err == nil && name == one.Path && !one.IsFile() && len(f.Pins()) == 0 {
		return nil, ErrNoOverlay // a file without an extension is none of the service's then
	}
	return f, err
}

// ReadPins is Read, with those pins of the file that are the service's.
func (s *Sites) ReadPins(one Site, strict bool) (f *overlay.File, pins []overlay.Pin, err error) {
	if f, err = s.Read(one, strict); err == nil {
		pins, err = one.Pins(f)
	}
	return f, pins, err
}

// open finds the file of a site, and its content. What is no directory is taken for a file
// without an extension, such as image-tags/production/web.
func (s *Sites) open(one Site, strict bool) (name string, data []byte, err error) {
	tree, err := s.treeOf(one)
	if err != nil {
		return "", nil, err
	}
	if one.IsFile() {
		data, err := tree.ReadFile(one.Path)
		return one.Path, data, missing(err)
	}
	found, err := tree.ReadAny(one.Path, kustomization.Names)
	switch {
	case strict && len(found.Have) > 1:
		return "", nil, &lookupError{msg: fmt.Sprintf("%s has both %s and %s", one.Path, found.Have[0], found.Have[1]), hint: "keep one of them"}
	case err == nil:
		return path.Join(one.Path, found.Name), found.Data, nil
	case !strings.Contains(path.Base(one.Path), "."):
		if data, ferr := tree.ReadFile(one.Path); ferr == nil {
			return one.Path, data, nil
		}
	}
	return "", nil, missing(err)
}

// missing is ErrNoOverlay in the place of the error for what is not there.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoOverlay
	}
	return err
}

// Holes are what stands for the holes of a site, its service and environment among them.
func (p *Pipeline) Holes(one Site) map[string]string {
	holes := location.Holes(one.Holes)
	if e, err := p.Environment(one.Environment); err == nil {
		holes = holes.With(location.Environment, e.folder())
	}
	if one.Service == "" {
		return holes
	}
	return holes.With(location.Service, path.Base(one.Service))
}
