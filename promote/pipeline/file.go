package pipeline

import (
	"bytes"
	"path"
	"slices"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/location"
)

// Read parses a version of the file of a site, with those pins that the pipeline names.
// Names are used in messages.
func (p *Pipeline) Read(one Site, file string, data []byte) (*overlay.File, error) {
	return p.readOver(one, file, data, nil)
}

// readOver is Read of a file that is laid over another; see overlay.Options.
func (p *Pipeline) readOver(one Site, file string, data []byte, base *overlay.File) (*overlay.File, error) {
	o, holes := overlay.Options{Base: base}, p.Holes(one)
	for _, image := range p.Spec.Images {
		image = overlay.ImagePath{Path: location.Fill(image.Path, holes), Name: location.Fill(image.Name, holes), Repository: location.Fill(image.Repository, holes)}
		if len(location.Names(image.Path+image.Name+image.Repository)) == 0 {
			o.Images = append(o.Images, image)
		}
	}
	f, err := o.Parse(file, data)
	if err != nil && location.IsFile(one.Path) && blank(data) {
		// Helm takes a file of values without a value for one that changes nothing.
		return o.Parse(file, []byte("{}\n"))
	}
	return f, err
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
// repository it does not know itself: the chart's values.yaml, or the release in a base.
func (s *Sites) over(one Site, f *overlay.File, data []byte) (*overlay.File, error) {
	if !slices.ContainsFunc(f.Images(), func(p overlay.Pin) bool { return !p.Known() }) {
		return f, nil
	}
	for _, name := range bases(f.Name()) {
		base, err := s.tree.ReadFile(name)
		if err != nil {
			continue // there is none, or nothing to be known from it
		}
		under, err := overlay.Parse(name, base)
		if err != nil {
			continue
		}
		over, err := s.pipeline.readOver(one, f.Name(), data, under)
		if err != nil || slices.ContainsFunc(over.Images(), overlay.Pin.Known) {
			return over, err
		}
	}
	return f, nil
}

// bases are the files that a file may be laid over, the nearest first.
func bases(file string) []string {
	dir, name := path.Split(file)
	var out []string
	for range 3 {
		dir = path.Clean(dir)
		for _, candidate := range []string{"values.yaml", "base/" + name, "chart/values.yaml"} {
			if at := path.Join(dir, candidate); at != file {
				out = append(out, at)
			}
		}
		if dir == "." {
			break
		}
		dir = path.Dir(dir)
	}
	return out
}

// blank tells whether a file has nothing but comments and marks of documents.
func blank(data []byte) bool {
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && string(line) != "---" {
			return false
		}
	}
	return true
}
