package promote

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubepromote/kubepromote/overlay"
)

// pair pairs the images of a service's two overlays, as far as they are asked for.
func (w *planner) pair(c *draft, target *overlay.File) {
	for _, img := range c.source.images {
		if !w.asksFor(img.Name) {
			continue
		}
		c.chosen++
		if err := w.pairImage(c, target, img); err != nil {
			c.errs = append(c.errs, err)
		}
	}
}

func (w *planner) asksFor(image string) bool {
	return len(w.req.Images) == 0 || slices.Contains(w.req.Images, image)
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
			known[img.Name] = true
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
func (w *planner) pairImage(c *draft, file *overlay.File, img overlay.Pin) error {
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
	for _, other := range c.images {
		if other.source.Name != img.Name {
			continue
		}
		if other.source.Tag != img.Tag || other.source.Digest != img.Digest {
			return &Error{
				Err:  at(c.source.file, img, "", "image %q is pinned otherwise at line %d", img.Name, other.source.Position.Line),
				Hint: "pin them alike", Advice: advise(DoChooseImages),
			}
		}
		return nil // one change sets all that have the name
	}
	i := &draftImage{source: img, digest: img.Digest}
	target, ok := counterpart(file, img)
	switch {
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
	i.target, i.create, i.byPath = target, !ok, ok && target.Name != img.Name
	i.plan = ImagePlan{Name: img.Name, Repository: target.Repository(), Old: Pin{target.Tag, target.Digest}, New: Pin{img.Tag, img.Digest}}
	if !ok {
		i.plan.Repository = img.Repository()
	}
	i.done = ok && img.Digest != "" && w.pinned(i) == i.plan.Old
	c.images = append(c.images, i)
	return nil
}

// counterpart finds the target's pin of an image: by its name, or, where
// environments pull from repositories of their own, by its place in the file.
func counterpart(f *overlay.File, img overlay.Pin) (overlay.Pin, bool) {
	if p, ok := f.Image(img.Name); ok {
		return p, true
	}
	for _, p := range f.Images() {
		if p.Path == img.Path && p.Format == img.Format && p.Format != overlay.Kustomization {
			return p, true
		}
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
