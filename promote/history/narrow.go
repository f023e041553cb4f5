package history

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/internal/kustomization"
)

// narrow gives fewer pathspecs that lead to what others lead to, and perhaps to more beside
// it, which is passed over. Git compares the trees of each commit with each of them, and
// asks the filters of a commit graph, where there is one with changed paths, for one path
// without a pattern alone: a kustomization is meant by its directory in place of its three
// names, and the files of a service by the directory of the service that they all are in.
func narrow(specs, services []string) []string {
	var plain, patterns []string
	for _, spec := range specs {
		if at, ok := plainPath(spec); ok {
			plain = append(plain, at)
		} else {
			patterns = append(patterns, spec)
		}
	}
	if len(services) <= mostTogether {
		for _, service := range services {
			plain = together(plain, path.Base(service))
		}
	}
	there := make(map[string]bool)
	for _, at := range plain {
		there[at] = true
	}
	var out []string
	for _, at := range slices.Sorted(maps.Keys(there)) {
		dir := path.Dir(at)
		for !there[dir] && dir != "." {
			dir = path.Dir(dir)
		}
		if !there[dir] {
			out = append(out, literal(at))
		}
	}
	return append(out, patterns...)
}

// mostTogether is how many services are looked at one by one; of many there is no one path.
const mostTogether = 16

// together puts the one directory in the place of all paths below it that have the name of
// a service among their elements, if it has that name too.
func together(all []string, service string) []string {
	of := func(at string) bool { return slices.Contains(strings.Split(at, "/"), service) }
	var common []string
	first := true
	for _, at := range all {
		elements := strings.Split(at, "/")
		if !of(at) {
			continue
		}
		if first {
			common, first = elements, false
		}
		n := 0
		for n < min(len(common), len(elements)) && common[n] == elements[n] {
			n++
		}
		common = common[:n]
	}
	if !slices.Contains(common, service) {
		return all
	}
	return append(slices.DeleteFunc(all, of), strings.Join(common, "/"))
}

// plainPath is the path of a pathspec that has no pattern: of a kustomization its directory.
func plainPath(spec string) (string, bool) {
	at, isLiteral := strings.CutPrefix(spec, literal(""))
	if !isLiteral {
		var ok bool
		if at, ok = strings.CutPrefix(spec, ":(glob)"); !ok {
			return "", false
		}
		at = strings.NewReplacer(`\[`, "\x00", `\?`, "\x01").Replace(at)
		if strings.ContainsAny(at, `*?[\`) {
			return "", false
		}
		at = strings.NewReplacer("\x00", "[", "\x01", "?").Replace(at)
	}
	if dir := path.Dir(at); dir != "." && len(kustomization.Same(at)) > 1 {
		at = dir
	}
	return at, true
}
