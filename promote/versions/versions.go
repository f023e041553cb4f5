// Package versions keeps a file that says what each service is pinned to in each
// environment, for people and programs that do not want to read overlays.
//
// The file has one line for a service in an environment, in alphabetical order, so that a
// promotion changes one line of it. By its name it is JSON, or a table in Markdown:
//
//	{
//	  "apiVersion": "kubepromote.dev/v1alpha1",
//	  "kind": "Versions",
//	  "versions": [
//	    {"service":"cart","environment":"production","images":[{"image":"registry.example.com/shop/cart","tag":"v1.2.0","digest":"sha256:…"}]}
//	  ]
//	}
//
// The overlays are the truth, and the file follows from them. [Of] and [All] read them;
// [Parse] takes a file that is just as [File.Bytes] writes it, and no other; [File.Put]
// replaces entries; [Compare] tells where a file and the overlays differ.
//
// Environments that are on another branch, or in another repository, are not in it: nobody
// could change both in one commit.
package versions

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/internal/parallel"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// Entry is what a service is pinned to in an environment.
type Entry struct {
	Service     string  `json:"service"`
	Environment string  `json:"environment"`
	Images      []Image `json:"images,omitempty"`
	// Along is what moves beside the images: charts and revisions, where the pipeline
	// promotes them.
	Along []Along `json:"along,omitempty"`
}

// Image is a pin.
type Image struct {
	// Image is the repository, or where the pin stands if that is not known.
	Image  string `json:"image"`
	Tag    string `json:"tag,omitempty"`
	Digest string `json:"digest,omitempty"`
}

// Along is the version of a chart, or the revision of a repository.
type Along struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// compare orders entries as they stand in a file.
func (e Entry) compare(other Entry) int {
	return cmp.Or(strings.Compare(e.Service, other.Service), strings.Compare(e.Environment, other.Environment))
}

// empty tells that nothing is pinned, so that there is no line.
func (e Entry) empty() bool { return len(e.Images)+len(e.Along) == 0 }

// same tells whether two entries have the same pins.
func (e Entry) same(other Entry) bool {
	return slices.Equal(e.Images, other.Images) && slices.Equal(e.Along, other.Along)
}

// Of reads what services have in an environment, an entry each in the order of the names.
// One that has no pin there has an entry without any.
func Of(ctx context.Context, p *pipeline.Pipeline, tree pipeline.Tree, e *pipeline.Environment, services []string) ([]Entry, error) {
	sites := p.Sites(tree)
	out := make([]Entry, len(services))
	errs := parallel.Each(ctx, len(services), func(n int) error {
		at, err := sites.Of(e, services[n])
		if err != nil {
			return err
		}
		out[n], err = entryOf(p, sites, e.Name, services[n], at)
		return err
	})
	return out, errors.Join(errs...)
}

// All reads what all services have in the environments that are at home, in the order of
// a file. Entries without pins are left out.
func All(ctx context.Context, p *pipeline.Pipeline, tree pipeline.Tree) ([]Entry, error) {
	var home []string
	for _, e := range p.Spec.Environments {
		if !e.Elsewhere() {
			home = append(home, e.Name)
		}
	}
	if len(home) == 0 {
		return nil, nil // no name would stand for all
	}
	sites := p.Sites(tree)
	all, err := sites.All(home...)
	if err != nil {
		return nil, err
	}
	type cell struct{ service, environment string }
	var cells []cell
	for _, service := range slices.Sorted(maps.Keys(all)) {
		for _, environment := range slices.Sorted(maps.Keys(all[service])) {
			cells = append(cells, cell{service, environment})
		}
	}
	out := make([]Entry, len(cells))
	errs := parallel.Each(ctx, len(cells), func(n int) (err error) {
		c := cells[n]
		out[n], err = entryOf(p, sites, c.environment, c.service, all[c.service][c.environment])
		return err
	})
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return slices.DeleteFunc(out, Entry.empty), errors.Join(errs...)
}

// entryOf reads the sites of a service. Pins that say the same are one.
func entryOf(p *pipeline.Pipeline, sites *pipeline.Sites, environment, service string, at []pipeline.Site) (Entry, error) {
	if len(at) > 0 {
		service = at[0].Service // in full, where the name alone is that of several
	}
	out := Entry{Service: service, Environment: environment}
	found, err := status.Of(p, sites, environment, at)
	if err != nil {
		return out, err
	}
	for _, i := range found.Images {
		out.Images = append(out.Images, Image{cmp.Or(i.Repository, i.Name), i.Tag, i.Digest})
	}
	for _, a := range found.Along {
		out.Along = append(out.Along, Along{a.Kind, a.Name, a.Version})
	}
	out.order()
	return out, nil
}

// order sorts what is in an entry, and leaves out what is there twice.
func (e *Entry) order() {
	slices.SortFunc(e.Images, func(a, b Image) int {
		return cmp.Or(strings.Compare(a.Image, b.Image), strings.Compare(a.Tag, b.Tag), strings.Compare(a.Digest, b.Digest))
	})
	slices.SortFunc(e.Along, func(a, b Along) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version))
	})
	e.Images, e.Along = slices.Compact(e.Images), slices.Compact(e.Along)
}

// String is what is pinned, for people.
func (e Entry) String() string {
	var all []string
	for _, i := range e.Images {
		text := i.Image
		if i.Tag != "" {
			text += ":" + i.Tag
		}
		if i.Digest != "" {
			text += "@" + i.Digest
		}
		all = append(all, text)
	}
	for _, a := range e.Along {
		all = append(all, a.Kind+" "+a.Name+" "+a.Version)
	}
	return cmp.Or(strings.Join(all, ", "), "nothing")
}
