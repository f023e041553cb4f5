package discovery

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/overlay"
)

// mostClusters with one environment are looked into.
const mostClusters = 100

// result puts together what was found.
func (f *finder) result() Result {
	f.imagesFirst()
	f.cover()
	slices.SortStableFunc(f.shapes, func(a, b Shape) int {
		return cmp.Or(cmp.Compare(b.Services, a.Services), cmp.Compare(b.Pins, a.Pins), cmp.Compare(a.Path, b.Path))
	})
	environments := f.agree()
	paths := f.deepen(environments)
	r := Result{Shapes: f.shapes, Environments: order(environments, paths)}
	for _, c := range f.alone[:min(len(f.alone), mostClusters)] {
		f.tellAlone(c)
	}
	if len(r.Shapes) == 0 {
		f.left = append(f.left, f.missed...)
	}
	seen := make(map[Leftover]bool)
	r.Left = slices.DeleteFunc(f.left, func(l Leftover) bool {
		had := seen[l]
		seen[l] = true
		return had
	})
	if more := len(r.Left) - mostLeft; more > 0 {
		r.Left = append(r.Left[:mostLeft:mostLeft], Leftover{".", fmt.Sprintf("%d more of this kind are not told", more)})
	}
	return r
}

// imagesFirst leaves out shapes of charts and revisions alone where there are images:
// their services would have no version that the others have.
func (f *finder) imagesFirst() {
	hasImages := func(s Shape) bool { return slices.Contains(s.Types, overlay.TypeImage) }
	if !slices.ContainsFunc(f.shapes, hasImages) {
		return
	}
	f.shapes = slices.DeleteFunc(f.shapes, func(s Shape) bool {
		if hasImages(s) {
			return false
		}
		var types []string
		for _, t := range s.Types {
			types = append(types, string(t)+"s")
		}
		f.left = append(f.left, Leftover{s.Path, "holds pins of " + strings.Join(types, " and ") + " alone, and is in no shape"})
		return true
	})
}

// cover drops shapes whose paths another one leads to as well.
func (f *finder) cover() {
	gone := make(map[int]bool)
	for i, s := range f.shapes {
		for j := range f.shapes {
			o := &f.shapes[j]
			if i == j || gone[j] || o.Within != s.Within || !covers(o.Path, s.Path) {
				continue
			}
			gone[i] = true
			o.Services, o.Pins = o.Services+s.Services, o.Pins+s.Pins
			maps.Copy(o.environments, s.environments)
			break
		}
	}
	var out []Shape
	for i, s := range f.shapes {
		if !gone[i] {
			out = append(out, s)
		}
	}
	f.shapes = out
}

var otherHole = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{[a-z0-9]+\}`) })

// covers tells whether a template leads to all paths that another one leads to.
func covers(general, special string) bool {
	pattern := otherHole().ReplaceAllStringFunc(general, func(hole string) string {
		if hole == environmentHole {
			return hole
		}
		return "*"
	})
	ok, err := path.Match(pattern, special)
	return ok && err == nil && general != special
}

// agree keeps the shapes that know an environment of the first one, and gives all the
// environments, by their texts.
func (f *finder) agree() map[string]bool {
	environments := make(map[string]bool)
	byName := make(map[string]string)
	f.shapes = slices.DeleteFunc(f.shapes, func(s Shape) bool {
		common := 0
		for e := range s.environments {
			switch text, ok := byName[name(e)]; {
			case ok && text == e:
				common++
			case ok:
				f.left = append(f.left, Leftover{s.Path, fmt.Sprintf("environment %s has another path here: %s", name(e), e)})
				return true
			case !validEnvironment(name(e)):
				f.left = append(f.left, Leftover{s.Path, fmt.Sprintf("%q is no name for an environment", e)})
				return true
			}
		}
		if len(environments) > 0 && common == 0 {
			f.left = append(f.left, Leftover{s.Path, "its environments have other names: " + list(s.environments)})
			return true
		}
		for e := range s.environments {
			environments[e], byName[name(e)] = true, e
		}
		return false
	})
	return environments
}

var environmentName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`) })

func validEnvironment(s string) bool { return environmentName().MatchString(s) }

// order makes the environments: each follows those of the stage before it, and of them
// the one of its own region where there is one.
func order(texts map[string]bool, paths map[string]string) []Environment {
	sorted := slices.SortedFunc(maps.Keys(texts), byRank)
	var out []Environment
	var before, same []string // texts of the stage before, and of the one at hand
	for i, text := range sorted {
		if i > 0 && rankOf(sorted[i-1]) != rankOf(text) {
			before, same = same, nil
		}
		same = append(same, text)
		e := Environment{Name: name(text)}
		if p := cmp.Or(paths[text], text); p != e.Name {
			e.Path = p
		}
		for _, b := range before {
			if r := region(text); r != "" && r == region(b) {
				e.From = []string{name(b)}
				break
			}
			e.From = append(e.From, name(b))
		}
		out = append(out, e)
	}
	return out
}
