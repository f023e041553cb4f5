package discovery

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
)

// member is one environment's file of a group.
type member struct{ environment, file string }

// group is what differs in nothing but the environment: a service, as a rule.
type group struct {
	template string
	texts    []string // of the slots
	members  []member
	// within is the part of the file that an environment is, where all share one.
	within string
}

// environments lists those of a group, in order.
func (g *group) environments() []string {
	var out []string
	for _, m := range g.members {
		out = append(out, m.environment)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (g *group) paired() bool {
	for _, m := range g.members {
		if m.environment != g.members[0].environment {
			return true
		}
	}
	return false
}

// cluster is the groups of one form: they differ in the texts of slots.
type cluster struct {
	pattern string
	folder  bool // the templates lead to folders
	guess   bool
	aside   bool
	slots   []slot
	groups  []*group
}

// paired counts the files whose groups are in two environments.
func (c *cluster) paired() int {
	n := 0
	for _, g := range c.groups {
		if g.paired() {
			n += len(g.members)
		}
	}
	return n
}

// sorter sorts paths into groups and clusters.
type sorter struct {
	groups   map[groupKey]*group
	clusters map[clusterKey]*cluster
}

type groupKey struct {
	template string
	folder   bool
	guess    bool
}

type clusterKey groupKey // its template is the pattern

// sort makes clusters of files: those first that most files speak for.
func (f *finder) sort(files []string) []*cluster {
	for _, file := range files {
		dir, name := path.Split(file)
		dir = path.Clean(dir)
		if have, ok := f.reader.folders[dir]; kustomizations[name] && (!ok || have == path.Join(dir, "Kustomization")) {
			f.reader.folders[dir] = file
		}
	}
	s := &sorter{make(map[groupKey]*group), make(map[clusterKey]*cluster)}
	for _, file := range files {
		at, folder := file, kustomizations[path.Base(file)]
		if folder {
			if at = path.Dir(file); at == "." || f.reader.folders[at] != file {
				continue
			}
		}
		found := readings(at, folder)
		for _, r := range found {
			s.add(r, file, folder)
		}
		if len(found) == 0 && !folder {
			f.plain = append(f.plain, file)
		}
	}
	f.clusters = s.clusters
	out := slices.Collect(maps.Values(s.clusters))
	paired := make(map[*cluster]int, len(out))
	for _, c := range out {
		paired[c] = c.paired()
	}
	slices.SortFunc(out, func(a, b *cluster) int {
		return cmp.Or(
			compareBools(a.aside, b.aside),
			compareBools(a.guess, b.guess),
			cmp.Compare(paired[b], paired[a]),
			cmp.Compare(strings.Count(a.pattern, "/"), strings.Count(b.pattern, "/")), // prod/eu is one element
			cmp.Compare(a.pattern, b.pattern),
			compareBools(a.folder, b.folder),
		)
	})
	return out
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func (s *sorter) add(r reading, file string, folder bool) {
	key := groupKey{r.template, folder, r.guess}
	g := s.groups[key]
	if g == nil {
		pattern, slots, texts := slotsOf(r.template, folder)
		g = &group{template: r.template, texts: texts}
		s.groups[key] = g
		ck := clusterKey{pattern, folder, r.guess}
		c := s.clusters[ck]
		if c == nil {
			c = &cluster{pattern: pattern, folder: folder, guess: r.guess, aside: isAside(pattern), slots: slots}
			s.clusters[ck] = c
		}
		c.groups = append(c.groups, g)
	}
	g.members = append(g.members, member{r.environment, file})
}

func isAside(pattern string) bool {
	return slices.ContainsFunc(strings.Split(pattern, "/"), func(e string) bool { return aside[e] })
}

// unclaimed gives a cluster without the files that a shape has already.
func (c *cluster) unclaimed(claimed map[string]bool) *cluster {
	out := *c
	out.groups = nil
	for _, g := range c.groups {
		left := *g
		left.members = slices.DeleteFunc(slices.Clone(g.members), func(m member) bool { return claimed[m.file] })
		if len(left.members) > 0 {
			out.groups = append(out.groups, &left)
		}
	}
	return &out
}

// with gives a cluster with the files that another one has of some environments, as far
// as it has files of the same groups.
func (c *cluster) with(other *cluster, environments map[string]bool) *cluster {
	more := make(map[string][]member)
	for _, g := range other.groups {
		for _, m := range g.members {
			if environments[m.environment] {
				more[g.template] = append(more[g.template], m)
			}
		}
	}
	out := *c
	out.groups = nil
	for _, g := range c.groups {
		g := *g
		g.members = slices.Concat(g.members, more[g.template])
		out.groups = append(out.groups, &g)
	}
	return &out
}

// starred gives the cluster with * in place of a slot.
func (c *cluster) starred(i int) *cluster {
	out := &cluster{folder: c.folder, guess: c.guess, aside: c.aside, slots: slices.Delete(slices.Clone(c.slots), i, i+1)}
	elements := strings.Split(c.pattern, "/")
	elements[c.slots[i].element] = "*"
	out.pattern = strings.Join(elements, "/")
	merged := make(map[string]*group)
	for _, g := range c.groups {
		elements := strings.Split(g.template, "/")
		elements[c.slots[i].element] = "*"
		template := strings.Join(elements, "/")
		into := merged[template]
		if into == nil {
			into = &group{template: template, texts: slices.Delete(slices.Clone(g.texts), i, i+1)}
			merged[template] = into
			out.groups = append(out.groups, into)
		}
		into.members = append(into.members, g.members...)
	}
	return out
}

// pairedGroups are the groups that are in two environments.
func (c *cluster) pairedGroups() []*group {
	var out []*group
	for _, g := range c.groups {
		if g.paired() {
			out = append(out, g)
		}
	}
	return out
}

// mostSampled is how many services of one form are read, as long as all of them
// are alike.
const mostSampled = 64

// sample picks groups from all over a list, and some of each environment and of each
// text that few slots have.
func (c *cluster) sample(groups []*group) []*group {
	if len(groups) <= mostSampled {
		return groups
	}
	picked := make(map[int]bool)
	some := func(texts func(*group) []string) {
		seen := make(map[string]int)
		var firsts []int
		for i, g := range groups {
			for _, text := range texts(g) {
				if seen[text]++; seen[text] <= 2 {
					firsts = append(firsts, i)
				}
			}
		}
		if len(seen) <= mostSampled/2 {
			for _, i := range firsts {
				picked[i] = true
			}
		}
	}
	some((*group).environments)
	for i := range c.slots {
		some(func(g *group) []string { return g.texts[i : i+1] })
	}
	for i := range mostSampled {
		picked[i*len(groups)/mostSampled] = true
	}
	var out []*group
	for _, i := range slices.Sorted(maps.Keys(picked)) {
		out = append(out, groups[i])
	}
	return out
}
