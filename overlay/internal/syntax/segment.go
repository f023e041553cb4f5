package syntax

import (
	"bytes"
	"slices"
	"sort"

	"go.yaml.in/yaml/v3"
)

// A large text whose root is a block mapping can be proved in part. It is cut at
// the lines of the root's keys into segments of one key each. Only windows are
// parsed: the segments that an edit touches, with one neighbour on either side.
// That is enough:
//
//   - Up to a window the bytes are as they were, so the parser comes there in the
//     state in which it was before: in the root mapping, at the start of a key.
//   - A window stands between two keys of the root that are made up, except at
//     the ends of the text. If the one behind it is seen as a key of the root, the
//     parser leaves the window in that same state: what is open then, a quote, a
//     bracket or an indented block, would have taken the key in, or failed. So
//     what stands behind the window is parsed as it was. Document markers and
//     directives are the exceptions, and no window may have them.
//   - A comment is given to a node near it, which may be one of the key before or
//     of the key behind. Both are in the window. The neighbours must come out as
//     they were; then the tree can share them with the one before.
//   - No line may be added or removed, because nodes know their lines and those
//     behind the edit are shared.
//
// Whatever is not so is left to the parse of the whole text, and so is every
// fault: a message is always about the whole.

// segmentsFrom is the size from which an edited text is proved in part.
const segmentsFrom = 1 << 20

const (
	keyBefore = "\"(before)\": 0\n"
	keyBehind = "\"(behind)\": 0\n"
)

// window is a run of segments that is parsed anew.
type window struct {
	first, last int // segments
	before      span
	after       span
	firstLine   int // index of the first line
	lines       int // number of lines
	newLines    []int
}

// proof carries the proof of an edit in part.
type proof struct {
	edit    *Edit
	root    *yaml.Node
	keys    int
	touched map[int]bool
	wanted  int // nodes found in touched segments that shall differ
}

// proveSegments gives the Source of the edited text, or nil where the whole text
// must be parsed: a fault, or windows of more bytes than most.
func (e *Edit) proveSegments(text []byte, most int) *Source {
	s := e.src
	if s.line != 0 || s.col != 0 || len(s.Docs) != 1 || len(text) > MaxSize || !hasSegments(s.Docs[0]) {
		return nil
	}
	root := s.Docs[0]
	p := &proof{edit: e, root: root, keys: len(root.Content) / 2, touched: make(map[int]bool)}
	if !p.touch() {
		return nil
	}
	windows := p.windows()
	for _, w := range windows {
		most -= w.after.end - w.after.start
	}
	if most < 0 {
		return nil
	}
	after := *root
	after.Content = slices.Clone(root.Content)
	for _, w := range windows {
		if !p.parse(w, text, after.Content) {
			return nil
		}
	}
	if p.wanted != len(e.want) {
		return nil // something else than what is touched shall differ
	}
	lines := s.linesWith(windows)
	return &Source{Name: s.Name, Bytes: text, Docs: []*yaml.Node{&after}, lines: lines, marks: markLines(text, lines), json: s.json}
}

