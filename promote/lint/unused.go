package lint

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/kustomization"
)

// checkUnused finds folders beside overlays that are overlays themselves, of no environment
// of the pipeline, and that nothing in the repository names: what is left of an environment
// that is gone, or one that was forgotten.
func checkUnused(w *work) {
	if w.Source == nil {
		return
	}
	beside := make(map[string]bool) // folders of overlays
	known := make(map[string]bool)
	for _, f := range w.files {
		dir := path.Dir(f.Name())
		if f.env.Elsewhere() || len(f.pins) == 0 || f.pins[0].Format != overlay.Kustomization || path.Base(dir) != path.Base(cmp.Or(f.env.Path, f.env.Name)) {
			continue
		}
		known[dir], beside[path.Dir(dir)] = true, true
	}
	environments := make(map[string]bool) // those that are elsewhere have a folder here at times
	for _, e := range w.Pipeline.Spec.Environments {
		environments[path.Base(cmp.Or(e.Path, e.Name))] = true
	}
	var who *mentions
	for _, parent := range slices.Sorted(maps.Keys(beside)) {
		entries, err := w.Tree.ReadDir(parent)
		if err != nil {
			continue // which nothing else depends on
		}
		for _, entry := range entries {
			dir := path.Join(parent, entry.Name())
			if !entry.IsDir() || known[dir] || environments[entry.Name()] {
				continue
			}
			found, err := w.Tree.ReadAny(dir, kustomization.Names)
			if err != nil {
				continue
			}
			f, err := overlay.Parse(path.Join(dir, found.Name), found.Data)
			if err != nil || len(f.Pins()) == 0 {
				continue
			}
			if who == nil {
				who = w.mentioning()
			}
			if who.of(dir) {
				continue
			}
			w.at(f.Name(), f.Pins()[0].Position, fmt.Sprintf("an environment %s of the pipeline, or git log --oneline -- %s", entry.Name(), shell.Quote(dir)),
				"this is an overlay of no environment of the pipeline, and nothing in this repository names it: nothing is promoted to it")
		}
	}
}
