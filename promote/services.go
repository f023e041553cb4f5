package promote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
)

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

// read parses the source and target overlays of all services, pairs their images,
// and makes the edits that are known by then.
func (w *planner) read(ctx context.Context) error {
	w.candidates = make([]*candidate, len(w.names))
	errs := each(ctx, len(w.names), func(i int) (err error) {
		w.candidates[i], err = w.readService(w.names[i])
		return err
	})
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
	from, err := readOverlay(w.Repo, spec, name, w.from.Name, true)
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
	c := &candidate{
		source: source{from.Name(), from.Images()}, target: target.Bytes(),
		plan: &ServicePlan{Service: name, SourceFile: from.Name(), TargetFile: target.Name(), Images: []ImagePlan{}, Warnings: slices.Clone(target.Warnings())},
	}
	w.pair(c, target)
	w.editAhead(c, target)
	return c, nil
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
