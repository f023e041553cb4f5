package merging

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// changes is what a merge changes, by services.
type changes struct {
	all    []branch.Change
	own    map[string][]branch.Change
	beside []branch.Change // of no service
	// old and now are the pins of the services that change.
	old, now map[string]pins
	failed   map[string]error // services whose files cannot be read afterwards

	reading sync.Mutex
	read    map[string]promote.File // what was read, by its path
	sizes   map[string]int64        // of the objects of all
}

// pins are those of one service in one tree.
type pins []pin

type pin struct {
	overlay, file string
	overlay.Pin
}

// is is what tells whether a pin has changed.
func (p pin) is() [6]string {
	return [6]string{string(p.Type), p.overlay, p.Name, p.Repository(), p.Tag, p.Digest}
}

// short names an image and its pin.
func (p pin) short() string {
	return p.Name + " " + history.Pin{Tag: p.Tag, Digest: p.Digest}.Short()
}

func (p pins) equal(other pins) bool {
	return slices.EqualFunc(p, other, func(a, b pin) bool { return a.is() == b.is() })
}

// changed finds out what the merge changes, and whose it is.
func (c *carrier) changed(ctx context.Context) (*changes, error) {
	out := &changes{own: make(map[string][]branch.Change), old: make(map[string]pins), now: make(map[string]pins), failed: make(map[string]error)}
	if len(c.merge.Conflicts) > 0 && c.how != HowPaths {
		return out, nil
	}
	var err error
	if out.all, err = c.target.Changes(ctx, c.target.Root(), c.merge.Tree); err != nil || len(out.all) == 0 {
		return out, err
	}
	old, err := c.sitesIn(c.target.With(c.target.Root()))
	if err != nil {
		return nil, err
	}
	now, err := c.sitesIn(c.target.With(c.merge.Tree))
	if err != nil {
		return nil, err
	}
	owned := make(map[string]bool)
	services := maps.Clone(old.sites)
	maps.Copy(services, now.sites)
	for _, service := range slices.Sorted(maps.Keys(services)) {
		touched, shared := touching(out.all, slices.Concat(old.sites[service], now.sites[service]))
		if len(touched) == 0 {
			continue
		}
		was, before, _ := old.pins(service) // what nobody can read has no pins that anybody uses
		is, after, err := now.pins(service)
		if !before && !after && err == nil {
			continue // a directory without an overlay is no service
		}
		if shared && err == nil && was.equal(is) {
			continue // another's part of a file changes
		}
		out.own[service], out.old[service], out.now[service] = touched, was, is
		if err != nil {
			out.failed[service] = err
		}
		for _, one := range touched {
			owned[one.Path] = true
		}
	}
	for _, one := range out.all {
		if !owned[one.Path] {
			out.beside = append(out.beside, one)
		}
	}
	return out, nil
}

// touching gives the changes at the sites of a service, and tells whether they are but in
// files that it shares with others.
func touching(all []branch.Change, sites []pipeline.Site) (out []branch.Change, shared bool) {
	shared = true
	for _, one := range all {
		for _, s := range sites {
			if one.Path == s.Path || strings.HasPrefix(one.Path, s.Path+"/") {
				shared = shared && s.Within+one.Path != one.Path || s.Image
				out = append(out, one)
				break
			}
		}
	}
	return out, shared
}

// standing are the sites of the target environment in one tree.
type standing struct {
	sites map[string][]pipeline.Site
	read  *pipeline.Sites
}

func (c *carrier) sitesIn(tree promote.Tree) (*standing, error) {
	s := &standing{sites: make(map[string][]pipeline.Site), read: c.asked.Pipeline.Sites(pipeline.Everywhere{Tree: tree})}
	all, err := s.read.All(c.asked.To.Name)
	for service, in := range all {
		s.sites[service] = in[c.asked.To.Name]
	}
	return s, err
}

// pins gives all pins of a service, in a fixed order, and tells whether it has an overlay.
func (s *standing) pins(service string) (out pins, exists bool, err error) {
	for _, one := range s.sites[service] {
		f, err := s.read.Read(one, false)
		var images []overlay.Pin
		if err == nil {
			images, err = one.Pins(f)
		}
		if errors.Is(err, pipeline.ErrNoOverlay) {
			continue
		}
		if err != nil {
			return nil, true, err
		}
		exists = true
		if one.Within == "" && !one.Image {
			for _, p := range f.Pins() {
				if p.Type != overlay.TypeImage {
					images = append(images[:len(images):len(images)], p)
				}
			}
		}
		for _, p := range images {
			out = append(out, pin{path.Clean(one.Path), f.Name(), p})
		}
	}
	slices.SortStableFunc(out, func(a, b pin) int {
		x, y := a.is(), b.is()
		return slices.Compare(x[:], y[:])
	})
	return out, exists, nil
}
