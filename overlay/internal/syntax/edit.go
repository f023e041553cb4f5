package syntax

import (
	"bytes"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Edit collects changes to a Source. The nodes given to its methods are nodes
// of that Source. An error leaves the Edit unusable; the Source is untouched.
type Edit struct {
	src     *Source
	splices []splice
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
	text, style := render(value, n.Style)
	if sp.start == sp.end && sp.start > 0 && s.Bytes[sp.start-1] == ':' {
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
	refuse := s.Errorf(key, "move the comment", "cannot remove %q: a comment beside it would lose its place", key.Value)
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
		next := m.Content[i+2]
		if bytes.IndexByte(s.Bytes[s.lineEnd(end):max(s.lineEnd(end), s.offset(next.Line, next.Column))], '#') >= 0 {
			return refuse
		}
	}
	return nil
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
			return span{}, s.Errorf(key, "move the comment", "cannot remove %q: a comment beside it would lose its place", key.Value)
		}
		return span{before, end}, nil
	}
	// The line break before the line goes rather than the one behind it: a text
	// that ends without one still does, and what an edit inserts at the end of
	// either line does not touch the span.
	start = s.lineStart(start)
	return span{s.lineEnd(s.lineStart(start - 1)), s.lineEnd(end)}, nil
}

// Append puts mappings at the end of a sequence, in the style of its last item.
func (e *Edit) Append(seq *yaml.Node, items ...[]Field) error {
	if len(seq.Content) == 0 {
		return e.src.Errorf(seq, "", "cannot append to an empty sequence")
	}
	last := seq.Content[len(seq.Content)-1]
	end, err := e.src.end(last)
	if err != nil {
		return err
	}
	w := e.expect(seq)
	if seq.Style&yaml.FlowStyle != 0 {
		for _, item := range items {
			text, node := flowItem(item, last)
			e.splice(end, end, ", "+text)
			w.Content = append(w.Content, node)
		}
		return nil
	}
	if last.Kind != yaml.MappingNode || last.Style&yaml.FlowStyle == 0 && len(last.Content) == 0 {
		return e.src.Errorf(last, "", "cannot append behind this item")
	}
	indent, gap, err := e.dash(seq, last)
	if err != nil {
		return err
	}
	at := e.src.lineEnd(end)
	eol := e.src.lineBreak(at)
	for _, item := range items {
		var text string
		var node *yaml.Node
		if last.Style&yaml.FlowStyle != 0 {
			text, node = flowItem(item, last)
			text = indent + "-" + gap + text
		} else {
			text, node = blockItem(item, last, indent, gap, eol)
		}
		e.splice(at, at, eol+text)
		w.Content = append(w.Content, node)
	}
	return nil
}

// dash gives the white space before and behind the dash of a sequence's item.
func (e *Edit) dash(seq, item *yaml.Node) (indent, gap string, err error) {
	s := e.src
	off := s.offset(item.Line, item.Column)
	start := s.lineStart(off)
	head := s.Bytes[start:off]
	i := bytes.LastIndexByte(head, '-')
	if i < 0 || len(bytes.Trim(head[i+1:], " ")) > 0 {
		return spaces(seq.Column - 1), " ", nil
	}
	if len(bytes.Trim(head[:i], " ")) > 0 && !bytes.HasPrefix(head, []byte(bom)) {
		return "", "", s.Errorf(item, "write the item on a line of its own", "cannot append behind this item")
	}
	return spaces(seq.Column - 1), string(head[i+1:]), nil
}

func blockItem(fields []Field, beside *yaml.Node, indent, gap, eol string) (string, *yaml.Node) {
	node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	var b bytes.Buffer
	for i, f := range fields {
		text, nodes := f.text(beside)
		if i == 0 {
			b.WriteString(indent + "-" + gap + text)
		} else {
			b.WriteString(eol + indent + " " + gap + text)
		}
		node.Content = append(node.Content, nodes...)
	}
	return b.String(), node
}

func flowItem(fields []Field, beside *yaml.Node) (string, *yaml.Node) {
	node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
	var b bytes.Buffer
	for i, f := range fields {
		text, nodes := f.text(beside)
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(text)
		node.Content = append(node.Content, nodes...)
	}
	return "{" + b.String() + "}", node
}

