package promote

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/overlay/unlisted"
	"github.com/kubepromote/kubepromote/promote/internal/globs"
	"github.com/kubepromote/kubepromote/promote/internal/inside"
	"github.com/kubepromote/kubepromote/promote/internal/parallel"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// chooseServices lists the services asked for.
func (w *planner) chooseServices(context.Context) error {
	for _, s := range slices.Concat(w.req.Services, w.req.Except) {
		if _, err := path.Match(s, ""); err != nil || strings.Contains(s, "..") || !globs.Is(s) && !pipeline.IsFolder(s) {
			return usage("letters, digits, '.', '_' and '-'", "service name %q is malformed", s)
		}
	}
	switch every := w.req.All || w.req.Select != nil && len(w.req.Services) == 0; {
	case w.req.All && len(w.req.Services) > 0:
		return usage("", "services are named although all are asked for").advising(advise(DoPromoteAll, "to", w.to.Name))
	case every, slices.ContainsFunc(w.req.Services, globs.Is):
		if err := w.chooseListed(every); err != nil {
			return err
		}
	case len(w.req.Services) == 0:
		return usage("", "no service named").advising(advise(DoPromote, "to", w.to.Name))
	default:
		w.names = slices.Clone(w.req.Services)
	}
	all := w.names
	w.names = nil
	for _, name := range all {
		if !slices.Contains(w.names, name) && !globs.Any(w.req.Except, name) && w.selects(name) {
			w.names = append(w.names, name)
		}
	}
	if err := w.checkDependencies(); err != nil {
		return err
	}
	w.names = w.req.Shard.Services(w.Pipeline, w.Pipeline.InOrder(w.names))
	if len(w.names) == 0 && w.req.Shard.Count == 0 {
		return usage("", "no service is left of the %d that were asked for", len(all)).advising(advise(DoStatus))
	}
	return nil
}

// checkDependencies gives an error where a service depends on one that is in no environment,
// and where one is asked for that is none: no shard may leave that to the others.
func (w *planner) checkDependencies() error {
	var errs []error
	if w.req.Shard.Count > 1 && len(w.req.Services) > 0 {
		errs = append(errs, status.CheckServices(w.Pipeline, w.Repo, w.names))
	}
	var here map[string]bool
	for _, s := range w.Pipeline.Spec.Services {
		for _, other := range s.DependsOn {
			var err error
			if here == nil {
				here, err = w.sites.Listed(w.to)
			}
			if err != nil {
				return err
			}
			if here[other] {
				continue
			}
			overlays, err := w.overlays()
			if err != nil {
				return err
			}
			if overlays[other] == nil {
				errs = append(errs, failure(spelling.Hint(other, slices.Sorted(maps.Keys(overlays))),
					"the pipeline's service %q depends on %q, which is no service", s.Name, other))
			}
		}
	}
	return errors.Join(errs...)
}

// selects tells whether a service's labels are asked for.
func (w *planner) selects(name string) bool {
	if w.req.Select == nil {
		return true
	}
	for _, s := range w.Pipeline.Spec.Services {
		if s.Name == name {
			return w.req.Select(s.Labels)
		}
	}
	return w.req.Select(nil)
}

// chooseListed takes services that are in both environments: all, or those of globs beside what is named.
func (w *planner) chooseListed(every bool) error {
	from, err := w.sites.Listed(w.from)
	to, terr := w.sites.Listed(w.to)
	if err = errors.Join(err, terr); err != nil {
		return err
	}
	var both []string
	for _, name := range slices.Sorted(maps.Keys(from)) {
		if to[name] {
			both = append(both, name)
		}
	}
	if len(both) == 0 {
		return w.nowhere()
	}
	if every {
		w.names, w.several = both, true
		return nil
	}
	for _, s := range w.req.Services {
		found := globs.Take(s, both)
		if len(found) == 0 {
			return usage(spelling.Hint(s, both), "no service fits %q", s)
		}
		w.names = append(w.names, found...)
	}
	return nil
}

