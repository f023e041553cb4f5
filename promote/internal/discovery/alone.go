package discovery

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// deepen finds an environment whose files lie deeper or less deep than those of the
// others: development beside staging/base. It gives what {environment} stands for in
// each of them.
func (f *finder) deepen(environments map[string]bool) map[string]string {
	if len(f.shapes) == 0 {
		return nil
	}
	before, after, _ := strings.Cut(f.shapes[0].Path, environmentHole)
	for _, c := range f.alone {
		for _, g := range c.groups {
			if strings.Count(g.template, environmentHole) != 1 || !f.beside(g, before, after, environments) {
				continue
			}
			own := g.template[strings.Index(g.template, environmentHole)+len(environmentHole):]
			tail := commonTail(after, own)
			deeper := strings.TrimSuffix(after, tail)
			if !f.shorten(deeper) {
				return nil
			}
			paths := make(map[string]string)
			for e := range environments {
				paths[e] = e + deeper
			}
			added := g.members[0].environment
			paths[added] = added + strings.TrimSuffix(own, tail)
			environments[added] = true
			for _, g := range c.groups {
				f.claimed[g.members[0].file] = true
			}
			return paths
		}
	}
	return nil
}

// shorten takes what stands behind {environment} out of all shapes, if all have it.
func (f *finder) shorten(deeper string) bool {
	for _, s := range f.shapes {
		_, after, _ := strings.Cut(s.Path, environmentHole)
		rest, ok := strings.CutPrefix(after, deeper)
		if !ok || !isFolders(rest) || strings.Contains(rest, environmentHole) {
			return false
		}
	}
	for i, s := range f.shapes {
		f.shapes[i].Path = strings.Replace(s.Path, environmentHole+deeper, environmentHole, 1)
	}
	return true
}

// beside tells whether a group of one environment is where a shape has another
// environment, at another depth, and holds the same pins.
func (f *finder) beside(g *group, before, after string, environments map[string]bool) bool {
	front, own, _ := strings.Cut(g.template, environmentHole)
	added := g.members[0].environment
	if own == after || environments[added] || strings.Contains(after, "{") {
		return false
	}
	if tail := commonTail(after, own); !isFolders(strings.TrimSuffix(after, tail)) || !isFolders(strings.TrimSuffix(own, tail)) {
		return false
	}
	if front != before && !covers(before, front) {
		return false
	}
	pins, _ := f.reader.pins(g.members[0].file)
	for e := range environments {
		if f.pinsAlike(front+e+after, pins) {
			return true
		}
	}
	return false
}

// isFolders tells a part of a path that begins at a slash, or nothing.
func isFolders(s string) bool { return s == "" || s[0] == '/' }

// commonTail is what two paths end in alike, in whole elements.
func commonTail(a, b string) string {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	n := 0
	for n < len(as)-1 && n < len(bs)-1 && as[len(as)-1-n] == bs[len(bs)-1-n] {
		n++
	}
	if n == 0 {
		return ""
	}
	return "/" + strings.Join(as[len(as)-n:], "/")
}

// mostAlone is how many services of a cluster with one environment are read.
const mostAlone = 4

// tellAlone says that pins stand in one environment alone, and what may be another.
func (f *finder) tellAlone(c *cluster) {
	c = c.unclaimed(f.claimed)
	c.groups = slices.DeleteFunc(c.groups, func(g *group) bool {
		return slices.ContainsFunc(f.shapes, func(s Shape) bool { return s.Path == g.template || covers(s.Path, g.template) })
	})
	for _, g := range c.groups[:min(len(c.groups), mostAlone)] {
		pins, _ := f.reader.pins(g.members[0].file)
		if len(pins) == 0 {
			continue
		}
		reason := fmt.Sprintf("holds pins and is in no shape: %s is its only environment", list(environmentsOf(c.groups)))
		if len(environmentsOf(c.groups)) > 1 {
			reason = "holds pins and is in no shape: no two environments have the same files"
		}
		if base := f.base(g, pins); base != "" {
			reason += fmt.Sprintf("; %s pins the same and may be the last environment", base)
		}
		b := &builder{cluster: c}
		f.left = append(f.left, Leftover{b.template(g), reason})
		return
	}
}

// base finds a file that may stand for an environment and is not named like one: base,
// default, or what the folder around it is called.
func (f *finder) base(g *group, pins []pin) string {
	elements := strings.Split(g.template, "/")
	i := slices.IndexFunc(elements, func(e string) bool { return strings.Contains(e, environmentHole) })
	names := []string{"base", "default", "common"}
	if i > 0 {
		names = append(names, elements[i-1])
	}
	for _, n := range names {
		if at := strings.ReplaceAll(g.template, environmentHole, n); f.pinsAlike(at, pins) {
			return at
		}
	}
	return ""
}

// mostSiblings are looked at beside the environments of a service.
const mostSiblings = 16

// tellUnknown says which folders beside the environments hold the same pins and are
// named like none. One service is enough to tell.
func (f *finder) tellUnknown(b *builder, entries []*entry) {
	i := slices.IndexFunc(entries, b.pinned)
	if i < 0 {
		return
	}
	e := entries[i]
	front, after, _ := strings.Cut(e.group.template, environmentHole)
	if strings.Contains(e.group.template, "*") || strings.Contains(after, environmentHole) || !isFolders(after) || front != "" && !strings.HasSuffix(front, "/") {
		return
	}
	siblings, _ := f.reader.tree.ReadDir(path.Clean(front))
	for _, s := range siblings[:min(len(siblings), mostSiblings)] {
		name := s.Name()
		if s.IsDir() && len(environmentsIn(name)) == 0 && !structure[name] && f.pinsAlike(front+name+after, e.pins) {
			g := &group{template: front + name + after, texts: e.group.texts}
			f.left = append(f.left, Leftover{b.template(g), "it holds the same pins as the environments beside it, and its name is that of none"})
		}
	}
}

// pinsAlike tells whether a file, or the kustomization of a folder, has one of the pins.
func (f *finder) pinsAlike(at string, pins []pin) bool {
	if folder, ok := f.reader.folders[at]; ok {
		at = folder
	}
	others, err := f.reader.pins(at)
	return err == nil && slices.ContainsFunc(others, func(o pin) bool { return slices.ContainsFunc(pins, o.matches) })
}
