package discovery

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
)

// parents are keys of mappings that have a service under each key.
var parents = set(`services apps applications components microservices workloads deployments subcharts modules`)

// shared makes the shape of files that no service's name leads to: each holds a part
// for each service, or is of one service, or of as many as it has images.
func (b *builder) shared(pinned []*entry) Shape {
	if len(pinned) == 1 {
		if s, ok := b.within(pinned); ok {
			return s
		}
	}
	s := b.shape(pinned, -1)
	s.Service = serviceOf(pinned)
	if s.Service == "image" {
		names := make(map[string]bool)
		for _, e := range pinned {
			for _, p := range e.pins {
				names[cmp.Or(p.name, p.path)] = true
			}
		}
		s.Services = len(names)
	}
	return s
}

// serviceOf names the one service of files, or gives "image" where each of several
// images is one.
func serviceOf(pinned []*entry) string {
	names, unknown := make(map[string]bool), make(map[string]bool)
	best, several := pin{}, false
	for _, e := range pinned {
		for _, p := range e.pins {
			if p.kind != overlay.TypeImage && e.images() {
				continue
			}
			if p.own {
				return "image"
			}
			if p.name == "" {
				unknown[p.path] = true
				continue
			}
			// Of Helm's values the outermost image is the service's, and others are
			// what runs beside it, but not in a map of images.
			if names[p.name] = true; p.format != overlay.HelmValues || slices.Contains(steps(p.path), "images") {
				several = true
			}
			if best.name == "" || len(steps(p.path)) < len(steps(best.path)) {
				best = p
			}
		}
	}
	switch {
	case len(names) > 1 && several:
		return "image"
	case best.name != "":
		return lastElement(best.name)
	case len(unknown) == 1:
		for at := range unknown {
			return ofVariable(at)
		}
	}
	return ""
}

// lastElement is the last part of an image's name or a URL.
func lastElement(name string) string {
	name = strings.TrimSuffix(path.Base(strings.TrimSuffix(name, "/")), ".git")
	if i := strings.IndexAny(name, ":@?"); i > 0 {
		name = name[:i]
	}
	return validName(name)
}

// ofVariable takes the name out of a variable's: web of WEB_VERSION.
func ofVariable(at string) string {
	all := steps(at)
	words := tokens(all[len(all)-1])
	if len(words) < 2 {
		return ""
	}
	text := all[len(all)-1][:words[len(words)-2].end]
	if strings.EqualFold(text, "image") || strings.EqualFold(text, "app") {
		return ""
	}
	return validName(strings.ToLower(strings.ReplaceAll(text, "_", "-")))
}

// validName gives a text that may be a service's name, or "".
func validName(s string) string {
	for i, c := range []byte(s) {
		if !isWordByte(c) && (i == 0 || c != '-' && c != '.') || i == 0 && c == '_' {
			return ""
		}
	}
	return s
}

// within finds the mapping that has a part for each service in one file.
func (b *builder) within(pinned []*entry) (Shape, bool) {
	e := pinned[0]
	var all [][]string
	for _, p := range e.pins {
		if p.kind == overlay.TypeImage && p.format != overlay.Kustomization && p.format != overlay.Manifest && p.format != overlay.Flux {
			all = append(all, items(steps(p.path)))
		}
	}
	if len(all) == 0 || len(all) < len(e.pins) && b.images && countImages(e.pins) != len(all) {
		return Shape{}, false
	}
	at, known := keyIndex(all)
	services := make(map[string]bool)
	for _, s := range all {
		if at >= len(s) || !known && at+1 >= len(s) || serviceKey(s[at]) == "" {
			return Shape{}, false
		}
		services[serviceKey(s[at])] = true
	}
	if len(services) < 2 {
		return Shape{}, false
	}
	s := b.literal(e)
	s.Services = len(services)
	s.Within = joinSteps(e.group.within, append(slices.Clone(all[0][:at]), holeIn(all[0][at])))
	s.Images = nil
	for _, p := range e.pins {
		if p.format == "" {
			steps := items(steps(p.path))
			steps[at] = holeIn(steps[at])
			s.Images = append(s.Images, joinSteps(e.group.within, steps))
		}
	}
	slices.Sort(s.Images)
	s.Images = slices.Compact(s.Images)
	return s, true
}

func countImages(pins []pin) int {
	n := 0
	for _, p := range pins {
		if p.kind == overlay.TypeImage {
			n++
		}
	}
	return n
}

// items makes a step of its own of what selects an item of a list.
func items(in []string) []string {
	var out []string
	for _, s := range in {
		if i := strings.IndexByte(s, '['); i > 0 && strings.HasSuffix(s, "]") {
			out = append(out, s[:i], s[i:])
			continue
		}
		out = append(out, s)
	}
	return out
}

// keyIndex is where the paths hold the name of a service: right below a key that is
// known to have services below it, or else where they begin to differ.
func keyIndex(all [][]string) (at int, known bool) {
	common := len(slices.MinFunc(all, func(a, b []string) int { return len(a) - len(b) }))
	for _, s := range all {
		for common > 0 && !slices.Equal(s[:common], all[0][:common]) {
			common--
		}
	}
	for i := range common {
		if parents[all[0][i]] {
			return i + 1, true
		}
	}
	return common, false
}

// serviceKey is the name of a service in a step, or "".
func serviceKey(step string) string {
	if text, ok := strings.CutPrefix(step, "[name="); ok {
		step = strings.TrimSuffix(text, "]")
	}
	if strings.Contains(strings.ToLower(step), "image") || step == "global" {
		return ""
	}
	return validName(step)
}

func holeIn(step string) string {
	if strings.HasPrefix(step, "[name=") {
		return "[name=" + serviceHole + "]"
	}
	return serviceHole
}

func joinSteps(at string, steps []string) string {
	for _, s := range steps {
		if strings.HasPrefix(s, "[") {
			at += s
			continue
		}
		at = join(at, s)
	}
	return at
}
