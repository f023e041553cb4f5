// Package kustomization knows the names that the file of a kustomization may have.
package kustomization

import (
	"path"
	"slices"
)

// Names are those that kustomize knows, in its order.
var Names = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// Is tells whether a file is that of a kustomization, by its name.
func Is(file string) bool { return slices.Contains(Names, path.Base(file)) }

// Same gives the paths under which a file may stand and be the same overlay: of a
// kustomization all three.
func Same(file string) []string {
	if !Is(file) {
		return []string{file}
	}
	return Of(path.Dir(file))
}

// Of gives the paths of the kustomization that a directory may have.
func Of(dir string) []string {
	var out []string
	for _, name := range Names {
		out = append(out, path.Join(dir, name))
	}
	return out
}
