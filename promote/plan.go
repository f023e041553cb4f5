package promote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sort"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/overlay"
	"golang.org/x/sync/errgroup"
)

// Plan finds out what a promotion would do, and whether it may. It writes
// nothing. A refusal is no error: it is in the plan's verdicts. An error means
// that there is no plan; where several things are wrong, all are reported.
func (p *Promoter) Plan(ctx context.Context, req Request) (*Plan, error) {
	to, err := p.Pipeline.Environment(req.To)
	if err != nil {
		return nil, err
	}
	from, err := p.Pipeline.Source(to, req.From)
	if err != nil {
		return nil, err
	}
	w := &planner{Promoter: p, req: req, from: from, to: to, plan: &Plan{From: from.Name, To: to.Name, Mode: to.Deliver.Mode}}
	w.overlays = sync.OnceValues(func() (map[string]map[string]bool, error) { return p.Pipeline.Spec.Layout.Overlays(p.Repo) })
	if req.Mode != "" {
		w.plan.Mode = req.Mode
	}
	for _, step := range []func(context.Context) error{w.chooseServices, w.read, w.chooseImages, w.checkState, w.resolve, w.verify, w.edit, w.copies} {
		if err := step(ctx); err != nil {
			return nil, err
		}
		if err := w.interrupted(ctx); err != nil {
			return nil, err
		}
	}
	var answers []Answer
	for _, c := range w.candidates {
		w.plan.Services = append(w.plan.Services, c.plan)
		answers = append(answers, c.plan.Answer())
	}
	w.plan.Answer = worst(answers...)
	return w.plan, nil
}

// interrupted gives an error where the plan cannot be finished. A time limit that
// has run out while registries were asked is in the verdicts: unknown.
func (w *planner) interrupted(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	if errors.Is(err, context.DeadlineExceeded) {
		for _, c := range w.candidates {
			if c != nil && len(c.plan.Verdicts) > 0 {
				return nil
			}
		}
		return &Error{Msg: "the time limit ran out before the plan stood; nothing was changed", Hint: "a longer --timeout", Err: err}
	}
	return &Error{Msg: "planning was interrupted; nothing was changed", Err: context.Cause(ctx)}
}

// planner carries the making of one plan.
type planner struct {
	*Promoter
	req        Request
	from, to   *Environment
	plan       *Plan
	names      []string
	candidates []*candidate
	dirty      map[string]string // files that are not as committed, and how
	overlays   func() (map[string]map[string]bool, error)
}

// candidate is a service on its way into the plan.
type candidate struct {
	plan           *ServicePlan
	source, target *overlay.File
	// working holds the target's bytes in the working tree where they differ
	// from the committed ones, which target is then made of.
	working []byte
	images  []*candidateImage
}

type candidateImage struct {
	source overlay.Pin
	target overlay.Pin // zero where the target has no entry
	byPath bool        // the target's pin has another name and is named by its path
	create bool
	digest string // what is promoted, once known
	done   bool   // the target has this pin already
	plan   ImagePlan
}

// promotedRef is the image as the target will pull it.
func (i *candidateImage) promotedRef() string { return i.plan.Repository + "@" + i.digest }

func (w *planner) say(c *candidate, gate string, a Answer, hint, format string, args ...any) {
	c.plan.Verdicts = append(c.plan.Verdicts, Verdict{Gate: gate, Answer: a, Reason: fmt.Sprintf(format, args...), Hint: hint})
}

func (w *planner) progress(step string, total int) func() {
	n := 0
	return func() {
		n++
		if w.Progress != nil {
			w.Progress(step, n, total)
		}
	}
}

// chooseServices lists the services asked for.
func (w *planner) chooseServices(context.Context) error {
	if !w.req.All {
		if len(w.req.Services) == 0 {
			return usage("kubectl promote SERVICE --to "+w.to.Name, "no service named")
		}
		seen := make(map[string]bool)
		for _, s := range w.req.Services {
			if !isName(s) || strings.Contains(s, "..") {
				return usage("letters, digits, '.', '_' and '-'", "service name %q is malformed", s)
			}
			if !seen[s] {
				w.names = append(w.names, s)
			}
			seen[s] = true
		}
		return nil
	}
	if len(w.req.Services) > 0 {
		return usage("", "services are named beside --all")
	}
	overlays, err := w.overlays()
	if err != nil {
		return err
	}
	for s, envs := range overlays {
		if envs[w.from.Name] && envs[w.to.Name] {
			w.names = append(w.names, s)
		}
	}
	sort.Strings(w.names)
	if len(w.names) == 0 {
		return failure("", "no service has overlays in both %q and %q (%s)", w.from.Name, w.to.Name, w.Pipeline.Spec.Layout.Path)
	}
	return nil
}

