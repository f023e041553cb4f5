package inside

import (
	"sync"

	"github.com/kubepromote/kubepromote/overlay"
)

// Pins finds pins of a part of a file by where they stand and by name. Each is asked for
// as often as the part has pins: a walk over all of them for each was a minute where a
// file has 8,000.
type Pins struct {
	all    []overlay.Pin
	part   string
	places func() map[place]int
	names  func() map[string]int
}

// place is where a pin stands: its path in the file, or in the part.
type place struct {
	format overlay.Format
	within bool
	path   string
}

// NewPins looks for nothing yet. Path gives where a pin stands, its items by name; see
// overlay.File.NamedPath.
func NewPins(part string, pins []overlay.Pin, path func(overlay.Pin) string) *Pins {
	p := &Pins{all: pins, part: part}
	p.places = sync.OnceValue(func() map[place]int { return p.placed(path) })
	p.names = sync.OnceValue(func() map[string]int {
		names := make(map[string]int, len(pins))
		for i, pin := range pins {
			keepFirst(names, pin.Name, i)
		}
		return names
	})
	return p
}

func (p *Pins) placed(path func(overlay.Pin) string) map[place]int {
	places := make(map[place]int, len(p.all))
	for i, pin := range p.all {
		at := path(pin)
		keepFirst(places, place{pin.Format, false, at}, i)
		if rest, ok := Of(p.part, at); ok {
			keepFirst(places, place{pin.Format, true, rest}, i)
		}
	}
	return places
}

func keepFirst[K comparable](m map[K]int, k K, i int) {
	if _, ok := m[k]; !ok {
		m[k] = i
	}
}

// Named gives the first pin with a name.
func (p *Pins) Named(name string) (overlay.Pin, bool) {
	i, ok := p.names()[name]
	if !ok {
		return overlay.Pin{}, false
	}
	return p.all[i], true
}

// At gives the first pin of a format at a path, or at the same path inside the part.
func (p *Pins) At(format overlay.Format, path string) (overlay.Pin, bool) {
	i, ok := p.places()[place{format, false, path}]
	if rest, within := Of(p.part, path); within {
		if j, also := p.places()[place{format, true, rest}]; also && (!ok || j < i) {
			i, ok = j, true
		}
	}
	if !ok {
		return overlay.Pin{}, false
	}
	return p.all[i], true
}
