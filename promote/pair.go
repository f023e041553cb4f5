package promote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubepromote/kubepromote/overlay"
)

// pair pairs the images of a service's two overlays, as far as they are asked for.
func (w *planner) pair(c *draft, source, target *overlay.File) {
	apart, targetApart := pinnedApart(source.Images()), pinnedApart(target.Images())
	for _, img := range c.source.images {
		if !w.asksFor(img) {
			continue
		}
		c.chosen++
		key := ""
		if apart[img.Name] || targetApart[img.Name] || !slices.Contains(w.req.Images, img.Name) && slices.Contains(w.req.Images, img.Path) {
			key = source.NamedPath(img)
		}
		if key != "" && !apart[img.Name] {
			if _, ok := atPath(target, img, key); !ok {
				key = ""
			}
		}
		if err := w.pairImage(c, target, img, key); err != nil {
			c.errs = append(c.errs, err)
		}
	}
}

// asksFor tells whether an image is to be promoted: all are, or those named by
// name, or by path where several have one name.
func (w *planner) asksFor(i overlay.Pin) bool {
	return len(w.req.Images) == 0 || slices.Contains(w.req.Images, i.Name) || slices.Contains(w.req.Images, i.Path)
}

// pinnedApart gives the names that several pins of a file have with different tags
// or digests, such as one repository with a tag for each component. They are told
// apart by their paths.
func pinnedApart(images []overlay.Pin) map[string]bool {
	first := make(map[string]Pin, len(images))
	var apart map[string]bool
	for _, i := range images {
		pin := Pin{i.Tag, i.Digest}
		if pin == (Pin{}) {
			continue
		}
		if p, ok := first[i.Name]; !ok {
			first[i.Name] = pin
		} else if p != pin {
			if apart == nil {
				apart = make(map[string]bool)
			}
			apart[i.Name] = true
		}
	}
	return apart
}

// atPath finds the target's pin of the same format at a path; see NamedPath.
func atPath(f *overlay.File, img overlay.Pin, key string) (overlay.Pin, bool) {
	for _, p := range f.Images() {
		if p.Format == img.Format && f.NamedPath(p) == key {
			return p, true
		}
	}
	return overlay.Pin{}, false
}

// chooseImages leaves the services that have images to promote, or says why there
// are none.
func (w *planner) chooseImages(context.Context) error {
	known := make(map[string]bool)
	var errs []error
	var kept []*draft
	for _, c := range slices.Clone(w.drafts) {
		n := c.chosen
		if len(c.errs) > 0 {
			n = -1
			errs = append(errs, w.setAside(c.plan.Service, c.errs...))
		}
		for _, img := range c.source.images {
			known[img.Name], known[img.Path] = true, true
		}
		switch {
		case n == 0 && w.req.All:
			w.plan.Warnings = append(w.plan.Warnings, fmt.Sprintf("%s: no image to promote; the service is left out", c.source.file))
		case n == 0 && len(w.req.Images) > 0:
			w.plan.Warnings = append(w.plan.Warnings, fmt.Sprintf("%s: none of the images named; the service is left out", c.source.file))
		case n == 0:
			errs = append(errs, failure("", "%s: no image in the source", c.source.file).advising(w.pinAdvice(c, "")))
		}
		if n > 0 {
			kept = append(kept, c)
		}
	}
	for _, n := range w.req.Images {
		if !known[n] {
			errs = append(errs, usage(didYouMean(n, w.imageNames()), "unknown image %q in %s", n, w.from.Name))
		}
	}
	w.drafts = kept
	return errors.Join(errs...)
}

func (w *planner) imageNames() []string {
	var names []string
	for _, c := range w.drafts {
		for _, i := range c.source.images {
			names = append(names, i.Name)
		}
	}
	return names
}

// pairImage decides what an image's promotion is about, or why it is impossible.
// key is its path where pins of one name are told apart by it.
func (w *planner) pairImage(c *draft, file *overlay.File, img overlay.Pin, key string) error {
	at := func(file string, i overlay.Pin, hint, format string, args ...any) error {
		return &overlay.Error{File: file, Line: i.Position.Line, Col: i.Position.Col, Msg: fmt.Sprintf(format, args...), Hint: hint}
	}
	if img.TagSuffix != "" {
		return at(c.source.file, img, "write newTag in its place", "image %q has a tagSuffix: its tag is not in this file", img.Name)
	}
	if img.Tag == "" && img.Digest == "" {
		c.plan.Warnings = append(c.plan.Warnings, fmt.Sprintf("%s:%d:%d: image %q has neither tag nor digest here and is left out",
			c.source.file, img.Position.Line, img.Position.Col, img.Name))
		return nil
	}
	if w.Pipeline.Spec.Pin == PinTag && img.Tag == "" {
		return at(c.source.file, img, "write newTag, or pin: tag+digest in the pipeline", "image %q has no tag here, and the pipeline pins by tag", img.Name)
	}
	if other := c.byName[img.Name]; other != nil && key == "" && other.key == "" {
		return nil // one change sets all that have the name
	}
	i := &draftImage{source: img, digest: img.Digest, key: key}
	target, ok := i.counterpart(file)
	switch {
	case !ok && key != "":
		return &Error{
			Err:  at(c.source.file, img, "", "image %q has several pins, and %s has none at %s to pair this one with", img.Name, c.plan.TargetFile, key),
			Hint: "give both files the same paths", Advice: advise(DoChooseImages),
		}
	case ok && target.TagSuffix != "":
		return at(c.plan.TargetFile, target, "remove the tagSuffix", "image %q has a tagSuffix, which cannot stand beside newTag and digest", img.Name)
	case !ok && img.NewName != "" && !w.req.AddMissing:
		return &Error{
			Err: &overlay.Error{
				File: c.plan.TargetFile, Line: 1, Col: 1,
				Msg: fmt.Sprintf("image %q has no entry here and %s's uses another registry", img.Name, w.from.Name),
			},
			Advice: advise(DoAddMissing, "service", c.plan.Service, "to", w.to.Name),
		}
	}
	i.target, i.create, i.byPath = target, !ok, ok && (key != "" || target.Name != img.Name)
	i.plan = ImagePlan{Name: img.Name, Repository: target.Repository(), Old: Pin{target.Tag, target.Digest}, New: Pin{img.Tag, img.Digest}}
	if !ok {
		i.plan.Repository = img.Repository()
	}
	if !i.pulledFromKnown() {
		i.plan.Unknown = cmp.Or(target.Unknown, img.Unknown)
	}
	i.done = ok && img.Digest != "" && w.pinned(i) == i.plan.Old
	c.images = append(c.images, i)
	if c.byName == nil {
		c.byName = make(map[string]*draftImage)
	}
	c.byName[img.Name] = i
	return nil
}

// counterpart finds the target's pin of an image: by its name, or, where
// environments pull from repositories of their own, by its place in the file.
func (i *draftImage) counterpart(f *overlay.File) (overlay.Pin, bool) {
	img := i.source
	if i.key != "" {
		return atPath(f, img, i.key)
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
	switch w.Pipeline.Spec.Pin {
	case PinDigest:
		return Pin{Digest: i.digest}
	case PinTag:
		return Pin{Tag: i.source.Tag}
	}
	return Pin{Tag: i.source.Tag, Digest: i.digest}
}