func (w *planner) nowhere() error {
	e := failure("", "no service has overlays in both %q and %q (%s)", w.from.Name, w.to.Name, w.Pipeline.Spec.Layout).advising(advise(DoStatus))
	if w.req.enters() {
		e.Msg = fmt.Sprintf("no service has an overlay in %q (%s)", w.to.Name, w.Pipeline.Spec.Layout)
	}
	if overlays, err := w.overlays(); err == nil {
		if misfits := w.Pipeline.Misfits(overlays); len(misfits) == 1 && len(overlays) == 0 {
			e.Msg = misfits[0]
		}
	}
	return e
}

// read parses the source and target overlays of all services, pairs their images,
// and makes the edits that are known by then.
func (w *planner) read(ctx context.Context) error {
	w.drafts = make([]*draft, len(w.names))
	errs := parallel.Each(ctx, len(w.names), func(i int) (err error) {
		w.drafts[i], err = w.readService(w.names[i])
		return err
	})
	if w.several {
		if err := w.leaveOut(errs); err != nil {
			return err
		}
	}
	w.drafts = slices.DeleteFunc(w.drafts, func(c *draft) bool { return c == nil })
	for i, err := range errs {
		errs[i] = w.setAside(w.names[i], err)
	}
	err := errors.Join(errs...)
	if err == nil && len(w.names) > 0 && len(w.drafts)+len(w.plan.Warnings)+len(w.aside) == 0 {
		err = w.nowhere()
	}
	return err
}

// leaveOut drops services that are not in both environments, whatever there was to
// say of them: who asks for all services means those that are. One that has a
// folder and no overlay in it is mentioned. Which services are in an environment is
// found out only where something is wrong: that takes as long as reading them.
func (w *planner) leaveOut(errs []error) error {
	if errors.Join(errs...) == nil {
		return nil
	}
	overlays, err := w.overlays()
	if err != nil {
		return err
	}
	var kept []*draft
	for i, c := range w.drafts {
		if envs := overlays[w.names[i]]; len(envs[w.from.Name]) == 0 || len(envs[w.to.Name]) == 0 {
			errs[i] = nil
			continue
		}
		var missing *missingOverlay
		if errors.As(errs[i], &missing) {
			w.plan.Warnings = append(w.plan.Warnings, errs[i].Error()+"; it is left out")
			errs[i] = nil
			continue
		}
		kept = append(kept, c)
	}
	w.drafts = kept
	return nil
}

// dropUnlisted drops services that were read and are not in both environments: what
// was read lies behind a symbolic link. It tells whether there were any.
func (w *planner) dropUnlisted() bool {
	overlays, err := w.overlays()
	if err != nil {
		return false
	}
	n := len(w.drafts)
	w.drafts = slices.DeleteFunc(w.drafts, func(c *draft) bool {
		envs := overlays[c.plan.Service]
		return len(envs[w.from.Name]) == 0 || len(envs[w.to.Name]) == 0
	})
	return len(w.drafts) < n
}

// missingOverlay says that a service has a folder and no overlay in it.
type missingOverlay struct{ service, environment, dir string }

// Error names all three.
func (m *missingOverlay) Error() string {
	return fmt.Sprintf("service %q has no overlay in %s: %s holds no kustomization file", m.service, m.environment, m.dir)
}

func (w *planner) readService(name string) (*draft, error) {
	to, terr := w.readAll(w.to, name)
	var from []siteFile
	var err error
	if !w.req.enters() {
		from, err = w.readAll(w.from, name)
	}
	if noSource := errors.Is(err, pipeline.ErrNoOverlay); noSource || errors.Is(terr, pipeline.ErrNoOverlay) {
		return nil, w.missing(name, noSource)
	}
	if err = errors.Join(err, terr); err != nil {
		return nil, err
	}
	c := &draft{plan: &ServicePlan{Service: name, Images: []ImagePlan{}}}
	for _, f := range slices.Concat(from, to) {
		c.unread = append(c.unread, status.UnreadIn(f.File)...)
	}
	for _, f := range to {
		c.plan.Warnings = append(append(c.plan.Warnings, f.Warnings()...), f.notes...)
		if w.to.Verify == nil && w.req.Policy == "" {
			continue
		}
		for _, u := range unlisted.In(f.File) {
			w.warn(c, "%s:%d:%d: %s may be an image, and kind %q is not known here: it is neither promoted nor verified unless spec.images of the pipeline names it", f.Name(), u.Position.Line, u.Position.Col, u.Path, u.Kind)
		}
	}
	if w.req.enters() {
		w.enterFiles(c, to)
		return c, nil
	}
	w.pairFiles(c, from, to)
	if len(c.parts) == 0 {
		return nil, failure("", "service %q has nothing in %s that belongs to what it has in %s: %s and %s", name, w.to.Name, w.from.Name, from[0].Name(), to[0].Name())
	}
	return c, nil
}

