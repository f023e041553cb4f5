package promote

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// chooseServices lists the services asked for.
func (w *planner) chooseServices(context.Context) error {
	if !w.req.All {
		if len(w.req.Services) == 0 {
			return usage("", "no service named").advising(advise(DoPromote, "to", w.to.Name))
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
		return usage("", "services are named although all are asked for").advising(advise(DoPromoteAll, "to", w.to.Name))
	}
	var err error
	w.names, err = w.Pipeline.Spec.placement().servicesIn(w.Repo, w.from.Name, w.to.Name)
	if err == nil && len(w.names) == 0 {
		err = w.nowhere()
	}
	return err
}

func (w *planner) nowhere() error {
	e := failure("", "no service has overlays in both %q and %q (%s)", w.from.Name, w.to.Name, w.Pipeline.Spec.Layout.Path).advising(advise(DoStatus))
	if overlays, err := w.overlays(); err == nil {
		if misfits := w.Pipeline.Spec.misfits(overlays); len(misfits) == 1 && len(overlays) == 0 {
			e.Msg = misfits[0]
		}
	}
	return e
}

// read parses the source and target overlays of all services, pairs their images,
// and makes the edits that are known by then.
func (w *planner) read(ctx context.Context) error {
	w.drafts = make([]*draft, len(w.names))
	errs := each(ctx, len(w.names), func(i int) (err error) {
		w.drafts[i], err = w.readService(w.names[i])
		return err
	})
	if w.req.All {
		if err := w.leaveOut(errs); err != nil {
			return err
		}
	}
	w.drafts = slices.DeleteFunc(w.drafts, func(c *draft) bool { return c == nil })
	for i, err := range errs {
		errs[i] = w.setAside(w.names[i], err)
	}
	err := errors.Join(errs...)
	if err == nil && len(w.drafts)+len(w.plan.Warnings)+len(w.aside) == 0 {
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
		if envs := overlays[w.names[i]]; !envs[w.from.Name] || !envs[w.to.Name] {
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
		return !envs[w.from.Name] || !envs[w.to.Name]
	})
	return len(w.drafts) < n
}

// missingOverlay says that a service has a folder and no overlay in it.
type missingOverlay struct{ service, environment, dir string }

func (m *missingOverlay) Error() string {
	return fmt.Sprintf("service %q has no overlay in %s: %s holds no kustomization file", m.service, m.environment, m.dir)
}

func (w *planner) readService(name string) (*draft, error) {
	spec := &w.Pipeline.Spec
	from, err := readOverlay(w.Repo, spec, name, w.from.Name, true)
	target, terr := readOverlay(w.Repo, spec, name, w.to.Name, true)
	if noSource := errors.Is(err, errNoOverlay); noSource || errors.Is(terr, errNoOverlay) {
		return nil, w.missing(name, noSource)
	}
	if err = errors.Join(err, terr); err != nil {
		return nil, err
	}
	c := &draft{
		source: sourceOverlay{from.Name(), from.Images()}, target: target.Bytes(),
		plan: &ServicePlan{Service: name, SourceFile: from.Name(), TargetFile: target.Name(), Images: []ImagePlan{}, Warnings: slices.Clone(target.Warnings())},
	}
	c.noteUnread(from.Name(), from.Unread())
	c.noteUnread(target.Name(), target.Unread())
	w.pair(c, from, target)
	w.editAhead(c, target)
	return c, nil
}

// missing explains that a service has no overlay where it needs one.
func (w *planner) missing(name string, source bool) error {
	layout := w.Pipeline.Spec.placement()
	overlays, err := w.overlays()
	if err != nil {
		return err
	}
	if overlays[name] != nil {
		at, env := layout.overlayPath(name, w.to.Name), w.to.Name
		if source {
			at, env = layout.overlayPath(name, w.from.Name), w.from.Name
		}
		return &missingOverlay{name, env, at}
	}
	if len(overlays) == 0 {
		return &Error{Msg: fmt.Sprintf("unknown service %q, as there is %s", name, w.Pipeline.Spec.misfits(overlays)[0]), Advice: advise(DoStatus), Err: ErrUsage}
	}
	names := slices.Sorted(maps.Keys(overlays))
	return usage(didYouMean(name, names), "unknown service %q", name)
}
