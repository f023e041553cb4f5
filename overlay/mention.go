package overlay

import (
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/texts"
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
func (f *File) Mentions(image string) []Mention { return f.mentions(f.texts().ByImage[image]) }

// Versions lists where a version stands that is no pin, as the tag of an image that
// something else of the file repeats. Texts that may as well be something else, such
// as 1 or latest, are not looked for.
func (f *File) Versions(version string) []Mention {
	if len(version) < 4 || !strings.ContainsAny(version, "0123456789") || !strings.ContainsAny(version, ".-_") {
		return nil
	}
	return f.mentions(f.texts().ByText[version])
}

// pinned are the places of pins and of their parts.
func (f *File) pinned() map[Position]bool {
	pinned := make(map[Position]bool)
	for _, st := range f.found.sites {
		if p, ok := st.(markable); ok {
			for n := range p.parts() {
				pinned[position(f.src, n)] = true
			}
		}
		pinned[st.pin().Position] = true
	}
	return pinned
}

func (f *File) mentions(all []texts.Text) (found []Mention) {
	for _, t := range all {
		if at := position(f.src, t.Node); !f.taken()[at] && len(found) < maxMentions {
			found = append(found, Mention{Text: t.Node.Value, Path: f.NamedPath(Pin{Path: t.Prefix + t.Path()}), Position: at})
		}
	}
	return found
}

// NamedPath is a pin's path with names in place of positions, as far as there are
// any: [name=web] for an item of a list that has this name alone, Deployment/web: in
// place of doc:1:. It names the same image in two files whose lists are in another
// order, and has the form that set --value takes.
func (f *File) NamedPath(p Pin) string { return f.names.Named(p.Path) }
