package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"go.yaml.in/yaml/v3"
)

// defaultLayout is the layout that works without a pipeline file.
const defaultLayout = "apps/{service}/overlays/{environment}"

const environmentHole = "{" + location.Environment + "}"

// imageServices is the Service of a location in which each image is one.
const imageServices = "image"

// Layout says where the pins of services stand. A service owns what stands at all of
// its locations. In a file it is a list, or one location.
type Layout []Location

// Location is a kind of place where pins stand, as a template for all services and
// environments. In a file it may be written as its path alone.
//
// Holes have names: {service}, {environment}, and others, such as {team}, which stand
// for the same text in two environments. Each may be there several times. A * stands
// for text that may differ: what it matches in the source must agree, and all that it
// matches in the target is edited.
type Location struct {
	// Path is the template of a file or of a directory that holds a kustomization.
	Path string `yaml:"path" json:"path"`
	// Within, if not empty, is the part of a shared file that is meant, by a path as
	// overlay has it: services.{service}.
	Within string `yaml:"within" json:"within,omitempty"`
	// Service names the one service, where neither has {service}; by default it is
	// named as the pipeline. "image" makes each image of the file one.
	Service string `yaml:"service" json:"service,omitempty"`
}

// UnmarshalYAML reads one location as a list of it.
func (l *Layout) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode((*[]Location)(l))
	}
	*l = make(Layout, 1)
	return n.Decode(&(*l)[0])
}

// UnmarshalYAML reads a path as a location.
func (l *Location) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		l.Path = n.Value
		return nil
	}
	type plain Location
	return n.Decode((*plain)(l))
}

// String is the location as a file may have it in one line.
func (l Location) String() string {
	if l.Within == "" {
		return l.Path
	}
	return l.Path + " (" + l.Within + ")"
}

// String lists the locations.
func (l Layout) String() string {
	var all []string
	for _, one := range l {
		all = append(all, one.String())
	}
	return strings.Join(all, ", ")
}

// check adds what is wrong with a layout to the faults of its file. Only where an
// environment has the layout, or its branch, for itself, its hole may be missing.
func (l Layout) check(f *yamlfile.File, path string, p *Pipeline, own bool) {
	for i, one := range l {
		at := path
		if f.Has(fmt.Sprintf("%s[%d]", path, i)) {
			at = fmt.Sprintf("%s[%d]", path, i)
		}
		one.check(f, at, p, own)
	}
}

func (l Location) check(f *yamlfile.File, at string, p *Pipeline, own bool) {
	where := at
	if f.Has(at + ".path") {
		where = at + ".path"
	}
	if err := location.Check(l.Path); err != nil {
		f.At(where, "path: "+defaultLayout, "the layout's path %v", err)
		return
	}
	if l.Within != "" {
		if err := overlay.CheckPath(location.Fill(l.Within, location.Holes{location.Service: "s", location.Environment: "e"})); err != nil {
			f.At(at+".within", "within: services.{service}", "%v", err)
		}
	}
	both := l.Path + "\n" + l.Within
	switch service := l.service(p); {
	case !location.Has(both, location.Environment) && !own:
		f.At(where, "path: "+defaultLayout, "the layout's path %q must hold {environment}", l.Path)
	case location.Has(both, location.Service):
		if l.Service != "" {
			f.At(at+".service", "remove it", "the service is named, and the layout has {service}")
		}
	case service == "":
		f.At(where, "{path: "+l.Path+", service: NAME}, or service: image where each image is one",
			"the layout's path %q has no {service}, and nothing names the one service", l.Path)
	case !location.IsName(service):
		f.At(at, "letters, digits, '.', '_' and '-'", "service name %q is malformed", service)
	}
}

// service names the one service of a location without the hole.
func (l Location) service(p *Pipeline) string {
	if l.Service != "" {
		return l.Service
	}
	return p.Metadata.Name
}

// eachImage tells whether every image of a file is a service.
func (l Location) eachImage() bool { return l.Service == imageServices }

// layoutOf gives the layout that an environment has: its own, or the pipeline's.
func (s *Spec) layoutOf(e *Environment) Layout {
	if len(e.Layout) > 0 {
		return e.Layout
	}
	return s.Layout
}

// ownLayout gives the layout that a service has for itself, with its name filled in, and
// the number that its first location has among all of the pipeline.
func (s *Spec) ownLayout(service string) (own Layout, first int) {
	first = len(s.Layout)
	for _, one := range s.Services {
		if one.Name != service {
			first += len(one.Layout)
			continue
		}
		for _, l := range one.Layout {
			own = append(own, l.ownedBy(service))
		}
		return own, first
	}
	return nil, 0
}

// onlyFiles tells whether all locations are files, beside which lies what belongs to
// anybody.
func (l Layout) onlyFiles() bool {
	return !slices.ContainsFunc(l, func(one Location) bool { return !location.IsFile(one.Path) })
}
