package discovery

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/kubepromote/kubepromote/overlay"
)

// finder carries one discovery.
type finder struct {
	ctx     context.Context
	reader  *reader
	claimed map[string]bool // by file: a shape has it
	// clusters are all there are, by their patterns.
	clusters map[clusterKey]*cluster
	plain    []string // files in whose path is no environment
	shapes   []Shape
	// alone are clusters with pins in one environment, and missed those that are in
	// several and hold none.
	alone  []*cluster
	left   []Leftover
	missed []Leftover
}

// entry is a group with what its files hold.
type entry struct {
	group *group
	// pins are those that two environments have, and environments the ones that have
	// them.
	pins         []pin
	environments map[string]bool
	unpaired     bool // there are pins that one environment alone has
	named        bool // an image is the same in two environments
	err          error
}

// images tells whether a pin of an image is among the pins.
func (e *entry) images() bool {
	return slices.ContainsFunc(e.pins, func(p pin) bool { return p.kind == overlay.TypeImage })
}

// evaluate reads the files of groups.
func (f *finder) evaluate(groups []*group) []*entry {
	out := make([]*entry, len(groups))
	f.each(len(groups), func(i int) { out[i] = f.read(groups[i]) })
	return slices.DeleteFunc(out, func(e *entry) bool { return e == nil })
}

