// Package location reads the templates that a pipeline's layout is made of, such as
// apps/{service}/overlays/{environment}, and finds what fits them in a tree.
//
// A template is a path whose elements may have holes. A hole has a name and stands
// for the same text wherever it has that name: {service}, {environment}, {team}. A
// star stands for text of its own each time. Both stay inside their path element,
// save where what stands for an environment is deeper itself: prod/eu.
package location

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/internal/kustomization"
)

// The holes that have a meaning of their own.
const (
	Service     = "service"
	Environment = "environment"
)

// Holes are what stands for holes, by their names.
type Holes map[string]string

// With gives the holes and one more.
func (h Holes) With(name, text string) Holes {
	more := make(Holes, len(h)+1)
	maps.Copy(more, h)
	more[name] = text
	return more
}

// Key gives the same text for the same holes.
func (h Holes) Key() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h)) {
		fmt.Fprintf(&b, "%s=%s\n", name, h[name])
	}
	return b.String()
}

// Fill puts text in the place of holes. Those that are not given stay.
func Fill(template string, holes Holes) string {
	for name, text := range holes {
		template = strings.ReplaceAll(template, "{"+name+"}", text)
	}
	return template
}

// Has tells whether a template has a hole.
func Has(template, hole string) bool { return strings.Contains(template, "{"+hole+"}") }

// Names lists the holes of a template, in their order, each once.
func Names(template string) []string {
	var names []string
	for {
		_, after, ok := strings.Cut(template, "{")
		name, behind, closed := strings.Cut(after, "}")
		if !ok || !closed {
			return names
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		template = behind
	}
}

// Check tells what is wrong with the template of a path.
func Check(template string) error {
	filled := template
	for _, name := range Names(template) {
		if !isHole(name) {
			return fmt.Errorf("%q has the hole {%s}, whose name is not made of letters", template, name)
		}
		filled = strings.ReplaceAll(filled, "{"+name+"}", "x")
	}
	if !fs.ValidPath(filled) || filled == "." || strings.ContainsAny(filled, "{}\\") {
		return fmt.Errorf("%q is not a path inside the repository", template)
	}
	for element := range strings.SplitSeq(template, "/") {
		if strings.Contains(element, "}{") || strings.Contains(element, "**") || open(strings.ReplaceAll(element, "{"+Environment+"}", "x")) > 1 {
			return fmt.Errorf("%q has two placeholders in one path element, which cannot be told apart", template)
		}
	}
	return nil
}

func isHole(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// open counts what stands for text that is not known.
func open(element string) int { return strings.Count(element, "{") + strings.Count(element, "*") }

// extensions are those of files that hold pins. A template that ends in none of them
// leads to a directory that holds a kustomization, or to a file without one.
var extensions = []string{".yaml", ".yml", ".json", ".env", ".properties"}

// IsFile tells whether a template names a file by its extension.
func IsFile(template string) bool { return slices.Contains(extensions, path.Ext(template)) }

// Found is a path that fits a template.
type Found struct {
	Path string
	// Holes are those of the template that were not given.
	Holes Holes
	// Stars are what its stars stand for.
	Stars []string
	// Listed tells that a directory has the path; else what the template says behind
	// its last hole has not been looked for.
	Listed bool
}

// Match takes a path apart by a template, in which holes are filled as given.
func Match(template, name string, given Holes) (Found, bool) {
	want, got := strings.Split(Fill(template, given), "/"), strings.Split(name, "/")
	found := Found{Path: name}
	if len(want) != len(got) {
		return found, false
	}
	for i := range want {
		if !found.take(want[i], got[i]) {
			return found, false
		}
	}
	return found, true
}

// Lead tells how many elements of a path a template leads through, and what is told by
// them.
func Lead(template, name string, given Holes) (found Found, n int) {
	want, got := strings.Split(Fill(template, given), "/"), strings.Split(name, "/")
	for n < min(len(want), len(got)) && found.take(want[n], got[n]) {
		n++
	}
	return found, n
}

// take matches one path element, and keeps what it tells.
func (f *Found) take(template, name string) bool {
	template = Fill(template, f.Holes)
	at := strings.IndexAny(template, "{*")
	if at < 0 {
		return template == name
	}
	if IsFluxOwn(name) {
		return false
	}
	text, ok := strings.CutPrefix(name, template[:at])
	if !ok {
		return false
	}
	if template[at] == '*' {
		if text, ok = strings.CutSuffix(text, template[at+1:]); ok && text != "" {
			f.Stars = append(slices.Clip(f.Stars), text)
		}
		return ok && text != ""
	}
	hole, behind, _ := strings.Cut(template[at+1:], "}")
	if hole == Service && slices.Contains(kustomization.Names, name) {
		return false // it is about the files beside it, and no service among them
	}
	if text, ok = strings.CutSuffix(text, behind); !ok || !IsName(text) {
		return false
	}
	f.Holes = f.Holes.With(hole, text)
	return true
}

// IsFluxOwn tells the files that flux bootstrap writes, by which Flux itself is installed and
// told where to begin. They are no service, and are written anew by the next bootstrap: no
// hole stands for them, and a template that is to lead there names them.
func IsFluxOwn(name string) bool { return name == "gotk-components.yaml" || name == "gotk-sync.yaml" }

// IsName tells what services and environments may be called: they become path
// elements and values of trailers.
func IsName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && (i == 0 || strings.IndexByte("._-", c) < 0) {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

// IsFolder tells whether a text is a name, or names with slashes between them.
func IsFolder(s string) bool {
	for name := range strings.SplitSeq(s, "/") {
		if !IsName(name) {
			return false
		}
	}
	return len(s) <= 128
}

// Glob is a template as a pattern of Git: with texts in some holes, and a star in the others.
func Glob(template string, given Holes) string {
	at := Fill(strings.NewReplacer("[", `\[`, "?", `\?`).Replace(template), given)
	for _, name := range Names(at) {
		at = strings.ReplaceAll(at, "{"+name+"}", "*")
	}
	return at
}

// Pathspecs are those of Git for the files that a template may lead to.
func Pathspecs(template string, given Holes) []string {
	at := ":(glob)" + Glob(template, given)
	switch {
	case IsFile(template):
		return []string{at}
	case Has(path.Base(template), Service):
		return append(kustomization.Of(at), at) // a file without an extension; of a directory, all of it
	}
	return kustomization.Of(at)
}
