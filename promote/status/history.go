package status

import (
	"context"
	"slices"

	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// maxPathspecs is how many services are named to Git one by one; beyond that
// all overlays are asked for and the rest is skipped here.
const maxPathspecs = 100

// AddHistory fills in Last from the repository's history, in one pass that ends
// when all have been found. A pin that is not what its newest change made of it
// stands in the working tree alone, and has none.
func AddHistory(ctx context.Context, p *pipeline.Pipeline, tree pipeline.Tree, log history.Log, statuses []Service) error {
	open := &cells{images: make(map[cell]*Image), along: make(map[cell]*Along), left: make(map[[2]string]int), named: []pipeline.Site{}}
	var services []string
	for i := range statuses {
		services = append(services, statuses[i].Service)
		for j := range statuses[i].Environments {
			open.add(statuses[i].Service, &statuses[i].Environments[j])
		}
	}
	files := slices.Compact(slices.Sorted(slices.Values(open.files)))
	if len(files) == 0 {
		return nil
	}
	if len(services) > maxPathspecs {
		services = nil
	}
	if len(files) > maxPathspecs {
		files = nil
	}
	req := history.Request{Services: services, Files: files, Named: open.named, Wants: func(service, environment string) bool { return open.left[[2]string{service, environment}] > 0 }}
	return history.Read(ctx, p, tree, log, req, func(c history.Change) bool {
		open.take(c)
		return len(open.images)+len(open.along) > 0
	})
}

// cell is a pin on the board.
type cell struct{ service, environment, site, name, path string }

// cells are those whose newest change is not known yet.
type cells struct {
	images map[cell]*Image
	along  map[cell]*Along
	left   map[[2]string]int // of a service in an environment
	files  []string
	named  []pipeline.Site
}

func (o *cells) add(service string, e *Environment) {
	at := [2]string{service, e.Environment}
	o.named = append(o.named, e.named...)
	for k := range e.Images {
		i := &e.Images[k]
		key := cell{service, e.Environment, i.site, i.Name, i.path}
		if o.images[key] == nil {
			o.left[at]++
		}
		o.images[key], o.files = i, append(o.files, i.File)
	}
	for k := range e.Along {
		a := &e.Along[k]
		key := cell{service, e.Environment, a.site, a.Name, a.Kind}
		if o.along[key] == nil {
			o.left[at]++
		}
		o.along[key], o.files = a, append(o.files, a.File)
	}
}

// take takes what a change tells: the newest of each pin.
func (o *cells) take(c history.Change) {
	at := [2]string{c.Service, c.Environment}
	for _, changed := range c.Images {
		key := cell{c.Service, c.Environment, changed.Overlay, changed.Name, changed.Path}
		if o.images[key] == nil {
			key.path = "" // one pin has the name
		}
		if i := o.images[key]; i != nil {
			if changed.New == i.Pin && changed.Repository == i.Repository {
				i.Last = lastOf(c)
			}
			delete(o.images, key)
			o.left[at]--
		}
	}
	for _, changed := range c.Along {
		key := cell{c.Service, c.Environment, changed.Overlay, changed.Name, changed.Kind}
		if a := o.along[key]; a != nil {
			if changed.New == a.Version {
				a.Last = lastOf(c)
			}
			delete(o.along, key)
			o.left[at]--
		}
	}
}

func lastOf(c history.Change) *LastChange {
	l := &LastChange{Commit: c.Commit, Time: c.Time, Author: c.Author, Email: c.Email}
	if c.Record != nil && c.Mismatch == "" {
		l.From, l.Entry, l.SourceCommit, l.Gates, l.Overrides = c.Record.From, c.Record.Entry, c.Record.SourceCommit, c.Record.Gates, c.Record.Overrides
	}
	return l
}
