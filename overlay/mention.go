package overlay

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
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
	m := &mentionWalk{f: f, wanted: wanted, pinned: make(map[Position]bool)}
	for _, st := range f.found.sites {
		if p, ok := st.(markable); ok {
			for n := range p.parts() {
				m.pinned[position(f.src, n)] = true
			}
		}
		m.pinned[st.pin().Position] = true
	}
	for i, root := range f.src.Docs {
		prefix := ""
		if len(f.src.Docs) > 1 {
			f := &finder{src: f.src}
			f.enter(i)
			prefix = f.prefix
		}
		m.walk(nodes.Start(root, ""), prefix)
	}
	return m.found
}

type mentionWalk struct {
	f      *File
	wanted func(text string) bool
	pinned map[Position]bool
	found  []Mention
}

func (m *mentionWalk) walk(t *nodes.Trail, prefix string) {
	n := t.Node
	switch n.Kind {
	case yaml.ScalarNode:
		if len(m.found) == maxMentions || !m.wanted(n.Value) {
			return
		}
		at := position(m.f.src, n)
		if p := t.Path(); p != "" && !m.pinned[at] {
			path := m.f.NamedPath(Pin{Path: prefix + p})
			m.found = append(m.found, Mention{Text: n.Value, Path: path, Position: at})
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if next := t.Field(n.Content[i], n.Content[i+1]); next != nil {
				m.walk(next, prefix)
			}
		}
	case yaml.SequenceNode:
		for i, it := range n.Content {
			if next := t.Item(i, it); next != nil {
				m.walk(next, prefix)
			}
		}
	}
}
