package promote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// pair pairs the images of a target's file with those of its source, as far as they are
// asked for. Where a layout's stars match several sources, they must agree.
func (w *planner) pair(c *draft, p *part, sources []siteFile, target siteFile) {
	targetApart := history.PinnedApart(target.pins)
	first := make(map[string]*overlay.File)
	for _, source := range sources {
		apart := history.PinnedApart(source.pins)
		for _, img := range source.pins {
			p.images = append(p.images, img)
			if !w.asksFor(img) {
				continue
			}
			c.chosen++
			if at, ok := first[img.Name]; ok && at != source.File {
				continue // which has it alike
			}
			first[img.Name] = source.File
			key := ""
			if apart[img.Name] || targetApart[img.Name] || p.site.Within != "" || !slices.Contains(w.req.Images, img.Name) && slices.Contains(w.req.Images, img.Path) {
				key = source.NamedPath(img)
			}
			if key != "" && !apart[img.Name] {
				if _, ok := target.found.At(img.Format, pathOf(p.site, source.site, key)); !ok {
					key = ""
				}
			}
			if key != "" {
				key = pathOf(p.site, source.site, key)
			}
			if err := w.pairImage(c, p, source.Name(), target, img, key); err != nil {
				c.errs = append(c.errs, err)
			}
		}
	}
}

// disagreements tells where files that stand for one source have an image otherwise.
func (w *planner) disagreements(sources []siteFile) []error {
	type at struct {
		file string
		pin  overlay.Pin
	}
	first := make(map[string]at)
	var errs []error
	for _, f := range sources {
		for _, p := range f.pins {
			other, ok := first[p.Name]
			if !ok || other.file == f.Name() {
				first[p.Name] = at{f.Name(), p}
			} else if w.asksFor(p) && (other.pin.Tag != p.Tag || other.pin.Digest != p.Digest) {
				errs = append(errs, placed(f.Name(), p, "", "image %q is %s here and %s in %s:%d:%d, which are one source", p.Name,
					Pin{Tag: p.Tag, Digest: p.Digest}.Short(), Pin{Tag: other.pin.Tag, Digest: other.pin.Digest}.Short(), other.file, other.pin.Position.Line, other.pin.Position.Col))
			}
		}
	}
	return errs
}

// pathOf is a path in the part of a source, in the part of another site.
func pathOf(s, source pipeline.Site, key string) string {
	if rest, ok := source.Inside(key); ok && s.Within != "" && source.Within != "" {
		return s.Within + rest
	}
	return key
}

// asksFor tells whether an image is to be promoted: all are, or those named by
// name, or by path where several have one name.
func (w *planner) asksFor(i overlay.Pin) bool {
	return len(w.req.Images) == 0 || slices.Contains(w.req.Images, i.Name) || slices.Contains(w.req.Images, i.Path)
}

// noImage says that a source has no image to promote: those that cannot be read are no reason
// to pin another beside them.
func (w *planner) noImage(c *draft) error {
	if i := slices.IndexFunc(c.unread, func(u status.UnreadImage) bool { return slices.Contains(c.sourceFiles(), u.File) }); i >= 0 {
		u := c.unread[i]
		return &overlay.Error{File: u.File, Line: u.Position.Line, Col: u.Position.Col,
			Msg: fmt.Sprintf("image %q cannot be read, so it cannot be promoted", u.Text), Hint: "write a tag of letters, digits, _, . and - there"}
	}
	return failure("", "%s: no image in the source", c.sourceFile()).advising(w.pinAdvice(c, ""))
}

// chooseImages leaves the services that have images to promote, or says why there
// are none.
func (w *planner) chooseImages(context.Context) error {
	known := make(map[string]bool)
	var errs []error
	var kept []*draft
	for _, c := range slices.Clone(w.drafts) {
		n := c.chosen + c.others(w)
		if len(c.errs) > 0 {
			n = -1
			errs = append(errs, w.setAside(c.plan.Service, c.errs...))
		}
		for _, img := range c.sourceImages() {
			known[img.Name], known[img.Path] = true, true
		}
		switch {
		case n == 0 && w.several:
			w.plan.Warnings = append(w.plan.Warnings, fmt.Sprintf("%s: no image to promote; the service is left out", c.sourceFile()))
		case n == 0 && len(w.req.Images) > 0:
			w.plan.Warnings = append(w.plan.Warnings, fmt.Sprintf("%s: none of the images named; the service is left out", c.sourceFile()))
		case n == 0:
			errs = append(errs, w.noImage(c))
		}
		if n > 0 {
			kept = append(kept, c)
		}
	}
	for _, n := range w.req.Images {
		if !known[n] {
			errs = append(errs, usage(spelling.Hint(n, w.imageNames()), "unknown image %q in %s", n, w.from.Name))
		}
	}
	w.drafts = kept
	return errors.Join(errs...)
}

// others counts what is promoted of a service beside images.
func (d *draft) others(w *planner) int {
	n := 0
	if len(w.req.Images) == 0 {
		n = len(w.copyPaths(d))
		for _, p := range d.parts {
			n += len(p.along.plans)
		}
	}
	return n
}

func (w *planner) imageNames() []string {
	var names []string
	for _, c := range w.drafts {
		for _, i := range c.sourceImages() {
			names = append(names, i.Name)
		}
	}
	return names
}