// hasSegments tells whether a root is a block mapping with each key, a simple
// scalar, at the start of a line.
func hasSegments(root *yaml.Node) bool {
	if root.Kind != yaml.MappingNode || root.Style != 0 || root.Anchor != "" || len(root.Content) == 0 {
		return false
	}
	line := 0
	for i := 0; i < len(root.Content); i += 2 {
		k := root.Content[i]
		simple := k.Kind == yaml.ScalarNode && k.Value != "" && k.Anchor == "" &&
			k.Style&^(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0
		if !simple || k.Column != 1 || k.Line <= line {
			return false
		}
		line = k.Line
	}
	return true
}

// start gives the offset of a segment's first byte; the one behind the last ends
// the text.
func (p *proof) start(i int) int {
	if i == p.keys {
		return len(p.edit.src.Bytes)
	}
	return p.edit.src.lines[p.root.Content[2*i].Line-1]
}

// line gives the index of a segment's first line.
func (p *proof) line(i int) int {
	if i == p.keys {
		return len(p.edit.src.lines)
	}
	return p.root.Content[2*i].Line - 1
}

// touch finds the segments that the splices lie in; false where one lies in none.
func (p *proof) touch() bool {
	for _, sp := range p.edit.splices {
		i := sort.Search(p.keys, func(i int) bool { return p.start(i) > sp.start }) - 1
		if i < 0 || sp.end > p.textEnd(i) {
			return false
		}
		p.touched[i] = true
	}
	return true
}

// textEnd gives the offset of the line break that ends a segment, or -1 where
// that is no LF or CRLF.
func (p *proof) textEnd(i int) int {
	b, end := p.edit.src.Bytes, p.start(i+1)
	switch {
	case i+1 == p.keys:
		return end
	case b[end-1] != '\n':
		return -1
	case end > 1 && b[end-2] == '\r':
		return end - 2
	}
	return end - 1
}

// windows gives the windows around the touched segments, in order.
func (p *proof) windows() []*window {
	var segments []int
	for i := range p.touched {
		segments = append(segments, i)
	}
	sort.Ints(segments)
	var out []*window
	for _, i := range segments {
		first, last := max(i-1, 0), min(i+1, p.keys-1)
		if n := len(out); n > 0 && first <= out[n-1].last+1 {
			out[n-1].last = last
			continue
		}
		out = append(out, &window{first: first, last: last})
	}
	next, moved := 0, 0
	for _, w := range out {
		if w.first > 0 { // else what is above the first key belongs to it
			w.before.start, w.firstLine = p.start(w.first), p.line(w.first)
		}
		w.before.end = p.start(w.last + 1)
		w.lines = p.line(w.last+1) - w.firstLine
		w.after.start = w.before.start + moved
		for ; next < len(p.edit.splices) && p.edit.splices[next].start <= w.before.end; next++ {
			sp := p.edit.splices[next]
			moved += len(sp.text) - (sp.end - sp.start)
		}
		w.after.end = w.before.end + moved
	}
	return out
}

// parse reads a window of the new text and puts the nodes of its touched segments
// into content; false where anything is not as it should be.
func (p *proof) parse(w *window, text []byte, content []*yaml.Node) bool {
	inner := p.inner(w, text[w.after.start:w.after.end])
	if inner == nil {
		return false
	}
	nodes := inner.Docs[0].Content
	shift := w.firstLine
	if w.first > 0 {
		nodes, shift = nodes[2:], shift-1
	}
	for i := w.first; i <= w.last; i++ {
		old, now := p.root.Content[2*i:2*i+2], nodes[2*(i-w.first):]
		move(now[0], shift)
		move(now[1], shift)
		if i == w.first && w.first > 0 {
			// What is above the first key is above the window.
			now[0].HeadComment = old[0].HeadComment
		}
		switch {
		case now[0].Column != 1 || now[0].Line != old[0].Line:
			return false
		case p.touched[i]:
			// A key that changes might be another's duplicate.
			if p.edit.want[old[0]] != nil || !p.asExpected(old[0], now[0]) || !p.asExpected(old[1], now[1]) {
				return false
			}
			copy(content[2*i:], now[:2])
		case !same(old[0], now[0]) || !same(old[1], now[1]):
			return false
		}
	}
	return true
}

// inner parses a window by itself, between two keys, where the text goes on. It
// gives nil unless that is one mapping with as many keys and lines as before.
func (p *proof) inner(w *window, text []byte) *Source {
	var b []byte
	keys, head, tail := w.last-w.first+1, 0, 0
	if w.first > 0 {
		b, head, keys = append(b, keyBefore...), 1, keys+1
	}
	b = append(b, text...)
	if w.last+1 < p.keys {
		b, tail, keys = append(b, keyBehind...), 2, keys+1
	}
	inner, err := Parse(p.edit.src.Name, b)
	if err != nil || len(inner.Docs) != 1 || bytes.Contains(b, []byte(bom)) {
		return nil
	}
	root := inner.Docs[0]
	if root.Kind != yaml.MappingNode || root.Style != 0 || len(root.Content) != 2*keys || !p.sameRoot(w, root) {
		return nil
	}
	lines := inner.lines[head : len(inner.lines)-tail]
	if len(lines) != w.lines {
		return nil
	}
	for _, off := range lines {
		if line := b[off:]; isMarker(line) || bytes.HasPrefix(line, []byte("%")) {
			return nil
		}
		w.newLines = append(w.newLines, off-head*len(keyBefore)+w.after.start)
	}
	return inner
}

// sameRoot tells whether a window at the start or the end of the text gives the
// root what it had from there.
func (p *proof) sameRoot(w *window, root *yaml.Node) bool {
	if w.first == 0 && (root.HeadComment != p.root.HeadComment || root.Line != p.root.Line || root.Column != p.root.Column) {
		return false
	}
	return w.last+1 < p.keys || root.LineComment == p.root.LineComment && root.FootComment == p.root.FootComment
}

// asExpected compares a node of a touched segment with what the edit wants.
func (p *proof) asExpected(old, now *yaml.Node) bool {
	if !p.plain(old) || !p.plain(now) {
		return false
	}
	_, why := p.edit.differ(old, now)
	return why == ""
}

// plain tells that a node has neither anchors nor aliases, which would refer to
// other segments, and counts the nodes that shall differ.
func (p *proof) plain(n *yaml.Node) bool {
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		return false
	}
	if p.edit.want[n] != nil {
		p.wanted++
	}
	return !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return !p.plain(c) })
}

// move gives a node the line that it has in the whole text.
func move(n *yaml.Node, lines int) {
	n.Line += lines
	for _, c := range n.Content {
		move(c, lines)
	}
}

// same tells whether two nodes are alike in all that the parser says of them.
func same(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Style == b.Style && a.Tag == b.Tag && a.Value == b.Value && a.Anchor == b.Anchor &&
		a.Line == b.Line && a.Column == b.Column &&
		a.HeadComment == b.HeadComment && a.LineComment == b.LineComment && a.FootComment == b.FootComment &&
		slices.EqualFunc(a.Content, b.Content, same)
}

// linesWith gives the starts of lines with those in windows replaced.
func (s *Source) linesWith(windows []*window) []int {
	out := make([]int, 0, len(s.lines))
	moved := 0
	rest := func(to int) {
		for _, off := range s.lines[len(out):to] {
			out = append(out, off+moved)
		}
	}
	for _, w := range windows {
		rest(w.firstLine)
		out = append(out, w.newLines...)
		moved = w.after.end - w.before.end
	}
	rest(len(s.lines))
	return out
}
