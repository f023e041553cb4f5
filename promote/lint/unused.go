package lint

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote/internal/kustomization"
)

// checkUnused finds folders beside overlays that are overlays themselves, of no environment
// of the pipeline, and that none of the others builds upon: what is left of an environment
// that is gone, or one that was forgotten.
func checkUnused(w *work) {
	if w.Source == nil {
		return
	}
	beside := make(map[string][]string) // what the overlays of a folder say, by the folder
	known := make(map[string]bool)
	for _, f := range w.files {
		dir := path.Dir(f.Name())
		if f.env.Elsewhere() || len(f.pins) == 0 || f.pins[0].Format != overlay.Kustomization || path.Base(dir) != path.Base(cmp.Or(f.env.Path, f.env.Name)) {
			continue
		}
		known[dir] = true
		beside[path.Dir(dir)] = append(beside[path.Dir(dir)], string(f.Bytes()))
	}
	for _, parent := range slices.Sorted(maps.Keys(beside)) {
		entries, err := w.Tree.ReadDir(parent)
		if err != nil {
			continue // which nothing else depends on
		}
		for _, entry := range entries {
			dir := path.Join(parent, entry.Name())
			used := slices.ContainsFunc(beside[parent], func(text string) bool { return strings.Contains(text, "../"+entry.Name()) })
			if !entry.IsDir() || known[dir] || used {
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
			w.at(f.Name(), f.Pins()[0].Position, fmt.Sprintf("an environment %s of the pipeline, or git rm -r %s", entry.Name(), dir),
				"this is an overlay of no environment of the pipeline, and none beside it builds upon it: nothing is promoted to it")
		}
	}
}
