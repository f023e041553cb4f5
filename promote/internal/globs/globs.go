// Package globs tells which names are meant, where some of them may stand for several.
package globs

import (
	"path"
	"slices"
	"strings"
)

// Is tells whether a name may stand for several.
func Is(name string) bool { return strings.ContainsAny(name, `*?[`) }

// Any tells whether one of the names or globs, as path.Match has them, means a name.
func Any(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		ok, _ := path.Match(glob, name)
		return ok
	})
}

// Take gives those of the names that a glob means, or the name itself that is none.
func Take(glob string, names []string) []string {
	if !Is(glob) {
		return []string{glob}
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !Any([]string{glob}, name) })
}
