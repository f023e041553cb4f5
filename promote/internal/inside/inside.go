// Package inside tells what of a file is in a part of it, by the paths of both.
package inside

import (
	"cmp"
	"strings"

	"github.com/kubepromote/kubepromote/promote/internal/location"
)

// Parts is the path whose keys are the services, where a part is that of {service}: a
// mapping's, the document's where these are its own, or one that ends in [name=*].
func Parts(within string) string {
	before, _, _ := strings.Cut(within, "{"+location.Service+"}")
	if strings.HasSuffix(before, "=") {
		return before + "*]"
	}
	return cmp.Or(strings.TrimSuffix(before, "."), ".")
}

// Of gives what is left of a path behind that of a part, with the dot or bracket that it
// begins with; ok is false where the path leads elsewhere. An item of a list is the same by
// its number, [1], and by a field: [env=prod].
func Of(part, path string) (rest string, ok bool) {
	for part != "" {
		var want, got string
		want, part = location.Step(part)
		got, path = location.Step(path)
		if want != got && (want[0] != '[' || got == "" || got[0] != '[') {
			return "", false
		}
	}
	return path, true
}
