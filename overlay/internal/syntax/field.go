package syntax

import (
	"bytes"
	"cmp"

	"go.yaml.in/yaml/v3"
)

// A Field is a key and a string value to be inserted.
type Field struct {
	Key, Value string
	// Like, if any, is a scalar whose quotes the value shall have.
	Like *yaml.Node
}

// text renders the field beside a mapping, whose keys' quotes it takes (JSON has
// double ones), and gives the nodes that it stands for.
func (f Field) text(beside *yaml.Node) (string, []*yaml.Node) {
	var keyLike yaml.Style
	if beside != nil && len(beside.Content) > 0 {
		keyLike = beside.Content[0].Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle)
	}
	like := keyLike
	if f.Like != nil {
		like = f.Like.Style
	}
	key, keyStyle := render(f.Key, keyLike)
	value, style := render(f.Value, like)
	return key + ": " + value, []*yaml.Node{
		{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.Key, Style: keyStyle},
		{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.Value, Style: style},
	}
}

// InsertField puts a field into a mapping that is not empty, behind the key at
// Content[index].
func (e *Edit) InsertField(m *yaml.Node, index int, f Field) error {
	end, err := e.src.end(m.Content[index+1])
	if err != nil {
		return err
	}
	text, nodes := f.text(m)
	if m.Style&yaml.FlowStyle != 0 {
		e.splice(end, end, ", "+text)
	} else {
		at := e.src.lineEnd(end)
		indent := spaces(m.Content[0].Column - 1)
		e.splice(at, at, e.src.lineBreak(at)+indent+text)
	}
	w := e.expect(m)
	at := 0 // where the key itself is gone by now
	if i := indexOf(w.Content, m.Content[index]); i >= 0 {
		at = i + 2
	}
	for at < len(w.Content) && w.Content[at].Line == 0 {
		at += 2 // behind what this edit has inserted here before
	}
	w.Content = append(w.Content[:at:at], append(nodes, w.Content[at:]...)...)
	return nil
}

// RemoveFields takes the keys at some indices of Content out of a mapping, with
// the lines that they stand on. At least one key must stay.
func (e *Edit) RemoveFields(m *yaml.Node, indices []int) error {
	gone := make(map[int]bool)
	for _, i := range indices {
		gone[i] = true
	}
	// The first key may share its line with a dash. It, and those behind it that
	// go as well, give their place to the first that stays.
	first := 0
	for gone[first] {
		first += 2
	}
	switch {
	case first >= len(m.Content) && e.ownLines(m):
		first = -1 // whole lines go; the edit puts something else there, or is refused
	case first > 0:
		if err := e.removeFirst(m, first); err != nil {
			return err
		}
	}
	w := e.expect(m)
	for _, i := range indices {
		if i > first {
			sp, err := e.fieldSpan(m, i)
			if err != nil {
				return err
			}
			e.splice(sp.start, sp.end, "")
		}
		at := indexOf(w.Content, m.Content[i])
		w.Content = append(w.Content[:at:at], w.Content[at+2:]...)
	}
	return nil
}

// ownLines tells whether a mapping's first key is alone on its line, without a
// dash or a bracket.
func (e *Edit) ownLines(m *yaml.Node) bool {
	off := e.src.offset(m.Content[0].Line, m.Content[0].Column)
	before := e.src.Bytes[e.src.lineStart(off):off]
	return m.Style&yaml.FlowStyle == 0 && len(bytes.TrimLeft(before, " ")) == 0 && e.src.lineStart(off) > 0
}

// removeFirst removes the keys before the one at an index.
func (e *Edit) removeFirst(m *yaml.Node, index int) error {
	s := e.src
	key := m.Content[0]
	if index >= len(m.Content) {
		return s.Errorf(key, "", "cannot remove %q: no other key would be left", key.Value)
	}
	next := m.Content[index]
	start, to := s.offset(key.Line, key.Column), s.offset(next.Line, next.Column)
	if err := e.noComments(m, key, start, to, index); err != nil {
		return err
	}
	e.splice(start, to, "")
	return nil
}

// noComments refuses to remove bytes that hold a comment of something else: in
// block style one on a line of its own, in flow style any.
func (e *Edit) noComments(m, key *yaml.Node, start, to, index int) error {
	s := e.src
	refuse := s.Errorf(key, "", "cannot remove %q: a comment beside it would lose its place", key.Value)
	if m.Style&yaml.FlowStyle != 0 {
		if bytes.IndexByte(s.Bytes[start:to], '#') >= 0 {
			return refuse
		}
		return nil
	}
	for i := 0; i < index; i += 2 {
		end, err := s.end(m.Content[i+1])
		if err != nil {
			return err
		}
		commented, err := s.commented(m, i)
		if err != nil {
			return err
		}
		next := m.Content[i+2]
		if commented || bytes.IndexByte(s.Bytes[s.lineEnd(end):max(s.lineEnd(end), s.offset(next.Line, next.Column))], '#') >= 0 {
			return refuse
		}
	}
	return nil
}

// commented tells whether a comment stands on the lines of a key of a block mapping
// and its value: between them, on the header of a block scalar, or behind the value.
func (s *Source) commented(m *yaml.Node, index int) (bool, error) {
	key, value := m.Content[index], m.Content[index+1]
	end, err := s.end(value)
	if err != nil {
		return false, err
	}
	if s.hasComment(end, s.lineEnd(end)) {
		return true, nil
	}
	ksp, err := s.scalar(key)
	if err != nil || value.Kind != yaml.ScalarNode {
		return false, err
	}
	sp, err := s.scalar(value)
	if value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		sp.start = s.lineEnd(sp.start)
	}
	return s.hasComment(ksp.end, sp.start), err
}

// hasComment tells whether a comment begins in a range that holds no scalar.
func (s *Source) hasComment(from, to int) bool {
	for i := from; i < to; i++ {
		if s.Bytes[i] == '#' && i > 0 && isBlank(s.Bytes[i-1]) {
			return true
		}
	}
	return false
}

func indexOf(nodes []*yaml.Node, n *yaml.Node) int {
	for i, c := range nodes {
		if c == n {
			return i
		}
	}
	return -1
}

// fieldSpan gives the bytes that go with a key that is not the first: in flow
// style from the value before it on, in block style whole lines.
func (e *Edit) fieldSpan(m *yaml.Node, index int) (span, error) {
	s := e.src
	key := m.Content[index]
	start := s.offset(key.Line, key.Column)
	end, err := s.end(m.Content[index+1])
	if err != nil {
		return span{}, err
	}
	if m.Style&yaml.FlowStyle != 0 {
		before, err := s.end(m.Content[index-1])
		if err != nil {
			return span{}, err
		}
		if bytes.IndexByte(s.Bytes[before:s.lineEnd(end)], '#') >= 0 && s.lineStart(end) != s.lineStart(s.offset(m.Line, m.Column)) {
			return span{}, s.Errorf(key, "", "cannot remove %q: a comment beside it would lose its place", key.Value)
		}
		return span{before, end}, nil
	}
	// The line break before the line goes rather than the one behind it: a text
	// that ends without one still does, and what an edit inserts at the end of
	// either line does not touch the span.
	if commented, err := s.commented(m, index); commented || err != nil {
		return span{}, cmp.Or(err, error(s.Errorf(key, "", "cannot remove %q: a comment beside it would lose its place", key.Value)))
	}
	start = s.lineStart(start)
	return span{s.lineEnd(s.lineStart(start - 1)), s.lineEnd(end)}, nil
}