// read parses the source and target overlays of all services.
func (w *planner) read(ctx context.Context) error {
	w.candidates = make([]*candidate, len(w.names))
	errs := make([]error, len(w.names))
	var g errgroup.Group
	g.SetLimit(2 * runtime.GOMAXPROCS(0))
	for i, name := range w.names {
		g.Go(func() error {
			if ctx.Err() == nil {
				w.candidates[i], errs[i] = w.readService(name)
			}
			return nil
		})
	}
	_ = g.Wait() // the functions return no errors: all of them are collected
	if w.req.All {
		w.leaveOut(errs)
	}
	return errors.Join(errs...)
}

// leaveOut drops services that have a folder and no overlay in it: who asks for
// all services means those that there are.
func (w *planner) leaveOut(errs []error) {
	var kept []*candidate
	for i, c := range w.candidates {
		var missing *missingOverlay
		if errors.As(errs[i], &missing) {
			w.plan.Warnings = append(w.plan.Warnings, errs[i].Error()+"; it is left out")
			errs[i] = nil
			continue
		}
		kept = append(kept, c)
	}
	w.candidates = kept
}

// missingOverlay says that a service has a folder and no overlay in it.
type missingOverlay struct{ service, environment, dir string }

func (m *missingOverlay) Error() string {
	return fmt.Sprintf("service %q has no overlay in %s: %s holds no kustomization file", m.service, m.environment, m.dir)
}

func (w *planner) readService(name string) (*candidate, error) {
	spec := &w.Pipeline.Spec
	source, err := readOverlay(w.Repo, spec, name, w.from.Name, true)
	if err != nil && !errors.Is(err, errNoOverlay) {
		return nil, err
	}
	target, terr := readOverlay(w.Repo, spec, name, w.to.Name, true)
	if terr != nil && !errors.Is(terr, errNoOverlay) {
		return nil, errors.Join(err, terr)
	}
	if err != nil || terr != nil {
		return nil, w.missing(name, err != nil, terr != nil)
	}
	return &candidate{
		source: source, target: target,
		plan: &ServicePlan{Service: name, SourceFile: source.Name(), TargetFile: target.Name(), Images: []ImagePlan{}},
	}, nil
}

// missing explains that a service has no overlay where it needs one.
func (w *planner) missing(name string, source, target bool) error {
	layout := w.Pipeline.Spec.Layout
	overlays, err := w.overlays()
	if err != nil {
		return err
	}
	if overlays[name] != nil {
		at, env := layout.OverlayPath(name, w.to.Name), w.to.Name
		if source {
			at, env = layout.OverlayPath(name, w.from.Name), w.from.Name
		}
		return &missingOverlay{name, env, at}
	}
	var names []string
	for s := range overlays {
		names = append(names, s)
	}
	sort.Strings(names)
	return usage(didYouMean(name, names), "unknown service %q", name)
}

