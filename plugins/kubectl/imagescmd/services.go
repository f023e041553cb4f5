package imagescmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// ofServices lists the images of services as they stand in an environment. What could be
// read is there beside the error.
func (o *options) ofServices(ctx context.Context, named []string) ([]listedImage, error) {
	s := o.session
	p, repo, err := s.OpenOffline(ctx)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	e, err := p.Pipeline.Environment(o.env)
	if err != nil {
		return nil, err
	}
	sites := p.Pipeline.Sites(p.Repo)
	services := cli.BareNames(named)
	if err := status.CheckServices(p.Pipeline, p.Repo, services); err != nil {
		return nil, err
	}
	if len(services) == 0 {
		known, err := sites.All(e.Name)
		if err != nil {
			return nil, err
		}
		services = slices.Sorted(maps.Keys(known))
	}
	all, seen, warned := []listedImage{}, make(map[listedImage]bool), make(map[string]bool)
	var errs []error
	for _, service := range services {
		here, err := sites.Of(e, service)
		if err != nil {
			return nil, err
		}
		there := false
		for _, one := range sites.WithNamed(here) {
			f, pins, err := sites.ReadPins(one, false)
			if errors.Is(err, pipeline.ErrNoOverlay) {
				continue
			}
			if there = true; err != nil {
				errs = append(errs, err)
				continue
			}
			if !warned[f.Name()] {
				warned[f.Name()] = true
				for _, w := range f.Misreadings() {
					s.Warn("%s", w)
				}
				s.WarnUnread([]cli.Input{{File: f}})
			}
			for _, pin := range pins {
				if i := (listedImage{f.Name(), pin}); !seen[i] {
					seen[i] = true
					all = append(all, i)
				}
			}
		}
		if !there && len(named) > 0 {
			errs = append(errs, &promote.Error{Msg: fmt.Sprintf("service %q has no overlay in %s", service, o.env), Hint: "kubectl promote status " + service})
		}
	}
	return all, errors.Join(errs...)
}
