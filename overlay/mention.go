package overlay

import (
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/paths"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
)

// Mention is a text that stands in a file where no convention of ours finds a pin.
type Mention struct {
	Text string
	// Path is in the form that set --value takes.
	Path     string
	Position Position
}

// maxMentions bounds how many are told: more are no help.
const maxMentions = 20

// Mentions lists where an image's name stands with a tag or a digest behind it and is
// no pin: in the field of a kind that nobody has taught us.
func (f *File) Mentions(image string) []Mention {
	return f.mentions(func(text string) bool {
		rest, ok := strings.CutPrefix(text, image)
		if !ok || image == "" || rest == "" || rest[0] != ':' && rest[0] != '@' {
			return false
		}
		name, tag, digest, ok := reference.SplitRef(text, true)
		return ok && name == image && (tag == "" || reference.IsTag(tag)) && (digest == "" || reference.IsDigest(digest))
	})
}

// Versions lists where a version stands that is no pin, as the tag of an image that
// something else of the file repeats. Texts that may as well be something else, such
// as 1 or latest, are not looked for.
func (f *File) Versions(version string) []Mention {
	if len(version) < 4 || !strings.ContainsAny(version, "0123456789") || !strings.ContainsAny(version, ".-_") {
		return nil
	}
	return f.mentions(func(text string) bool { return text == version })
}

func (f *File) mentions(wanted func(text string) bool) []Mention {
	pinned := make(map[Position]bool)
	for _, st := range f.found.sites {
		if p, ok := st.(markable); ok {
			for n := range p.parts() {
				pinned[position(f.src, n)] = true
			}
		}
		pinned[st.pin().Position] = true
	}
	var found []Mention
	for i, root := range f.src.Docs {
		prefix := paths.Prefix(len(f.src.Docs), i)
		nodes.EachScalar(nodes.Start(root, ""), func(t *nodes.Trail) {
			if len(found) == maxMentions || !wanted(t.Node.Value) {
				return
			}
			at := position(f.src, t.Node)
			if p := t.Path(); p != "" && !pinned[at] {
				found = append(found, Mention{Text: t.Node.Value, Path: f.NamedPath(Pin{Path: prefix + p}), Position: at})
			}
		})
	}
	return found
}

// NamedPath is a pin's path with names in place of positions, as far as there are
// any: [name=web] for an item of a list that has this name alone, Deployment/web: in
// place of doc:1:. It names the same image in two files whose lists are in another
// order, and has the form that set --value takes.
func (f *File) NamedPath(p Pin) string { return paths.Named(f.src.Docs, p.Path) }