// chooseImages pairs the entries of source and target.
func (w *planner) chooseImages(context.Context) error {
	wanted := make(map[string]bool)
	for _, n := range w.req.Images {
		wanted[n] = false
	}
	var errs []error
	var kept []*candidate
	for _, c := range w.candidates {
		n := 0
		for _, img := range c.source.Images() {
			if _, asked := wanted[img.Name]; !asked && len(w.req.Images) > 0 {
				continue
			}
			wanted[img.Name] = true
			n++
			if err := w.pairImage(c, img); err != nil {
				errs = append(errs, err)
			}
		}
		switch {
		case n == 0 && w.req.All:
			w.plan.Warnings = append(w.plan.Warnings, fmt.Sprintf("%s: no image to promote; the service is left out", c.source.Name()))
		case n == 0 && len(w.req.Images) > 0:
			w.plan.Warnings = append(w.plan.Warnings, fmt.Sprintf("%s: none of the images named; the service is left out", c.source.Name()))
		case n == 0:
			errs = append(errs, failure("kubectl promote set IMAGE:TAG -k "+w.Pipeline.Spec.Layout.OverlayPath(c.plan.Service, w.from.Name),
				"%s: no image in the source", c.source.Name()))
		}
		if n > 0 {
			kept = append(kept, c)
		}
	}
	for _, n := range w.req.Images {
		if !wanted[n] {
			errs = append(errs, usage(didYouMean(n, w.imageNames()), "unknown image %q in %s", n, w.from.Name))
		}
	}
	w.candidates = kept
	return errors.Join(errs...)
}

func (w *planner) imageNames() []string {
	var names []string
	for _, c := range w.candidates {
		for _, i := range c.source.Images() {
			names = append(names, i.Name)
		}
	}
	return names
}

