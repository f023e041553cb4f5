// Package entries tells what the entries of a kustomization's images make of an image
// together. Kustomize applies one after the other, in the order of the list, so that
// an entry may be about the name that an earlier one has given.
package entries

import (
	"regexp"
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/reference"
)

// Entry is one entry of images. Image is what it makes by itself of the images with
// its name.
type Entry struct {
	Name, NewName, Tag, Digest, Suffix string
}

// Made is what becomes of the images that an entry names. A tag that the manifests
// have is not known, and empty.
type Made struct {
	Repository, Tag, Digest, Suffix string
	// Then are the entries that apply to what the first one makes, in order. Version
	// is the one of all that decides on tag and digest.
	Then    []int
	Version int
}

// List is the entries of one kustomization.
type List struct {
	entries []Entry
	// plain are the entries by the last part of their names, where that has no
	// character that stands for others; the rest has to be tried one by one.
	plain    map[string][]int
	others   []int
	patterns map[int]*regexp.Regexp
}

// maxPatterns bounds how many names are regular expressions: each is tried on what
// each entry makes.
const maxPatterns = 100

// special are the characters of a regular expression but for the dot, which nearly
// every name has.
const special = `\+*?()|[]{}^$`

// NewList prepares entries for Make; ok is false where too many names are patterns.
func NewList(all []Entry) (l *List, ok bool) {
	l = &List{entries: all, plain: make(map[string][]int), patterns: make(map[int]*regexp.Regexp)}
	for i, e := range all {
		last := lastPart(e.Name)
		switch {
		case strings.ContainsAny(e.Name, special):
			// As kustomize puts it together. One that is malformed matches nothing.
			l.patterns[i], _ = regexp.Compile("^" + e.Name + tagAndDigest)
			l.others = append(l.others, i)
		case strings.Contains(last, "."):
			l.others = append(l.others, i)
		default:
			l.plain[last] = append(l.plain[last], i)
		}
		if len(l.patterns) > maxPatterns {
			return nil, false
		}
	}
	return l, true
}

const tagAndDigest = `(:[a-zA-Z0-9_.{}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{}-]*)?$`

// lastPart is what stands behind the last slash of an image, without tag and digest.
func lastPart(image string) string {
	last := image[strings.LastIndexByte(image, '/')+1:]
	if i := strings.IndexAny(last, ":@"); i >= 0 {
		return last[:i]
	}
	return last
}

// Make gives what becomes of the images that an entry names.
func (l *List) Make(first int) Made {
	e := l.entries[first]
	repository, _, _, ok := reference.SplitRef(e.Name, true)
	if !ok {
		repository = e.Name
	}
	m := Made{Repository: repository, Version: first}
	m.apply(e)
	for i := l.next(first, m); i >= 0; i = l.next(i, m) {
		m.Then = append(m.Then, i)
		if l.entries[i].Tag+l.entries[i].Digest+l.entries[i].Suffix != "" {
			m.Version = i
		}
		m.apply(l.entries[i])
	}
	return m
}

// apply is kustomize's rule: a new tag drops the digest and the other way round,
// unless both are given, and a suffix counts where neither is.
func (m *Made) apply(e Entry) {
	if e.NewName != "" {
		m.Repository = e.NewName
	}
	switch {
	case e.Tag != "" || e.Digest != "":
		m.Tag, m.Digest, m.Suffix = e.Tag, e.Digest, ""
	case e.Suffix != "" && m.Tag != "":
		m.Tag, m.Digest = m.Tag+e.Suffix, ""
	case e.Suffix != "":
		m.Suffix, m.Digest = m.Suffix+e.Suffix, ""
	}
}

// image is the reference as far as it is known.
func (m *Made) image() string {
	image := m.Repository
	if m.Tag != "" {
		image += ":" + m.Tag
	}
	if m.Digest != "" {
		image += "@" + m.Digest
	}
	return image
}

// next finds the first entry behind one that applies to an image; -1 if none does.
func (l *List) next(behind int, m Made) int {
	image := m.image()
	found := -1
	for _, list := range [][]int{l.plain[lastPart(m.Repository)], l.others} {
		for _, i := range list {
			if i > behind && (found < 0 || i < found) && l.match(i, image) {
				found = i
				break
			}
		}
	}
	return found
}

// match tells whether an entry applies to an image, as kustomize does: the name is a
// part of a regular expression, so that a dot in it stands for any character.
func (l *List) match(i int, image string) bool {
	name := l.entries[i].Name
	if pattern, ok := l.patterns[i]; ok {
		return pattern != nil && pattern.MatchString(image)
	}
	if len(image) < len(name) {
		return false
	}
	for i := range len(name) {
		if name[i] != '.' && name[i] != image[i] {
			return false
		}
	}
	rest := image[len(name):]
	return rest == "" || (rest[0] == ':' || rest[0] == '@') && !strings.Contains(rest, "/")
}
