package overlay

import (
	"strings"

	"github.com/kubepromote/kubepromote/overlay/internal/nodes"
	"github.com/kubepromote/kubepromote/overlay/internal/reference"
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
	text := nodes.Line(n)
	name, ref, renamed := strings.Cut(text, "=")
	if !named || !renamed {
		name, ref, renamed = "", text, false
	}
	repo, tag, digest, ok := reference.SplitRef(ref, false)
	if !ok || !reference.IsName(repo) || tag != "" && !reference.IsTag(tag) || digest != "" && !reference.IsDigest(digest) {
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
	text := nodes.Line(n)
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