// pairImage decides what an image's promotion is about, or why it is impossible.
// key is its path where pins of one name are told apart by it.
func (w *planner) pairImage(c *draft, p *part, file string, target siteFile, img overlay.Pin, key string) error {
	if left, err := w.unpinned(c, file, img); left || err != nil {
		return err
	}
	if other := p.byName[img.Name]; other != nil && key == "" && other.key == "" {
		return nil // one change sets all that have the name
	}
	i := &draftImage{source: img, file: file, digest: img.Digest, key: key}
	there, ok := i.counterpart(target)
	switch {
	case !ok && !p.alone:
		return nil // another of the files that stars match may have it
	case !ok && key != "":
		return &Error{
			Err:  placed(file, img, "", "image %q has several pins, and %s has none at %s to pair this one with", img.Name, p.plan.Target, key),
			Hint: "give both files the same paths", Advice: advise(DoChooseImages),
		}
	case ok && there.TagSuffix != "":
		return placed(p.plan.Target, there, "remove the tagSuffix", "image %q has a tagSuffix, which cannot stand beside newTag and digest", img.Name)
	case !ok && img.NewName != "" && !w.req.AddMissing:
		return &Error{
			Err: &overlay.Error{
				File: p.plan.Target, Line: 1, Col: 1,
				Msg: fmt.Sprintf("image %q has no entry here and %s's uses another registry", img.Name, w.from.Name),
			},
			Advice: advise(DoAddMissing, "service", c.plan.Service, "to", w.to.Name),
		}
	}
	i.target, i.create, i.byPath = there, !ok, ok && (key != "" || there.Name != img.Name || p.site.Within != "")
	i.plan = ImagePlan{Name: img.Name, File: p.plan.Target, Repository: there.Repository(), Old: Pin{Tag: there.Tag, Digest: there.Digest}, New: Pin{Tag: img.Tag, Digest: img.Digest}}
	if !ok {
		i.plan.Repository = img.Repository()
	}
	if !i.pulledFromKnown() {
		i.plan.Unknown = cmp.Or(there.Unknown, img.Unknown)
	}
	if w.arrives(c, p.plan.Target) {
		i.plan.Old = Pin{}
	}
	i.done = ok && img.Digest != "" && w.pinned(i) == i.plan.Old
	p.paired = append(p.paired, i)
	if p.byName == nil {
		p.byName = make(map[string]*draftImage)
	}
	p.byName[img.Name] = i
	return nil
}

// unpinned tells whether an image of the source is left out, or cannot be promoted,
// for what its pin lacks.
func (w *planner) unpinned(c *draft, file string, img overlay.Pin) (left bool, err error) {
	switch {
	case img.TagSuffix != "":
		return false, placed(file, img, "write newTag in its place", "image %q has a tagSuffix: its tag is not in this file", img.Name)
	case w.req.enters(): // its pin is not what comes in
	case img.Tag == "" && img.Digest == "":
		c.plan.Warnings = append(c.plan.Warnings, imageAt(file, img)+" has neither tag nor digest here and is left out")
		return true, nil
	case w.Pipeline.Spec.Pin == pipeline.PinTag && img.Tag == "":
		return false, placed(file, img, "write newTag, or pin: tag+digest in the pipeline", "image %q has no tag here, and the pipeline pins by tag", img.Name)
	}
	return false, nil
}

// placed is an error at a pin.
func placed(file string, p overlay.Pin, hint, format string, args ...any) error {
	return &overlay.Error{File: file, Line: p.Position.Line, Col: p.Position.Col, Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// counterpart finds the target's pin of an image: by its name, or, where
// environments pull from repositories of their own, by its place in the file.
func (i *draftImage) counterpart(f siteFile) (overlay.Pin, bool) {
	img := i.source
	if i.key != "" {
		return f.found.At(img.Format, i.key)
	}
	if f.site.Within != "" || f.site.Image {
		return f.found.Named(img.Name)
	}
	if p, ok := f.Image(img.Name); ok {
		return p, true
	}
	if p, ok := f.ImageAt(img.Path); ok && p.Format == img.Format && p.Format != overlay.Kustomization {
		return p, true
	}
	return overlay.Pin{}, false
}

// change is what the promotion of the image asks of the target's file.
func (i *draftImage) change(to Pin) overlay.Change {
	c := overlay.Change{Name: i.source.Name, Create: i.create, Tag: overlay.To(to.Tag), Digest: overlay.To(to.Digest)}
	switch {
	case i.byPath:
		c.Name, c.Path = "", i.target.Path
	case i.create:
		c.NewName = overlay.To(i.source.NewName)
	}
	return c
}

// pulledFromKnown tells whether it is known from which repository the target pulls.
func (i *draftImage) pulledFromKnown() bool {
	if i.create {
		return i.source.Known()
	}
	return i.target.Known()
}

// pinned gives the pin that is to be written, as far as it is known.
func (w *planner) pinned(i *draftImage) Pin {
	switch {
	case w.Pipeline.Spec.Pin == pipeline.PinDigest:
		return Pin{Digest: i.digest}
	case w.byTag(i):
		return Pin{Tag: i.source.Tag}
	}
	return Pin{Tag: i.source.Tag, Digest: i.digest}
}

// byTag tells whether an image is pinned by its tag alone.
func (w *planner) byTag(i *draftImage) bool {
	return w.Pipeline.Spec.Pin == pipeline.PinTag || w.Pipeline.Spec.Pin == pipeline.PinSource && i.source.Digest == ""
}
