package pipeline

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/inside"
	"github.com/kubepromote/kubepromote/promote/internal/location"
)

// isParts is an error where a shared file has something else than a part for each service
// in the place of the parts: a text, or a list whose items the location does not name.
func (s Site) isParts(f *overlay.File) error {
	at := inside.Parts(s.Within)
	if s.Image || len(f.KeysAt(at)) > 0 {
		return nil
	}
	_, err := f.ImagesWithin(at)
	if errors.Is(err, overlay.ErrAbsent) {
		return nil
	}
	if err == nil && len(f.KeysAt(at+"[name=*]")) > 0 {
		return &overlay.Error{File: f.Name(), Line: 1, Col: 1, Msg: at + " is a list, and no part for each service", Hint: "within: " + at + "[name={service}]"}
	}
	return err
}

// Pins gives those pins of a file that are the service's, or ErrNoOverlay where the file
// has no part for it.
func (s Site) Pins(f *overlay.File) ([]overlay.Pin, error) {
	pins := f.Images()
	if s.Within != "" {
		var err error
		if pins, err = f.ImagesWithin(s.Within); errors.Is(err, overlay.ErrAbsent) {
			return nil, ErrNoOverlay
		} else if err != nil {
			return nil, err
		}
		pins = s.nameInside(f, pins)
	}
	if s.Image {
		pins = slices.DeleteFunc(slices.Clone(pins), func(p overlay.Pin) bool { return imageService(p) != path.Base(s.Service) })
	}
	return pins, nil
}

// Along gives those pins of a file that move beside a site's images: charts and revisions,
// of the kinds that the pipeline promotes.
func (p *Pipeline) Along(s Site, f *overlay.File) []overlay.Pin {
	if s.Within != "" || len(p.Spec.Promote) < 2 {
		return nil
	}
	var out []overlay.Pin
	for _, pin := range f.Pins() {
		if pin.Type != overlay.TypeImage && pin.Tag != "" && slices.Contains(p.Spec.Promote, Kind(pin.Type+"s")) {
			out = append(out, pin)
		}
	}
	return out
}

// nameInside names pins of which nobody knows the image by where they stand in the part,
// which is alike in two environments: imageTag, not elements[1].imageTag.
func (s Site) nameInside(f *overlay.File, pins []overlay.Pin) []overlay.Pin {
	for i, p := range pins {
		if rest, ok := s.Inside(f.NamedPath(p)); ok && !p.Known() && p.Name == p.Path && rest != "" {
			pins[i].Name = strings.TrimPrefix(rest, ".")
		}
	}
	return pins
}

// Inside gives what is left of a path behind the part of the file that is the site's; ok is
// false where the path leads elsewhere.
func (s Site) Inside(path string) (rest string, ok bool) { return inside.Of(s.Within, path) }

// shared gives a site for each service that shares a file, or for the one named. Whose a
// file is that cannot be read, nobody can tell: that is an error.
func (s *Sites) shared(one Site, service string, e *Environment) ([]Site, error) {
	reader := one
	if each, err := s.environment(one); err != nil || each.Place() != e.Place() {
		reader.Service = service // the place is this one's
	}
	parts, err := s.parts.Do(sharing{e.Place(), one.Path, one.Environment, one.Entry, false, one.Within, one.Image}, func() (map[string][]Site, error) {
		f, err := s.Read(reader, false)
		if errors.Is(err, ErrNoOverlay) {
			return nil, nil
		} else if err == nil {
			err = one.isParts(f)
		}
		if err != nil {
			return nil, err
		}
		all := one.Split(f)
		by := map[string][]Site{"": all}
		for i, part := range all {
			by[part.Service] = all[i : i+1]
		}
		return by, nil
	})
	return slices.Clone(parts[service]), err
}

// Split gives a site for each service that shares a file: for each of its images, or for
// each part.
func (s Site) Split(f *overlay.File) []Site {
	var names []string
	if s.Image {
		for _, pin := range f.Images() {
			names = append(names, imageService(pin))
		}
	} else {
		names = f.KeysAt(inside.Parts(s.Within))
	}
	var out []Site
	seen := make(map[string]bool)
	for _, name := range names {
		if location.IsName(name) && !seen[name] {
			seen[name] = true
			part := s
			part.Service, part.Within = name, location.Fill(s.Within, location.Holes{location.Service: name})
			out = append(out, part)
		}
	}
	return out
}

// imageService is the name of the service that an image is: the last element of its
// own.
func imageService(p overlay.Pin) string { return path.Base(p.Name) }
