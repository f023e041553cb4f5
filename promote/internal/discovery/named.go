package discovery

import (
	"path"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/overlay/valuesfiles"
)

// named gives the pins of the files of values that a kustomization names, as far as their
// own paths do not tell of an environment: those that do are found by themselves.
func (r *reader) named(file string, data []byte) []pin {
	if !valuesfiles.May(data) {
		return nil
	}
	f, err := overlay.Parse(file, data)
	if err != nil {
		return nil // which is told of the file
	}
	var out []pin
	for _, n := range valuesfiles.In(f) {
		at := path.Join(path.Dir(file), n.File)
		if n.Of != (valuesfiles.Root{}) || path.IsAbs(n.File) || strings.Contains(n.File, "://") || len(readings(at, false)) > 0 {
			continue
		}
		text, err := r.tree.ReadFile(at)
		if err != nil {
			continue
		}
		pins, err := pinsOf(at, text)
		if err != nil {
			continue
		}
		for _, p := range pins {
			if p.format != "" { // what no convention knows has no path that a layout could declare
				p.path = n.Path + ":" + p.path
				out = append(out, p)
			}
		}
	}
	return out
}
