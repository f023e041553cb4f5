package git

import (
	"fmt"
	"slices"
	"strings"
)

// covering gives a few pathspecs that match all the paths, and others too: the
// files of many services differ in one or two directories' names only. It gives
// none, which stand for everything, where the paths have too little in common.
func covering(paths []string) []string {
	const most = 16
	groups := map[string][]string{}
	for _, p := range paths {
		elems := strings.Split(p, "/")
		last := elems[len(elems)-1]
		key := fmt.Sprint(len(elems), last)
		common := groups[key]
		if common == nil {
			for i, e := range elems {
				elems[i] = globQuoter.Replace(e)
			}
			groups[key] = elems
			continue
		}
		for i, e := range elems {
			if common[i] != globQuoter.Replace(e) {
				common[i] = "*"
			}
		}
	}
	if len(groups) > most {
		return nil
	}
	specs := make([]string, 0, len(groups))
	for _, elems := range groups {
		specs = append(specs, ":(top,glob)"+strings.Join(elems, "/"))
	}
	slices.Sort(specs)
	return specs
}

// globQuoter makes a path element match itself only.
var globQuoter = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`)