// Fill gives the key at Content[index] of a block mapping, whose value is null
// or an empty sequence, a sequence of mappings. A comment on the line stays.
func (e *Edit) Fill(m *yaml.Node, index int, items ...[]Field) error {
	s := e.src
	key, value := m.Content[index], m.Content[index+1]
	if m.Style&yaml.FlowStyle != 0 || value.Anchor != "" {
		return s.Errorf(key, "write the file in block style", "cannot fill %q here", key.Value)
	}
	ksp, err := s.scalar(key)
	if err != nil {
		return err
	}
	end, err := s.end(value)
	if err != nil {
		return err
	}
	colon := s.skipSpace(ksp.end)
	if colon >= len(s.Bytes) || s.Bytes[colon] != ':' || end < colon {
		return s.Errorf(key, "", "cannot tell where the value of %q begins", key.Value)
	}
	if end > colon+1 {
		if bytes.IndexByte(s.Bytes[colon:end], '#') >= 0 {
			return s.Errorf(value, "move the comment", "cannot fill %q: a comment in it would be lost", key.Value)
		}
		e.splice(colon+1, end, "")
	}
	at := s.lineEnd(end)
	text, seq := e.block(m, key.Column-1, s.lineBreak(at), items)
	e.splice(at, at, text)
	w := e.expect(m)
	w.Content[indexOf(w.Content, value)] = seq
	return nil
}

// Add puts a key with a sequence of mappings at the end of a mapping. Comments at
// the end of a document stay in front of it; those behind an inner mapping may be
// about what follows, and stay behind it.
func (e *Edit) Add(root *yaml.Node, key string, items ...[]Field) error {
	s := e.src
	if root.Style&yaml.FlowStyle != 0 {
		return e.addFlow(root, key, items)
	}
	if len(root.Content) == 0 {
		return s.Errorf(root, "write the file in block style", "cannot add %q here", key)
	}
	end, err := s.end(root)
	if err != nil {
		return err
	}
	at := s.lineEnd(end)
	if indexOf(s.Docs, root) >= 0 {
		at = s.endOfText(at)
	}
	eol := s.lineBreak(at)
	text, seq := e.block(root, root.Content[0].Column-1, eol, items)
	e.splice(at, at, eol+spaces(root.Content[0].Column-1)+key+":"+text)
	w := e.expect(root)
	w.Content = append(w.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, seq)
	return nil
}

// addFlow adds a key with a sequence to a flow mapping, as in JSON.
func (e *Edit) addFlow(root *yaml.Node, key string, items [][]Field) error {
	at, err := e.src.lastInFlow(root)
	if err != nil {
		return err
	}
	seq := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
	var texts []string
	for _, item := range items {
		text, node := flowItem(item, root)
		texts, seq.Content = append(texts, text), append(seq.Content, node)
	}
	name, style := render(key, quotesOf(root))
	text := name + ": [" + strings.Join(texts, ", ") + "]"
	if len(root.Content) > 0 {
		text = ", " + text
	}
	e.splice(at, at, text)
	w := e.expect(root)
	w.Content = append(w.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key, Style: style}, seq)
	return nil
}

// endOfText gives the end of the last line at or behind the line end at that is
// neither blank nor the next document's: comments at the end of a document are
// kept together with what they stand under.
func (s *Source) endOfText(at int) int {
	for off := at; off < len(s.Bytes); {
		start := off + breakLen(s.Bytes, off)
		off = s.lineEnd(start)
		line := s.Bytes[start:off]
		if isMarker(line) {
			break
		}
		if len(bytes.TrimSpace(line)) > 0 {
			at = off
		}
	}
	return at
}

// block renders a sequence as it follows "key:" in block style, indented the way
// the other sequences of the mapping are.
func (e *Edit) block(m *yaml.Node, column int, eol string, items [][]Field) (string, *yaml.Node) {
	indent, gap := spaces(column), " "
	for i := 1; i < len(m.Content); i += 2 {
		v := m.Content[i]
		if v.Kind == yaml.SequenceNode && v.Style&yaml.FlowStyle == 0 && len(v.Content) > 0 {
			indent = spaces(v.Column - 1)
			break
		}
	}
	seq := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	var b bytes.Buffer
	for _, item := range items {
		text, node := blockItem(item, nil, indent, gap, eol)
		b.WriteString(eol + text)
		seq.Content = append(seq.Content, node)
	}
	return b.String(), seq
}

func spaces(n int) string {
	return string(bytes.Repeat([]byte(" "), max(n, 0)))
}

// Apply makes the splices and proves the result. Without changes the Source
// itself is returned.
func (e *Edit) Apply() (*Source, error) {
	if len(e.splices) == 0 {
		return e.src, nil
	}
	// At one offset, insertions come before what is removed or replaced there.
	sort.SliceStable(e.splices, func(i, j int) bool {
		a, b := e.splices[i], e.splices[j]
		return a.start < b.start || a.start == b.start && a.end == a.start && b.end > b.start
	})
	var out bytes.Buffer
	out.Grow(len(e.src.Bytes) + 256)
	done := 0
	for _, sp := range e.splices {
		if sp.start < done || sp.end < sp.start {
			return nil, e.src.Errorf(nil, "make the changes one by one", "two changes touch the same text")
		}
		out.Write(e.src.Bytes[done:sp.start])
		out.WriteString(sp.text)
		done = sp.end
	}
	out.Write(e.src.Bytes[done:])
	return e.prove(out.Bytes())
}
