package discovery

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
)

// builder makes shapes of a cluster whose pins are in two environments.
type builder struct {
	cluster *cluster
	// scale is how many services each one that was read stands for.
	scale float64
	// images tells that pins of images are there: services without one are none.
	images bool
	left   []Leftover
}

// mostLiteral is how many services are named one by one where most of the folders
// beside them hold no pins.
const mostLiteral = 10

func (b *builder) pinned(e *entry) bool { return len(e.pins) > 0 && (!b.images || e.images()) }

// shapes makes one shape of entries, or several where not all texts of a slot lead to
// pins.
func (b *builder) shapes(entries []*entry) []Shape {
	var pinned []*entry
	for _, e := range entries {
		if b.pinned(e) {
			pinned = append(pinned, e)
		}
	}
	if len(pinned) == 0 {
		return nil
	}
	service := b.service(pinned)
	if split, ok := b.split(entries, pinned, service); ok {
		return split
	}
	if service < 0 {
		return []Shape{b.shared(pinned)}
	}
	if len(pinned) == 1 {
		if s, ok := b.within(pinned); ok && len(b.values(entries, service)) == 1 {
			return []Shape{s}
		}
	}
	if 2*len(pinned) >= len(entries) || len(pinned) > mostLiteral {
		s := b.shape(pinned, service)
		if rest := len(entries) - len(pinned); 2*len(pinned) < len(entries) {
			b.left = append(b.left, Leftover{s.Path, strconv.Itoa(b.count(rest)) + " folders or files hold no pin and are no services"})
		}
		return []Shape{s}
	}
	var out []Shape
	for _, e := range pinned {
		s := b.literal(e)
		s.Service = e.group.texts[service]
		out = append(out, s)
	}
	return out
}

// split makes shapes for each text of a slot that leads to pins, where others do not.
func (b *builder) split(entries, pinned []*entry, service int) ([]Shape, bool) {
	for i := range b.cluster.slots {
		all, good := b.values(entries, i), b.values(pinned, i)
		if i == service || len(all) == len(good) || len(good) > mostLiteral || b.same(entries, i, service) {
			continue
		}
		var out []Shape
		for _, v := range slices.Sorted(maps.Keys(good)) {
			out = append(out, b.shapes(slices.DeleteFunc(slices.Clone(entries), func(e *entry) bool { return e.group.texts[i] != v }))...)
		}
		return out, true
	}
	return nil, false
}

// values are the texts of a slot.
func (b *builder) values(entries []*entry, i int) map[string]bool {
	out := make(map[string]bool)
	for _, e := range entries {
		out[e.group.texts[i]] = true
	}
	return out
}

// same tells whether two slots have the same text everywhere.
func (b *builder) same(entries []*entry, i, j int) bool {
	return j >= 0 && !slices.ContainsFunc(entries, func(e *entry) bool { return e.group.texts[i] != e.group.texts[j] })
}

// holders are folders right below which services are, and inside those that services
// have environments in.
var (
	holders = set(`apps applications services components charts microservices workloads helm stacks helmreleases releases projects`)
	inside  = set(`overlays overlay environments environment envs env variants kustomize k8s kubernetes kube deploy deployment deployments
		manifests manifest helm chart charts values config configs`)
)

// service chooses the slot whose text names the service: the deepest whose texts
// differ; -1 where there is none.
func (b *builder) service(pinned []*entry) int {
	var varying []int
	for i := range b.cluster.slots {
		if values := b.values(pinned, i); len(values) > 1 && !allOf(values, allRegions) {
			varying = append(varying, i)
		}
	}
	if len(varying) == 0 {
		return b.single(pinned[0].group.texts)
	}
	chosen := varying[len(varying)-1]
	// What each of many folders has again is a part of them: profiles, components.
	for _, i := range slices.Backward(varying[:len(varying)-1]) {
		if few, many := len(b.values(pinned, chosen)), len(b.values(pinned, i)); many > few && 4*len(pinned) >= 3*few*many {
			return i
		}
	}
	if len(varying) < 2 || !b.isFile(chosen) {
		return chosen
	}
	// Where each folder has one file, the file's name adds nothing to the folder's.
	folder := varying[len(varying)-2]
	if b.isBefore(folder) && len(b.values(pinned, folder)) == len(pinned) {
		return folder
	}
	return chosen
}

func (b *builder) elements() []string { return strings.Split(b.cluster.pattern, "/") }

func (b *builder) isFile(i int) bool {
	return !b.cluster.folder && b.cluster.slots[i].element == len(b.elements())-1
}

// isBefore tells a slot that stands before the first environment.
func (b *builder) isBefore(i int) bool { return b.cluster.slots[i].element < b.environmentAt() }

