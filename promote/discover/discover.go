package discover

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/discovery"
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"go.yaml.in/yaml/v3"
)

// Leftover is something that looks like a part of a layout and is not in the one that
// was discovered.
type Leftover struct {
	// Path is a template, as a layout has it.
	Path string
	// Reason is one line.
	Reason string
}

// none is the error where there is no shape that is known.
type none struct{ msg string }

// Error is the message alone, with what came nearest.
func (e *none) Error() string { return e.msg }

// Unwrap gives [pipeline.ErrNone].
func (e *none) Unwrap() error { return pipeline.ErrNone }

// HintText says what can be done about it.
func (e *none) HintText() string {
	return "write overlays as apps/SERVICE/overlays/ENVIRONMENT, or a " + pipeline.FileName + " that says where they are"
}

// Pipeline makes the pipeline of a repository that has no pipeline file, of the shapes
// whose pins stand in at least two environments, and tells what it leaves. Each
// environment is promoted from the one before it, as the usual names have it. The error
// is [pipeline.ErrNone] where there is no such shape; what came nearest is told beside it.
func Pipeline(ctx context.Context, tree pipeline.Tree) (*pipeline.Pipeline, []Leftover, error) {
	found, err := discovery.Discover(ctx, tree)
	var left []Leftover
	for _, l := range found.Left {
		left = append(left, Leftover(l))
	}
	if errors.Is(err, discovery.ErrNone) {
		return nil, left, &none{"no " + pipeline.FileName + ", and " + err.Error()}
	}
	if err != nil {
		return nil, nil, err
	}
	p := &pipeline.Pipeline{APIVersion: pipeline.APIVersion, Kind: "Pipeline"}
	p.Spec.Pin = pipeline.PinTagDigest
	for _, s := range found.Shapes {
		p.Spec.Layout = append(p.Spec.Layout, pipeline.Location{Path: s.Path, Within: s.Within, Service: s.Service})
		for _, image := range s.Images {
			if path := imageNamed(image); !slices.Contains(p.Spec.Images, path) {
				p.Spec.Images = append(p.Spec.Images, path)
			}
		}
	}
	for _, e := range found.Environments {
		p.Spec.Environments = append(p.Spec.Environments, pipeline.Environment{Name: e.Name, Path: e.Path, From: e.From, Deliver: pipeline.Deliver{Mode: pipeline.DeliverWorktree}})
	}
	p.Spec.Promote = moves(found.Shapes)
	nameServices(p, tree)
	return p, left, nil
}

// moves says what is promoted where no image is: the charts and revisions that were
// found. Where there are images, whether the rest moves with them is for people to say.
func moves(shapes []discovery.Shape) []pipeline.Kind {
	out := []pipeline.Kind{pipeline.Images}
	for _, s := range shapes {
		for _, t := range s.Types {
			if t == overlay.TypeImage {
				return nil
			}
			if kind := pipeline.Kind(t + "s"); !slices.Contains(out, kind) {
				out = append(out, kind)
			}
		}
	}
	return out
}

// nameServices names the one service of a location in which no name stands: by its image,
// whose repository is told by what the file is laid over, or by the chart around it.
func nameServices(p *pipeline.Pipeline, tree pipeline.Tree) {
	for i := range p.Spec.Layout {
		l := &p.Spec.Layout[i]
		if l.Service != "" || location.Has(l.Path+l.Within, location.Service) {
			continue
		}
		sites, finder := p.Sites(tree), location.Finder{Tree: tree}
		for j := range p.Spec.Environments {
			e := &p.Spec.Environments[j]
			paths, err := finder.Find(l.Path, location.Holes{location.Environment: cmp.Or(e.Path, e.Name)})
			if err != nil || len(paths) == 0 {
				continue
			}
			if l.Service = nameOf(tree, sites, pipeline.Site{Entry: i, Environment: e.Name, Path: paths[0].Path}); l.Service != "" {
				break
			}
		}
	}
}

// nameOf names the service that a file is of, or gives "" where nothing tells.
func nameOf(home pipeline.Tree, s *pipeline.Sites, one pipeline.Site) string {
	f, err := s.Read(one, false)
	if err != nil {
		return ""
	}
	for _, pin := range f.Images() {
		if name := path.Base(pin.Name); pin.Known() && location.IsName(name) {
			return name
		}
	}
	for dir := path.Dir(f.Name()); ; dir = path.Dir(dir) {
		data, err := home.ReadFile(path.Join(dir, "Chart.yaml"))
		var chart struct{ Name string }
		if err == nil && yaml.Unmarshal(data, &chart) == nil && chart.Name != eachImage && location.IsName(chart.Name) {
			return chart.Name
		}
		if dir == "." {
			return ""
		}
	}
}

// Text tells whether no pin of a repository has a known image, as far as the first of its
// services show: then all there is to promote is text.
func Text(p *pipeline.Pipeline, tree pipeline.Tree) bool {
	sites := p.Sites(tree)
	all, err := sites.All()
	pins := 0
	for _, name := range slices.Sorted(maps.Keys(all))[:min(len(all), mostShown)] {
		for _, here := range all[name] {
			for _, one := range here {
				f, ferr := sites.Read(one, false)
				if ferr != nil {
					continue
				}
				if slices.ContainsFunc(f.Images(), overlay.Pin.Known) {
					return false
				}
				pins += len(f.Images())
			}
		}
	}
	return err == nil && pins > 0
}

// eachImage is the Service of a location in which each image is one.
const eachImage = "image"

// mostShown is how many services show what a repository's pins are.
const mostShown = 64

// imageNamed calls what stands at a path by the service that the path names, or by its last
// key. Which image it is nobody has said, so that no registry is asked.
func imageNamed(path string) overlay.ImagePath {
	if location.Has(path, location.Service) {
		return overlay.ImagePath{Path: path, Name: "{" + location.Service + "}"}
	}
	name := path[strings.LastIndexAny(path, ".]")+1:]
	for _, suffix := range []string{"_TAG", "_VERSION", "Tag", "Version", "-tag", "-version"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return overlay.ImagePath{Path: path, Name: strings.ToLower(name)}
}
