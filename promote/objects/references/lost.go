package references

import (
	"fmt"
	"slices"

	"github.com/kubepromote/kubepromote/promote/objects"
)

// Lost finds environment variables and volumes that workloads have in the environment that
// they come from and lack in the other one, but for names that are allowed to, with globs.
// What is new in the source alone is no workload of both.
func Lost(source, target []objects.Object, allowed []string) []Finding {
	var out []Finding
	for _, pair := range workloads(objects.Flatten(source), objects.Flatten(target)) {
		from, _ := pair[0].Pods()
		to, _ := pair[1].Pods()
		look := func(what, where string, old, now []string, at objects.Path) {
			for _, name := range old {
				if !slices.Contains(now, name) && !slices.ContainsFunc(allowed, func(glob string) bool { return matches(glob, name) }) {
					out = append(out, Finding{pair[1], at, fmt.Sprintf("has no %s %s%s, as the source has", what, name, where)})
				}
			}
		}
		look("volume", "", names(from.Fields["volumes"]), names(to.Fields["volumes"]), to.Path)
		for _, c := range from.Containers() {
			for _, other := range to.Containers() {
				if other.Name != c.Name {
					continue
				}
				look("environment variable", " in container "+c.Name, names(c.Fields["env"]), names(other.Fields["env"]), other.Path)
			}
		}
	}
	return out
}

func names(v any) []string {
	var out []string
	for _, m := range objects.Maps(v) {
		if n := text(m["name"]); n != "" {
			out = append(out, n)
		}
	}
	return out
}

// workloads pairs those of two environments.
func workloads(source, target []objects.Object) [][2]*objects.Object {
	type named struct{ kind, original string }
	first := make(map[named]*objects.Object)
	for m := range source {
		key := named{source[m].Kind, source[m].Original}
		if _, ok := source[m].Pods(); ok && first[key] == nil {
			first[key] = &source[m]
		}
	}
	var out [][2]*objects.Object
	for n := range target {
		if from := first[named{target[n].Kind, target[n].Original}]; from != nil {
			if _, ok := target[n].Pods(); ok {
				out = append(out, [2]*objects.Object{from, &target[n]})
			}
		}
	}
	return out
}
