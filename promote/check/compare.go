package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/internal/parallel"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// version is what a tree has at a site.
type version struct {
	file   *overlay.File
	pins   []overlay.Pin
	absent bool
	err    error
}

func read(sites *pipeline.Sites, one pipeline.Site) (v version) {
	v.file, v.pins, v.err = sites.ReadPins(one, true)
	if errors.Is(v.err, pipeline.ErrNoOverlay) {
		v.absent, v.err = true, nil
	}
	return v
}

// edited is a file that has other pins than before.
type edited struct {
	site    pipeline.Site
	old     *overlay.File
	changes []overlay.Change
}

// compare finds the pins that differ. All files are read in both trees, and not those
// alone that git tells of: what a link leads to, or what a file is laid over, may have
// changed elsewhere.
func (w *work) compare(ctx context.Context) error {
	if err := w.list(); err != nil {
		return err
	}
	after := w.Pipeline.Sites(w.req.After)
	parallel.Each(ctx, len(w.pairs), func(n int) error {
		p := &w.pairs[n]
		p.old, p.now = read(w.before, p.site), read(after, p.site)
		if same(p.old, p.now) {
			p.old.file, p.now.file = nil, nil // nobody asks for its syntax again
		}
		return nil
	})
	for _, p := range w.pairs {
		switch {
		case p.now.err != nil && (p.old.err == nil || w.touches(p.site.Path)):
			w.unread(p.site, p.site.Path, strings.ReplaceAll(p.now.err.Error(), "\n", "; "))
			w.broken = append(w.broken, p.site.Path)
		case p.now.err == nil && !same(p.old, p.now):
			w.differs(p)
		}
	}
	return ctx.Err()
}

// same tells whether a site has the same pins, and nothing that cannot be read, before and
// after.
func same(old, now version) bool {
	return old.err == nil && now.err == nil && old.absent == now.absent && slices.Equal(old.pins, now.pins) && len(newUnread(old, now)) == 0
}

// newUnread gives the images that cannot be read and were not there before.
func newUnread(old, now version) []overlay.Unread {
	if now.file == nil {
		return nil
	}
	var before []overlay.Unread
	if old.file != nil {
		before = old.file.Unread()
	}
	return slices.DeleteFunc(slices.Clone(now.file.Unread()), func(u overlay.Unread) bool {
		return slices.ContainsFunc(before, func(b overlay.Unread) bool { return b.Path == u.Path && b.Text == u.Text })
	})
}

// differs adds what differs at a site.
func (w *work) differs(p pair) {
	for _, u := range newUnread(p.old, p.now) {
		w.unread(p.site, p.now.file.Name(), fmt.Sprintf("%s:%d:%d: %q cannot be read as an image, so nobody can say what runs there",
			p.now.file.Name(), u.Position.Line, u.Position.Col, u.Text))
	}
	file := p.site.Path
	for _, v := range []version{p.old, p.now} {
		if v.file != nil {
			file = v.file.Name()
		}
	}
	changes := history.ImageChanges(file, p.old.pins, p.now.pins)
	for _, pin := range p.now.pins {
		// An entry that sends an image elsewhere and pins nothing is no pin that a history
		// would tell of, and what runs is another image all the same.
		if pin.Tag == "" && pin.Digest == "" && pin.NewName != "" && !slices.ContainsFunc(p.old.pins, func(o overlay.Pin) bool { return o.Name == pin.Name }) {
			changes = append(changes, history.ImageChange{Name: pin.Name, Repository: pin.Repository(), File: file, Path: pin.Path})
		}
	}
	for _, c := range changes {
		pin, there := pinAt(p.now.pins, c)
		if !there {
			pin, _ = pinAt(p.old.pins, c)
		}
		w.report.Changes = append(w.report.Changes, Change{Service: p.site.Service, Environment: p.site.Environment, ImageChange: c, Kind: w.kind(p, c), pin: pin, gone: p.now.absent})
		w.edit(p, file, c)
	}
}

// kind is what can be told of a change by itself; empty where it depends on what stood
// where before.
func (w *work) kind(p pair, c history.ImageChange) Kind {
	pin, there := pinAt(p.now.pins, c)
	old, was := pinAt(p.old.pins, c)
	switch {
	case !there:
		return Removal
	case c.New.Digest == "" || pin.Misread.Hides(c.New.Digest):
		if w.mayBeTag() && !w.moves(c.New.Tag) && !pin.Misread.Found() {
			return ""
		}
		return Mutable
	case was && c.New.Digest == c.Old.Digest && old.Repository() == pin.Repository():
		return Retag
	}
	return ""
}

// mayBeTag tells whether the pipeline lets a pin be a tag alone.
func (w *work) mayBeTag() bool {
	spec := w.Pipeline.Spec
	return spec.Pin == pipeline.PinTag || spec.Pin == pipeline.PinSource && spec.AllowMutable
}

// moves tells of a tag that it is made to be moved: it is called after an environment, or
// is the one that stands for the newest.
func (w *work) moves(tag string) bool {
	return tag == "" || tag == "latest" || slices.ContainsFunc(w.Pipeline.Spec.Environments, func(e pipeline.Environment) bool {
		return tag == e.Name || tag == e.Path || tag == e.Group
	})
}

// pinAt finds the pin of a change: by its path, or by its name in the version that does
// not have the path.
func pinAt(pins []overlay.Pin, c history.ImageChange) (overlay.Pin, bool) {
	for _, p := range pins {
		if p.Path == c.Path && p.Name == c.Name {
			return p, true
		}
	}
	for _, p := range pins {
		if p.Name == c.Name {
			return p, true
		}
	}
	return overlay.Pin{}, false
}

// edit notes what a change does to a file, so that what else differs in it can be told.
func (w *work) edit(p pair, file string, c history.ImageChange) {
	if p.old.file == nil || p.now.file == nil {
		return
	}
	e := w.edited[file]
	if e == nil {
		e = &edited{site: p.site, old: p.old.file}
		w.edited[file] = e
	}
	pin, _ := pinAt(p.now.pins, c)
	change := overlay.Change{Name: c.Name, Tag: overlay.To(c.New.Tag), Digest: overlay.To(c.New.Digest), Create: true}
	if old, ok := pinAt(p.old.pins, c); ok {
		change.Name, change.Path, change.Create = "", old.Path, false
	}
	if pin.NewName != "" {
		change.NewName = overlay.To(pin.NewName)
	}
	e.changes = append(e.changes, change)
}