// siteFile is a file and the site that it was read for.
type siteFile struct {
	*overlay.File
	site  pipeline.Site
	pins  []overlay.Pin // the service's
	found *inside.Pins  // the same
	// notes are what is to be told of the files of values that it names.
	notes []string
}

func newSiteFile(f *overlay.File, s pipeline.Site, pins []overlay.Pin) siteFile {
	out := siteFile{File: f, site: s, pins: pins}
	out.found = inside.NewPins(s.Within, pins, func(p overlay.Pin) string { return f.NamedPath(p) })
	return out
}

// readAll reads all files of a service in an environment, and returns pipeline.ErrNoOverlay where
// there are none.
func (w *planner) readAll(e *pipeline.Environment, service string) ([]siteFile, error) {
	all, err := w.sites.Of(e, service)
	if err != nil {
		return nil, err
	}
	var out []siteFile
	var errs []error
	for i := 0; i < len(all); i++ {
		f, pins, err := w.sites.ReadPins(all[i], true)
		if errors.Is(err, pipeline.ErrNoOverlay) {
			continue
		}
		errs, out = append(errs, err), append(out, newSiteFile(f, all[i], pins))
		if err == nil {
			more, notes := w.sites.Named(all[i], f)
			out[len(out)-1].notes, all = notes, slices.Concat(all, more)
		}
	}
	if err := errors.Join(errs...); err != nil || len(out) > 0 {
		return out, err
	}
	return nil, pipeline.ErrNoOverlay
}

// pairFiles makes a part of the draft of each target file that has a counterpart.
func (w *planner) pairFiles(c *draft, from, to []siteFile) {
	paired := make(map[string]bool)
	for n, target := range to {
		key := target.site.Counterpart()
		var sources []siteFile
		alone := true
		for _, f := range from {
			if f.site.Counterpart() == key {
				sources = append(sources, f)
			}
		}
		for m, other := range to {
			alone = alone && (m == n || other.site.Counterpart() != key)
		}
		if len(sources) == 0 {
			continue
		}
		if !paired[key] {
			c.errs = append(c.errs, w.disagreements(sources)...)
		}
		paired[key] = true
		p := &part{plan: FilePlan{Source: sources[0].Name(), Target: target.Name()}, site: target.site, target: target.Bytes(), alone: alone}
		c.parts = append(c.parts, p)
		w.pair(c, p, sources, target)
		w.takeAlong(c, p, sources[0], target)
		w.editAhead(p, target.File)
	}
	for _, f := range from {
		if !paired[f.site.Counterpart()] && len(f.pins) > 0 && len(c.parts) > 0 {
			c.plan.Warnings = append(c.plan.Warnings, f.Name()+": has no counterpart in "+w.to.Name+", and stays behind")
		}
	}
}

// missing explains that a service has no overlay where it needs one.
func (w *planner) missing(name string, source bool) error {
	overlays, err := w.overlays()
	if err != nil {
		return err
	}
	if overlays[name] != nil {
		env := w.to.Name
		if source {
			env = w.from.Name
		}
		return &missingOverlay{name, env, w.Pipeline.OverlayPath(name, env)}
	}
	if len(overlays) == 0 {
		return &Error{Msg: fmt.Sprintf("unknown service %q, as there is %s", name, w.Pipeline.Misfits(overlays)[0]), Advice: advise(DoStatus), Err: ErrUsage}
	}
	return overlays.Check([]string{name})
}