func (b *builder) environmentAt() int {
	at := slices.IndexFunc(b.elements(), func(e string) bool { return strings.Contains(e, environmentHole) })
	if at < 0 {
		return len(b.elements())
	}
	return at
}

// single chooses the service's slot where no texts differ, by what is around it.
func (b *builder) single(texts []string) int {
	elements, environment := b.elements(), b.environmentAt()
	before, after := -1, -1
	for i, s := range b.cluster.slots {
		switch {
		case weak[texts[i]] || allRegions(texts[i]):
		case s.element < environment:
			before = i
		case after < 0 || !b.isFile(i) || b.cluster.slots[after].element == environment:
			after = i
		}
	}
	if before < 0 || after < 0 {
		return max(before, after)
	}
	at := b.cluster.slots[before].element
	if at+1 < environment && inside[elements[at+1]] || at > 0 && holders[elements[at-1]] {
		return before
	}
	return after
}

func allOf(values map[string]bool, is func(string) bool) bool {
	for v := range values {
		if !is(v) {
			return false
		}
	}
	return true
}

// template is the path of a cluster that makes no shape.
func (b *builder) template(g *group) string {
	if len(b.cluster.groups) < 2 {
		return g.template
	}
	elements := strings.Split(g.template, "/")
	for i, s := range b.cluster.slots {
		if slices.ContainsFunc(b.cluster.groups, func(o *group) bool { return o.texts[i] != g.texts[i] }) {
			s.fill(elements, "*")
		}
	}
	return strings.Join(elements, "/")
}

// holeNames are for slots that are not the service's, from the service outwards.
var holeNames = []string{"team", "group", "part", "area"}

// holeName is what the folder around a slot holds, if its name tells that: profile in
// profiles.
func holeName(elements []string, at int) string {
	if at == 0 || holders[elements[at-1]] || inside[elements[at-1]] {
		return ""
	}
	one, ok := strings.CutSuffix(elements[at-1], "s")
	if !ok || len(one) < 3 || !isLower(one) || slices.Contains(elements, "{"+one+"}") {
		return ""
	}
	return one
}

func isLower(s string) bool { return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == "" }

// shape makes one of entries that differ in slots.
func (b *builder) shape(pinned []*entry, service int) Shape {
	s := b.totals(pinned)
	elements := strings.Split(pinned[0].group.template, "/")
	used := 0
	for i, slot := range slices.Backward(b.cluster.slots) {
		values := b.values(pinned, i)
		switch {
		case i == service || b.same(pinned, i, service):
			slot.fill(elements, serviceHole)
		case len(values) == 1:
		case allOf(values, allRegions):
			slot.fill(elements, "{region}")
		default:
			hole := holeName(elements, slot.element)
			if hole == "" {
				hole = holeNames[min(used, len(holeNames)-1)]
				if used >= len(holeNames) {
					hole += strconv.Itoa(used)
				}
				used++
			}
			slot.fill(elements, "{"+hole+"}")
		}
	}
	s.Path = strings.Join(elements, "/")
	s.Images = b.declared(pinned, s.Path)
	return s
}

// literal makes a shape of one entry as it stands.
func (b *builder) literal(e *entry) Shape {
	s := b.totals([]*entry{e})
	s.Path, s.Images = e.group.template, b.declared([]*entry{e}, e.group.template)
	return s
}

func (b *builder) count(n int) int { return int(math.Round(float64(n) * b.scale)) }

// totals counts what was found.
func (b *builder) totals(pinned []*entry) Shape {
	s := Shape{Services: b.count(len(pinned)), environments: make(map[string]bool), Within: pinned[0].group.within}
	types := make(map[overlay.Type]bool)
	pins := 0
	for _, e := range pinned {
		maps.Copy(s.environments, e.environments)
		for _, p := range e.pins {
			if types[p.kind] = true; p.kind == overlay.TypeImage || !b.images {
				pins++
			}
		}
	}
	s.Pins, s.Types = b.count(pins), slices.Sorted(maps.Keys(types))
	return s
}

// mostDeclared is how many paths of pins are listed.
const mostDeclared = 1000

// declared lists the paths of pins that no convention finds. What is more than can be listed
// would be missing from a board without a word, so that it is told.
func (b *builder) declared(pinned []*entry, at string) []string {
	paths := make(map[string]bool)
	for _, e := range pinned {
		for _, p := range e.pins {
			if p.format == "" && p.path != "" {
				paths[join(e.group.within, p.path)] = true
			}
		}
	}
	out := slices.Sorted(maps.Keys(paths))
	if more := len(out) - mostDeclared; more > 0 {
		b.left = append(b.left, Leftover{at, strconv.Itoa(more) + " pins more than the first " + strconv.Itoa(mostDeclared) + " are in no shape"})
		out = out[:mostDeclared]
	}
	return out
}
