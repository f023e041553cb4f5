package syntax

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Edit collects changes to a Source. The nodes given to its methods are nodes
// of that Source. An error leaves the Edit unusable; the Source is untouched.
type Edit struct {
	src     *Source
	splices []splice
	marks   []int                     // how many splices there were at the end of each step
	want    map[*yaml.Node]*yaml.Node // nodes that shall differ, as they shall be
}

// splice replaces bytes. Several insertions at one offset keep their order.
type splice struct {
	span
	text string
}

// Edit starts an edit.
func (s *Source) Edit() *Edit {
	return &Edit{src: s, want: make(map[*yaml.Node]*yaml.Node)}
}

func (e *Edit) splice(start, end int, text string) {
	e.splices = append(e.splices, splice{span{start, end}, text})
}

// expect gives the node that n shall become, for the caller to change.
func (e *Edit) expect(n *yaml.Node) *yaml.Node {
	w := e.want[n]
	if w == nil {
		c := *n
		c.Content = append([]*yaml.Node(nil), n.Content...)
		w = &c
		e.want[n] = w
	}
	return w
}

// SetScalar gives a scalar another string value. Quotes, an anchor and a tag
// that says string stay. A value that is an alias, no scalar, or tagged as
// something else is refused.
func (e *Edit) SetScalar(n *yaml.Node, value string) error {
	s := e.src
	if s.form != YAML {
		return e.setEntry(n, value)
	}
	switch {
	case n.Kind == yaml.AliasNode:
		return s.Errorf(n, "change the value at the anchor, or write the value here in place of the alias",
			"this value is an alias of &%s (line %d)", n.Value, n.Alias.Line+s.line)
	case n.Kind != yaml.ScalarNode:
		return s.Errorf(n, "", "this value is a %s, not a string", KindName(n))
	case n.Style&yaml.TaggedStyle != 0 && n.ShortTag() != "!!str":
		return s.Errorf(n, "remove the tag", "this value is tagged %s", n.Tag)
	}
	sp, err := s.scalar(n)
	if err != nil {
		return err
	}
	block := n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if block && bytes.ContainsRune(s.Bytes[sp.start:s.lineEnd(sp.start)], '#') {
		if e.setLine(n, value) {
			return nil
		}
		return s.Errorf(n, "write the value on one line", "a comment on a block scalar's first line would be lost")
	}
	text, style := render(value, s.like(n.Style))
	if sp.start == sp.end && sp.start > 0 && (s.Bytes[sp.start-1] == ':' || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0) {
		text = " " + text
	}
	e.splice(sp.start, sp.end, text)
	w := e.expect(n)
	w.Value, w.Tag, w.Style = value, "!!str", style|n.Style&yaml.TaggedStyle
	return nil
}

// setLine gives a literal block scalar of one line another line, so that its
// header stays; false where that is not how it stands.
func (e *Edit) setLine(n *yaml.Node, value string) bool {
	s := e.src
	first, indent, err := s.blockStart(n)
	old := strings.TrimRight(n.Value, "\n")
	if err != nil || n.Style&yaml.LiteralStyle == 0 || value == "" || value[0] == ' ' || !printable(old+value) {
		return false
	}
	e.splice(first+indent, s.lineEnd(first), value)
	e.expect(n).Value = value + n.Value[len(old):]
	return true
}

// SetPart replaces the bytes from one offset of a scalar's value to another, and
// nothing else of it, where the text holds the value as it is. Otherwise the
// whole value is written, as SetScalar does.
func (e *Edit) SetPart(n *yaml.Node, from, to int, part string) error {
	s := e.src
	if n.Kind != yaml.ScalarNode {
		return e.SetScalar(n, part)
	}
	whole := n.Value[:from] + part + n.Value[to:]
	if n.Style&yaml.TaggedStyle != 0 {
		return e.SetScalar(n, whole)
	}
	sp, err := s.scalar(n)
	if err != nil {
		return err
	}
	start := sp.start
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		start++
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || !bytes.HasPrefix(s.Bytes[start:sp.end], []byte(n.Value)) {
		return e.SetScalar(n, whole)
	}
	e.splice(start+from, start+to, part)
	e.expect(n).Value = whole
	return nil
}

// Apply makes the splices and proves the result. Without changes the Source
// itself is returned.
func (e *Edit) Apply() (*Source, error) {
	if len(e.splices) == 0 {
		return e.src, nil
	}
	sortSplices(e.splices)
	out := e.src.spliced(0, len(e.src.Bytes), e.splices)
	if out == nil {
		return nil, e.src.Errorf(nil, "make the changes one by one", "two changes touch the same text")
	}
	return e.prove(out)
}
