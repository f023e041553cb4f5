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

// overlaps tells whether two sites of a file have pins in common: one has all of the
// file, or a part that the other's is in.
func (s Site) overlaps(o Site) bool {
	if s.Path != o.Path || s.Image && o.Image && s.Service != o.Service {
		return false
	}
	_, in := s.Inside(o.Within)
	_, contains := o.Inside(s.Within)
	return s.Within == "" || o.Within == "" || in || contains
}

// Location is the one that a site is of; the zero value where that is none of this pipeline.
func (p *Pipeline) Location(one Site) Location {
	e, err := p.Environment(one.Environment)
	if err != nil {
		return Location{}
	}
	layout := p.Spec.layoutOf(e)
	for _, service := range p.Spec.Services {
		layout = append(slices.Clip(layout), service.Layout...)
	}
	if one.Entry >= len(layout) {
		return Location{}
	}
	return layout[one.Entry]
}

// claimed says that two locations have the same pins.
func (p *Pipeline) claimed(one, other Site) string {
	if one.Entry > other.Entry {
		one, other = other, one
	}
	return fmt.Sprintf("%s is claimed by two locations: %s for %s, and %s for %s", one.Path,
		p.Location(one), one.Service, p.Location(other), other.Service)
}

// onlyOnce is an error where another location has pins of a service's sites too: they
// would be promoted with either, and perhaps twice.
func (s *Sites) onlyOnce(e *Environment, here []Site) error {
	p := s.pipeline
	if len(p.Spec.layoutOf(e)) < 2 && len(p.Spec.Services) == 0 {
		return nil
	}
	for i, one := range here {
		file := one.Path
		if !location.IsFile(file) {
			file = path.Join(file, kustomization.Names[0])
		}
		others := slices.Clone(here[:i])
		for n, entry := range p.Spec.layoutOf(e) {
			other, ok := p.matches(entry, n, e, file)
			if own, _ := p.Spec.ownLayout(other.Service); ok && n != one.Entry && own == nil && other.Service != "" {
				others = append(others, other)
			}
		}
		for _, other := range others {
			if other.Entry != one.Entry && one.overlaps(other) {
				return &lookupError{p.claimed(one, other), "remove one of the locations, or give one of the services a layout of its own under services", ErrUsage}
			}
		}
	}
	return nil
}

// claims says which locations have the same pins: a line for each pair of them.
func (p *Pipeline) claims(overlays ByService) []string {
	type place struct{ environment, path string }
	at := make(map[place][]Site)
	for _, environments := range overlays {
		for e, sites := range environments {
			for _, one := range sites {
				at[place{e, one.Path}] = append(at[place{e, one.Path}], one)
			}
		}
	}
	told := make(map[[2]int]string)
	for _, sites := range at {
		for i, one := range sites {
			for _, other := range sites[:i] {
				pair := [2]int{min(one.Entry, other.Entry), max(one.Entry, other.Entry)}
				if pair[0] == pair[1] || !one.overlaps(other) {
					continue
				}
				if text := p.claimed(one, other); told[pair] == "" || text < told[pair] {
					told[pair] = text
				}
			}
		}
	}
	return slices.Sorted(maps.Values(told))
}

// unused says which locations fit nothing in any environment. overlays are what fits.
func (p *Pipeline) unused(overlays ByService) []string {
	used := make(map[int]bool)
	for _, environments := range overlays {
		for _, sites := range environments {
			for _, one := range sites {
				used[one.Entry] = true
			}
		}
	}
	var out []string
	n := 0
	note := func(layout Layout, of string) {
		for _, l := range layout {
			if !used[n] {
				out = append(out, strings.TrimSpace(fmt.Sprintf("nothing fits the location %s %s", l, of)))
			}
			n++
		}
	}
	note(p.Spec.Layout, "")
	for _, service := range p.Spec.Services {
		note(service.Layout, "of service "+service.Name)
	}
	return out
}
