package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/discovery"
	"github.com/kubepromote/kubepromote/promote/internal/location"
)

// Leftover is something that looks like a part of a layout and is not in the one that
// was discovered.
type Leftover struct {
	// Path is a template, as a layout has it.
	Path string
	// Reason is one line.
	Reason string
}

// Discover makes the pipeline of a repository that has no pipeline file, of the shapes
// whose pins stand in at least two environments, and tells what it leaves. Each
// environment is promoted from the one before it, as the usual names have it. The error
// is ErrNone where there is no such shape; what came nearest is told beside it.
func Discover(ctx context.Context, tree Tree) (*Pipeline, []Leftover, error) {
	found, err := discovery.Discover(ctx, tree)
	var left []Leftover
	for _, l := range found.Left {
		left = append(left, Leftover(l))
	}
	if errors.Is(err, discovery.ErrNone) {
		return nil, left, &lookupError{"no " + FileName + ", and " + err.Error(),
			"write overlays as apps/SERVICE/overlays/ENVIRONMENT, or a " + FileName + " that says where they are", ErrNone}
	}
	if err != nil {
		return nil, nil, err
	}
	p := &Pipeline{APIVersion: APIVersion, Kind: "Pipeline"}
	for _, s := range found.Shapes {
		p.Spec.Layout = append(p.Spec.Layout, Location{Path: s.Path, Within: s.Within, Service: s.Service})
		for _, image := range s.Images {
			if path := imageNamed(image); !slices.Contains(p.Spec.Images, path) {
				p.Spec.Images = append(p.Spec.Images, path)
			}
		}
	}
	for _, e := range found.Environments {
		p.Spec.Environments = append(p.Spec.Environments, Environment{Name: e.Name, Path: e.Path, From: e.From})
	}
	p.setDefaults()
	return p, left, nil
}

// imageNamed calls what stands at a path by the service that the path names, or by its last
// key. Which image it is nobody has said, so that no registry is asked.
func imageNamed(path string) overlay.ImagePath {
	if location.Has(path, location.Service) {
		return overlay.ImagePath{Path: path, Name: serviceHole}
	}
	name := path[strings.LastIndexAny(path, ".]")+1:]
	for _, suffix := range []string{"_TAG", "_VERSION", "Tag", "Version", "-tag", "-version"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return overlay.ImagePath{Path: path, Name: strings.ToLower(name)}
}
