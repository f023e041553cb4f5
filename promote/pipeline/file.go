package pipeline

import (
	"path"
	"slices"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/overlay/valuesfiles"
	"github.com/kubepromote/kubepromote/promote/internal/location"
)

// Parse parses a version of the file of a site, with those pins that the pipeline names
// and over what the tree has below it. The name is used in messages.
func (s *Sites) Parse(one Site, file string, data []byte) (*overlay.File, error) {
	f, err := s.pipeline.readOver(one, file, data, nil)
	if err != nil {
		return nil, err
	}
	return s.over(one, f, data)
}

// readOver parses a file that is laid over another, or over none; see overlay.Options.
func (p *Pipeline) readOver(one Site, file string, data []byte, base *overlay.File) (*overlay.File, error) {
	o, holes := overlay.Options{Base: base}, p.Holes(one)
	for _, image := range p.Spec.Images {
		image = overlay.ImagePath{Path: location.Fill(image.Path, holes), Name: location.Fill(image.Name, holes), Repository: location.Fill(image.Repository, holes)}
		if len(location.Names(image.Path+image.Name+image.Repository)) == 0 {
			o.Images = append(o.Images, image)
		}
	}
	f, err := o.Parse(file, data)
	if err != nil && location.IsFile(one.Path) && valuesfiles.IsBlank(data) {
		// Helm takes a file of values without a value for one that changes nothing.
		return o.Parse(file, []byte("{}\n"))
	}
	return f, err
}

// namesServices tells whether pins that the pipeline names are others for each service.
func (p *Pipeline) namesServices() bool {
	return slices.ContainsFunc(p.Spec.Images, func(i overlay.ImagePath) bool { return location.Has(i.Path+i.Name+i.Repository, location.Service) })
}

// filledAnyhow is an image's path in which holes have some text, to be checked.
func filledAnyhow(i overlay.ImagePath) overlay.ImagePath {
	holes := make(location.Holes)
	for _, name := range location.Names(i.Path + i.Name + i.Repository) {
		holes[name] = "x"
	}
	return overlay.ImagePath{Path: location.Fill(i.Path, holes), Name: location.Fill(i.Name, holes), Repository: location.Fill(i.Repository, holes)}
}

// over reads the file again over the one that it is laid over, where it has pins whose
// repository it does not know itself: the chart's values.yaml, or the same file of a base.
func (s *Sites) over(one Site, f *overlay.File, data []byte) (*overlay.File, error) {
	unknown := unknownIn(f)
	if unknown == 0 {
		return f, nil
	}
	tree, err := s.treeOf(one)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Concat(one.under, bases(tree, f.Name())) {
		base, err := tree.ReadFile(name)
		if err != nil {
			continue // there is none, or nothing to be known from it
		}
		under, err := overlay.Parse(name, base)
		if err != nil {
			continue
		}
		over, err := s.pipeline.readOver(one, f.Name(), data, under)
		if err != nil || unknownIn(over) < unknown {
			return over, err
		}
	}
	return f, nil
}

// unknownIn counts the pins of which it is not known which image they are of.
func unknownIn(f *overlay.File) int {
	n := 0
	for _, p := range f.Images() {
		if !p.Known() {
			n++
		}
	}
	return n
}

// bases are the files that a file is laid over, the nearest first: values.yaml in its own
// folder or in that of its chart, and the file of its name in a base. The values of
// another chart would name another image.
func bases(tree Tree, file string) []string {
	dir, name := path.Split(file)
	var out []string
	for up := range 3 {
		dir = path.Clean(dir)
		found, err := tree.ReadAny(dir, []string{"Chart.yaml"})
		if up == 0 || err == nil && len(found.Have) > 0 {
			out = append(out, path.Join(dir, "values.yaml"))
		}
		out = append(out, path.Join(dir, "base", name))
		if dir == "." {
			break
		}
		dir = path.Dir(dir)
	}
	return slices.DeleteFunc(out, func(at string) bool { return at == file })
}