// each runs do for the numbers below n, some at a time, until the end of ctx.
func (f *finder) each(n int, do func(int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(n, 2*runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && f.ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wait.Wait()
}

// mostMembers is how many files of one service are read.
const mostMembers = 64

func (f *finder) read(g *group) *entry {
	e := &entry{group: g}
	found := make(map[string][]pin)
	for _, m := range g.members[:min(len(g.members), mostMembers)] {
		pins, err := f.reader.pins(m.file)
		if err != nil && e.err == nil {
			e.err = err
		}
		found[m.environment] = append(found[m.environment], pins...)
	}
	e.pair(found)
	return e
}

// pair keeps the pins that another environment has too.
func (e *entry) pair(found map[string][]pin) {
	e.environments = make(map[string]bool)
	all := sightsOf(found)
	for _, env := range slices.Sorted(maps.Keys(found)) {
		var paired []pin
		for _, p := range found[env] {
			named := p.name != "" && all[sightKey{"name", p.name}].outside(env)
			if !all[sightKey{"path " + string(p.kind), p.path}].outside(env) && !(named && all[sightKey{"name " + string(p.kind), p.name}].outside(env)) {
				e.unpaired = true
				continue
			}
			paired = append(paired, p)
			e.named = e.named || named
		}
		if len(paired) > 0 {
			e.environments[env] = true
		}
		if len(paired) > len(e.pins) {
			e.pins = paired
		}
	}
}

// sightKey is what pins are recognized by: a name, or a path or name of a kind of pin.
type sightKey struct{ by, text string }

// sight is the environments in which something was seen.
type sight struct {
	first string
	more  bool
}

// outside tells whether it was seen in another environment.
func (s sight) outside(environment string) bool {
	return s.more || s.first != "" && s.first != environment
}

// sightsOf goes through the pins of all environments once: files may have thousands.
func sightsOf(found map[string][]pin) map[sightKey]sight {
	all := make(map[sightKey]sight)
	see := func(environment, by, text string) {
		k := sightKey{by, text}
		if s, ok := all[k]; !ok {
			all[k] = sight{first: environment}
		} else if s.first != environment {
			all[k] = sight{s.first, true}
		}
	}
	for environment, pins := range found {
		for _, p := range pins {
			see(environment, "path "+string(p.kind), p.path)
			if p.name != "" {
				see(environment, "name", p.name)
				see(environment, "name "+string(p.kind), p.name)
			}
		}
	}
	return all
}

// try makes shapes of a cluster, if its pins are in two environments.
func (f *finder) try(whole *cluster) {
	c := whole.unclaimed(f.claimed)
	groups := c.pairedGroups()
	if len(groups) == 0 {
		if c, groups = f.star(c); len(groups) == 0 {
			if !whole.guess && len(c.groups) > 0 {
				f.alone = append(f.alone, c)
			}
			return
		}
	}
	entries := f.evaluate(c.sample(groups))
	if c.guess && !sure(entries) {
		return
	}
	environments, images := make(map[string]bool), false
	for _, e := range entries {
		images = images || e.images()
		maps.Copy(environments, e.environments)
	}
	b := &builder{cluster: c, scale: float64(len(groups)) / float64(max(len(entries), 1)), images: images}
	switch {
	case len(environments) == 0:
		f.tellUnpaired(b.template(groups[0]), groups, entries)
	case len(ranksOf(environments)) < 2:
		f.left = append(f.left, Leftover{b.template(groups[0]), "its environments are all of one stage: " + list(environments)})
	default:
		f.accept(b, groups, entries, environments)
	}
}

// tellUnpaired says why files of several environments have no pin that two of them
// have.
func (f *finder) tellUnpaired(template string, groups []*group, entries []*entry) {
	reason := "it is in " + list(environmentsOf(groups)) + " and holds no pin"
	for _, e := range entries {
		switch {
		case e.err != nil:
			reason = "it cannot be read: " + firstLine(e.err)
		case e.unpaired:
			f.left = append(f.left, Leftover{template, "its pins are in one environment alone"})
			return
		}
	}
	f.missed = append(f.missed, Leftover{template, reason})
}

// sure tells whether a guess is proven: by the same image, or by several services.
func sure(entries []*entry) bool {
	paired := 0
	for _, e := range entries {
		if len(e.pins) > 0 {
			paired++
		}
		if e.named {
			return true
		}
	}
	return paired > 1
}

// accept notes the shapes that a cluster with pins makes.
func (f *finder) accept(b *builder, groups []*group, entries []*entry, environments map[string]bool) {
	shapes := b.shapes(entries)
	f.left = append(f.left, b.left...)
	for e := range environmentsOf(groups) {
		if !environments[e] {
			f.left = append(f.left, Leftover{b.template(groups[0]), fmt.Sprintf("environment %s has no counterpart: its files hold no pin that another environment has", name(e))})
		}
	}
	f.claim(b.cluster.groups)
	for e := range f.joining(b.cluster, entries) {
		for i := range shapes {
			shapes[i].environments[e] = true
		}
	}
	f.shapes = append(f.shapes, shapes...)
	f.tellUnknown(b, entries)
}

func (f *finder) claim(groups []*group) {
	for _, g := range groups {
		for _, m := range g.members {
			f.claimed[m.file] = true
		}
	}
}

// joining finds environments with less usual names, such as moc-prod, beside those of
// a cluster. The same images prove them, or the same paths in two services.
func (f *finder) joining(c *cluster, entries []*entry) map[string]bool {
	out := make(map[string]bool)
	guess := f.clusters[clusterKey{c.pattern, c.folder, true}]
	if guess == nil || c.guess {
		return out
	}
	known := make(map[string]*entry, len(entries))
	for _, e := range entries {
		known[e.group.template] = e
	}
	guess = guess.unclaimed(f.claimed)
	proofs := make(map[string]int)
	for _, g := range guess.groups {
		e := known[g.template]
		if e == nil || len(e.pins) == 0 || strings.Contains(g.template, "*") {
			continue
		}
		for _, m := range g.members {
			if proofs[m.environment] < 2 {
				proofs[m.environment] += f.proof(m.file, e.pins)
			}
		}
	}
	for _, g := range guess.groups {
		g.members = slices.DeleteFunc(g.members, func(m member) bool { return proofs[m.environment] < 2 })
	}
	f.claim(guess.groups)
	maps.Copy(out, environmentsOf(guess.groups))
	return out
}

// again tries clusters of one environment with the unusual names that are known by now.
func (f *finder) again() {
	known := make(map[string]bool)
	for _, s := range f.shapes {
		maps.Copy(known, s.environments)
	}
	alone := f.alone
	f.alone = nil
	for _, c := range alone {
		more := f.clusters[clusterKey{c.pattern, c.folder, true}]
		if more != nil {
			c = c.with(more, known)
		}
		if more == nil || len(c.pairedGroups()) == 0 {
			f.alone = append(f.alone, c)
			continue
		}
		f.try(c)
	}
}

// proof is 2 where a file pins one of the images, and 1 where it has one of the paths.
func (f *finder) proof(file string, pins []pin) int {
	best := 0
	found, _ := f.reader.pins(file)
	for _, p := range found {
		for _, o := range pins {
			switch {
			case p.name != "" && p.name == o.name:
				return 2
			case p.matches(o):
				best = 1
			}
		}
	}
	return best
}

// star looks for a slot whose text differs between the environments.
func (f *finder) star(c *cluster) (*cluster, []*group) {
	if c.guess || len(c.groups) < 2 || len(environmentsOf(c.groups)) < 2 {
		return c, nil
	}
	for i, s := range c.slots {
		elements := strings.Split(c.pattern, "/")
		// A service is no star: one slot must be left, and a whole folder goes.
		if len(c.slots) < 2 || s.pre+s.post != "" || s.element == len(elements)-1 {
			continue
		}
		starred := c.starred(i)
		if groups := starred.pairedGroups(); len(groups) > 0 {
			return starred, groups
		}
	}
	return c, nil
}

func environmentsOf(groups []*group) map[string]bool {
	out := make(map[string]bool)
	for _, g := range groups {
		for _, m := range g.members {
			out[m.environment] = true
		}
	}
	return out
}

func ranksOf(environments map[string]bool) map[int]bool {
	out := make(map[int]bool)
	for e := range environments {
		out[rankOf(e)] = true
	}
	return out
}

// list gives the names of environments in order, at most eight.
func list(environments map[string]bool) string {
	names := slices.SortedFunc(maps.Keys(environments), byRank)
	for i := range names {
		names[i] = name(names[i])
	}
	if more := len(names) - 8; more > 0 {
		names = append(names[:8], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// name makes a name of an environment's text, which may be of two elements.
func name(text string) string { return strings.ReplaceAll(text, "/", "-") }

func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
