package git

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// covering gives a few pathspecs that match all the paths, and others too: the
// files of many services differ in the names of one or two directories. Names of
// which there are few, such as environments, stay in the pathspecs. It gives none,
// which stand for everything, where the paths have too little in common.
func covering(paths []string) []string {
	const most, fewNames = 16, 3
	type shape struct {
		depth int
		file  string
	}
	shapes := map[shape][]map[string]bool{} // the names at each depth
	split := func(p string) ([]string, []map[string]bool) {
		elems := strings.Split(p, "/")
		s := shape{len(elems), elems[len(elems)-1]}
		if shapes[s] == nil {
			shapes[s] = make([]map[string]bool, s.depth)
		}
		return elems, shapes[s]
	}
	for _, p := range paths {
		elems, names := split(p)
		for i, e := range elems {
			if names[i] == nil {
				names[i] = map[string]bool{}
			}
			if len(names[i]) <= fewNames {
				names[i][e] = true
			}
		}
	}
	specs := map[string]bool{}
	for _, p := range paths {
		elems, names := split(p)
		for i, e := range elems {
			if elems[i] = "*"; len(names[i]) <= fewNames {
				elems[i] = gitcmd.GlobQuoter.Replace(e)
			}
		}
		if specs[":(top,glob)"+strings.Join(elems, "/")] = true; len(specs) > most {
			return nil
		}
	}
	return slices.Sorted(maps.Keys(specs))
}
