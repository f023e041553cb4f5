package overlay

import (
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/syntax"
	"go.yaml.in/yaml/v3"
)

// site is a place in a file where a pin stands. A format is a function that
// finds sites; everything else is the same for all formats.
type site interface {
	// pin gives what stands there.
	pin() Pin
	// want gives what would stand there after a change.
	want(c Change) Pin
	// set plans the edits that make it so.
	set(s *setter, c Change) error
	// scalars gives what holds the tag and the digest by itself.
	scalars() scalars
}

// home is a list that new entries can be added to.
type home interface {
	// add plans the edits that add entries, and gives their pins.
	add(s *setter, changes []Change) ([]Pin, error)
	// node is where the entries stand, or would.
	node() *yaml.Node
}

// refSite is a scalar that holds a whole reference, repository[:tag][@digest],
// or, in Argo CD's lists, name=repository[:tag][@digest].
type refSite struct {
	src   *syntax.Source
	node  *yaml.Node
	p     Pin
	field string // the key it stands under, for messages
	named bool   // "name=" may stand in front
}

// newRefSite reads a reference; ok is false where the text is none.
func newRefSite(src *syntax.Source, n *yaml.Node, format Format, path, field string, named bool) (*refSite, bool) {
	text := lineOf(n)
	name, ref, renamed := strings.Cut(text, "=")
	if !named || !renamed {
		name, ref, renamed = "", text, false
	}
	repo, tag, digest, ok := splitRef(ref, false)
	if !ok || !isName(repo) || tag != "" && !isTag(tag) || digest != "" && !isDigest(digest) {
		return nil, false
	}
	p := Pin{Type: TypeImage, Format: format, Name: repo, Tag: tag, Digest: digest, Path: path, Position: position(src, n)}
	if renamed {
		p.Name, p.NewName = name, repo
	}
	return &refSite{src: src, node: n, p: p, field: field, named: named}, true
}

func (r *refSite) pin() Pin { return r.p }

func (r *refSite) want(c Change) Pin {
	p := r.p
	p.Tag, p.Digest = c.Tag.apply(p.Tag), c.Digest.apply(p.Digest)
	switch {
	case r.named && (c.Policy == "" || p.NewName != ""):
		p.NewName = c.NewName.apply(p.NewName)
	case c.NewName.op == to:
		p.Name = c.NewName.text
	}
	return p
}

func (r *refSite) set(s *setter, c Change) error {
	w := r.want(c)
	text := Pin{Name: w.Repository(), Tag: w.Tag, Digest: w.Digest}.Ref()
	if w.NewName != "" {
		text = w.Name + "=" + text
	}
	return s.setScalar(r.src, r.node, r.p, r.field, text)
}

// tagSite is a scalar that holds one part of a pin alone: a tag, a tag with a
// digest behind it, a digest, a version, a revision, or a repository.
type tagSite struct {
	src   *syntax.Source
	node  *yaml.Node
	p     Pin
	field string
	part  part
}

// part is what of a pin a scalar holds.
type part int

const (
	partTag    part = iota // tag, or tag@digest where a digest is asked for
	partDigest             // digest alone
	partName               // repository alone
)

func newTagSite(src *syntax.Source, n *yaml.Node, p Pin, field string, what part) *tagSite {
	p.Position = position(src, n)
	text := lineOf(n)
	switch what {
	case partTag:
		p.Tag, p.Digest, _ = strings.Cut(text, "@")
	case partDigest:
		p.Digest = text
	case partName:
		p.NewName = text
	}
	return &tagSite{src: src, node: n, p: p, field: field, part: what}
}

func (t *tagSite) pin() Pin { return t.p }

func (t *tagSite) want(c Change) Pin {
	p := t.p
	switch t.part {
	case partTag:
		p.Tag = c.Tag.apply(p.Tag)
		if p.Type == TypeImage {
			p.Digest = c.Digest.apply(p.Digest)
		}
	case partDigest:
		p.Digest = c.Digest.apply(p.Digest)
	case partName:
		p.NewName = c.NewName.apply(p.NewName)
	}
	return p
}

func (t *tagSite) set(s *setter, c Change) error {
	w := t.want(c)
	text := w.Tag
	switch t.part {
	case partDigest:
		text = w.Digest
	case partName:
		text = w.NewName
	case partTag:
		if w.Digest != "" {
			text += "@" + w.Digest
		}
	}
	if text == "" || t.part == partTag && w.Tag == "" {
		return t.src.Errorf(t.node, "give a tag as well", "%s of %q holds a %s and cannot be left without one", t.field, t.p.Name, t.part)
	}
	return s.setScalar(t.src, t.node, t.p, t.field, text)
}

// String names the part.
func (p part) String() string {
	return [...]string{"tag", "digest", "repository"}[p]
}

func position(src *syntax.Source, n *yaml.Node) Position {
	line, col := src.Place(n)
	return Position{line, col}
}

// resolve gives what an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// textOf gives a scalar's text; "" for null and for what is no scalar.
func textOf(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	n = resolve(n)
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return n.Value
}

// lineOf gives a scalar's text without the line break that a block scalar has at
// its end.
func lineOf(n *yaml.Node) string {
	if n != nil && resolve(n).Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return strings.TrimRight(textOf(n), "\n")
	}
	return textOf(n)
}

// isScalar tells whether a node is there and holds a text or a number.
func isScalar(n *yaml.Node) bool {
	return n != nil && resolve(n).Kind == yaml.ScalarNode && resolve(n).ShortTag() != "!!null"
}

// keyIndex finds a key in a mapping's own content; -1 where there is none.
func keyIndex(m *yaml.Node, key string) int {
	if m.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if k := m.Content[i]; k.Kind == yaml.ScalarNode && k.Value == key {
			return i
		}
	}
	return -1
}

// value finds a key's value, looking through merge keys (<<).
func value(m *yaml.Node, key string) *yaml.Node { return merged(m, key, 0) }

// maxMerges bounds how deep merge keys are followed: anchors can be nested in
// ways that would take for ever.
const maxMerges = 8

func merged(m *yaml.Node, key string, depth int) *yaml.Node {
	if i := keyIndex(m, key); i >= 0 {
		return m.Content[i+1]
	}
	i := keyIndex(m, "<<")
	if i < 0 || depth == maxMerges {
		return nil
	}
	from := resolve(m.Content[i+1])
	sources := []*yaml.Node{from}
	if from.Kind == yaml.SequenceNode {
		sources = from.Content
	}
	for _, src := range sources {
		if v := merged(resolve(src), key, depth+1); v != nil {
			return v
		}
	}
	return nil
}

// at follows keys from a mapping; nil where one is missing.
func at(n *yaml.Node, keys ...string) *yaml.Node {
	for _, k := range keys {
		if n == nil {
			return nil
		}
		n = value(resolve(n), k)
	}
	return n
}

var escapeKey = strings.NewReplacer(`\`, `\\`, ".", `\.`, "[", `\[`, ":", `\:`)

// join adds a key to a path, with dots in it escaped.
func join(path, key string) string {
	key = escapeKey.Replace(key)
	if path == "" {
		return key
	}
	return path + "." + key
}

// item adds a list's index to a path.
func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
