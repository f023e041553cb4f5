package syntax

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

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
			return s.Errorf(value, "", "cannot fill %q: a comment in it would be lost", key.Value)
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