// pairImage decides what an image's promotion is about, or why it is impossible.
func (w *planner) pairImage(c *candidate, img overlay.Pin) error {
	at := func(f *overlay.File, i overlay.Pin, hint, format string, args ...any) error {
		return &overlay.Error{File: f.Name(), Line: i.Position.Line, Col: i.Position.Col, Msg: fmt.Sprintf(format, args...), Hint: hint}
	}
	if img.TagSuffix != "" {
		return at(c.source, img, "write newTag in its place", "image %q has a tagSuffix: its tag is not in this file", img.Name)
	}
	if img.Tag == "" && img.Digest == "" {
		c.plan.Warnings = append(c.plan.Warnings, fmt.Sprintf("%s:%d:%d: image %q has neither tag nor digest here and is left out",
			c.source.Name(), img.Position.Line, img.Position.Col, img.Name))
		return nil
	}
	if w.Pipeline.Spec.Pin == PinTag && img.Tag == "" {
		return at(c.source, img, "write newTag, or pin: tag+digest in the pipeline", "image %q has no tag here, and the pipeline pins by tag", img.Name)
	}
	for _, other := range c.images {
		if other.source.Name != img.Name {
			continue
		}
		if other.source.Tag != img.Tag || other.source.Digest != img.Digest {
			return at(c.source, img, "pin them alike, or promote with --image", "image %q is pinned otherwise at line %d", img.Name, other.source.Position.Line)
		}
		return nil // one change sets all that have the name
	}
	i := &candidateImage{source: img, digest: img.Digest}
	target, ok := counterpart(c.target, img)
	switch {
	case ok && target.TagSuffix != "":
		return at(c.target, target, "remove the tagSuffix", "image %q has a tagSuffix, which cannot stand beside newTag and digest", img.Name)
	case !ok && img.NewName != "" && !w.req.AddMissing:
		return &overlay.Error{
			File: c.target.Name(), Line: 1, Col: 1,
			Msg:  fmt.Sprintf("image %q has no entry here and %s's uses another registry", img.Name, w.from.Name),
			Hint: fmt.Sprintf("kubectl promote %s --to %s --add-missing", c.plan.Service, w.to.Name),
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
func (i *candidateImage) change() overlay.Change {
	c := overlay.Change{Name: i.source.Name, Create: i.create, Tag: overlay.To(i.plan.New.Tag), Digest: overlay.To(i.plan.New.Digest)}
	switch {
	case i.byPath:
		c.Name, c.Path = "", i.target.Path
	case i.create:
		c.NewName = overlay.To(i.source.NewName)
	}
	return c
}

// pinned gives the pin that is to be written, as far as it is known.
func (w *planner) pinned(i *candidateImage) Pin {
	switch w.Pipeline.Spec.Pin {
	case PinDigest:
		return Pin{Digest: i.digest}
	case PinTag:
		return Pin{Tag: i.source.Tag}
	}
	return Pin{Tag: i.source.Tag, Digest: i.digest}
}

// checkState refuses to build on files that are not committed. A target that
// differs from the head is looked at again in edit: it may be what an earlier,
// interrupted run of the same promotion has written.
func (w *planner) checkState(ctx context.Context) error {
	var paths, dirty []string
	for _, c := range w.candidates {
		paths = append(paths, c.source.Name(), c.target.Name())
		for _, p := range w.copyPaths(c) {
			paths = append(paths, p[0], p[1])
		}
	}
	state, err := w.Repo.State(ctx, paths)
	if err != nil {
		return err
	}
	w.plan.Head, w.plan.Branch, w.dirty = state.Head, state.Branch, state.Dirty
	if w.plan.Mode == DeliverCommit {
		if err := checkCommittable(state); err != nil {
			return err
		}
	}
	var errs []error
	for _, c := range w.candidates {
		if how := state.Dirty[c.source.Name()]; how != "" {
			errs = append(errs, uncommitted(c.source.Name(), how))
		}
		for _, p := range w.copyPaths(c) {
			if how := state.Dirty[p[0]]; how != "" && how != "deleted" {
				errs = append(errs, uncommitted(p[0], how))
			}
		}
		if how := state.Dirty[c.target.Name()]; how == "modified" || how == "staged" {
			dirty = append(dirty, c.target.Name())
		} else if how != "" {
			errs = append(errs, uncommitted(c.target.Name(), how))
		}
	}
	if len(errs) > 0 || len(dirty) == 0 {
		return errors.Join(errs...)
	}
	return w.useCommitted(ctx, state, dirty)
}

func uncommitted(file, how string) error {
	hint := "git commit " + file + ", or git stash"
	if how == "untracked" {
		hint = "git add " + file + " && git commit"
	}
	return failure(hint, "%s: has uncommitted changes (%s)", file, how)
}

func checkCommittable(s State) error {
	switch {
	case s.Busy != "":
		return failure("finish it, or git "+s.Busy+" --abort", "a %s is in progress", s.Busy)
	case s.Branch == "":
		return failure("git switch BRANCH, or promote without --commit", "HEAD is detached: a commit would be on no branch")
	}
	return nil
}

// useCommitted plans on the committed content of targets that differ from it.
func (w *planner) useCommitted(ctx context.Context, state State, dirty []string) error {
	committed, err := w.Repo.Committed(ctx, dirty)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range w.candidates {
		how := state.Dirty[c.target.Name()]
		if how == "" {
			continue
		}
		data, ok := committed[c.target.Name()]
		if !ok {
			errs = append(errs, uncommitted(c.target.Name(), how+", and not in the head"))
			continue
		}
		c.working = c.target.Bytes()
		f, err := w.Pipeline.Spec.parse(c.target.Name(), data)
		if err != nil {
			errs = append(errs, uncommitted(c.target.Name(), "modified"))
			continue
		}
		c.target = f
		for _, i := range c.images {
			var ok bool
			i.target, ok = counterpart(f, i.source)
			i.create = !ok
			i.plan.Old = Pin{i.target.Tag, i.target.Digest}
			i.done = !i.create && i.source.Digest != "" && w.pinned(i) == i.plan.Old
		}
	}
	return errors.Join(errs...)
}

// edit makes the edits of all services that nothing refuses.
func (w *planner) edit(context.Context) error {
	var errs []error
	for _, c := range w.candidates {
		var changes []overlay.Change
		for _, i := range c.images {
			i.plan.New = w.pinned(i)
			c.plan.Images = append(c.plan.Images, i.plan)
			if i.digest == "" && w.Pipeline.Spec.Pin != PinTag {
				continue // a verdict says why
			}
			changes = append(changes, i.change())
		}
		if err := w.editService(c, changes); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (w *planner) editService(c *candidate, changes []overlay.Change) error {
	edit, err := c.target.Set(changes...)
	if err != nil {
		return err
	}
	if len(edit.Warnings) > 0 {
		return failure("write the value in place of the alias", "%s; a promotion changes the images that it names and no others", edit.Warnings[0])
	}
	c.plan.write = c.working == nil
	if c.working != nil && !bytes.Equal(c.working, edit.After.Bytes()) {
		if len(c.plan.Verdicts) == 0 {
			return uncommitted(c.target.Name(), "modified")
		}
		return nil // refused anyway
	}
	c.plan.edit, c.plan.Changes, c.plan.Diff = edit, edit.Changes, edit.Diff()
	return nil
}
