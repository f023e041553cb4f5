package pipeline

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/discovery"
	"github.com/kubepromote/kubepromote/promote/internal/location"
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
	p.Spec.Promote = moves(found.Shapes)
	p.setDefaults()
	p.nameServices(tree)
	return p, left, nil
}

// moves says what is promoted where no image is: the charts and revisions that were
// found. Where there are images, whether the rest moves with them is for people to say.
func moves(shapes []discovery.Shape) []Kind {
	out := []Kind{Images}
	for _, s := range shapes {
		for _, t := range s.Types {
			if t == overlay.TypeImage {
				return nil
			}
			if kind := Kind(t + "s"); !slices.Contains(out, kind) {
				out = append(out, kind)
			}
		}
	}
	return out
}

// nameServices names the one service of a location in which no name stands: by its image,
// whose repository is told by what the file is laid over, or by the chart around it.
func (p *Pipeline) nameServices(tree Tree) {
	for i := range p.Spec.Layout {
		l := &p.Spec.Layout[i]
		if l.Service != "" || location.Has(l.Path+l.Within, location.Service) {
			continue
		}
		sites, finder := p.Sites(tree), location.Finder{Tree: tree}
		for j := range p.Spec.Environments {
			e := &p.Spec.Environments[j]
			paths, err := finder.Find(l.Path, location.Holes{location.Environment: e.folder()})
			if err != nil || len(paths) == 0 {
				continue
			}
			if l.Service = sites.nameOf(Site{Entry: i, Environment: e.Name, Path: paths[0].Path}); l.Service != "" {
				break
			}
		}
	}
}

// nameOf names the service that a file is of, or gives "" where nothing tells.
func (s *Sites) nameOf(one Site) string {
	f, err := s.Read(one, false)
	if err != nil {
		return ""
	}
	for _, pin := range f.Images() {
		if name := imageService(pin); pin.Known() && location.IsName(name) {
			return name
		}
	}
	for dir := path.Dir(f.Name()); ; dir = path.Dir(dir) {
		data, err := s.home.ReadFile(path.Join(dir, "Chart.yaml"))
		var chart struct{ Name string }
		if err == nil && yaml.Unmarshal(data, &chart) == nil && chart.Name != imageServices && location.IsName(chart.Name) {
			return chart.Name
		}
		if dir == "." {
			return ""
		}
	}
}

// Text tells whether no pin of a repository has a known image, as far as the first of its
// services show: then all there is to promote is text.
func (p *Pipeline) Text(tree Tree) bool {
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

// mostShown is how many services show what a repository's pins are.
const mostShown = 64

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
