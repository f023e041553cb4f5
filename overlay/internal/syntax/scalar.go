package syntax

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// span is a range of bytes.
type span struct{ start, end int }

// scalar gives the range of a scalar's text: with its quotes or block header,
// without its anchor and tag. The range of an empty value is empty.
func (s *Source) scalar(n *yaml.Node) (span, error) {
	start := s.skipProperties(s.offset(n.Line, n.Column))
	end := -1
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		end = s.endOfDoubleQuoted(start)
	case n.Style&yaml.SingleQuotedStyle != 0:
		end = s.endOfSingleQuoted(start)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		end = s.endOfBlock(start, n.Value)
	case n.Value == "":
		if n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
			start = s.endOfProperties(s.offset(n.Line, n.Column))
		}
		end = start
	default:
		end = s.endOfPlain(start, n.Value)
	}
	if end < start {
		return span{}, s.Errorf(n, "write the value on one line", "cannot tell where this value ends")
	}
	return span{start, end}, nil
}

// skipProperties steps over anchors and tags and the white space behind them.
func (s *Source) skipProperties(off int) int {
	for off < len(s.Bytes) && (s.Bytes[off] == '&' || s.Bytes[off] == '!') {
		for off < len(s.Bytes) && !isBlank(s.Bytes[off]) {
			off++
		}
		off = s.skipSpace(off)
	}
	return off
}

// endOfProperties gives the end of the anchor and the tag of an empty value.
func (s *Source) endOfProperties(off int) int {
	end := off
	for off < len(s.Bytes) && (s.Bytes[off] == '&' || s.Bytes[off] == '!') {
		for off < len(s.Bytes) && !isBlank(s.Bytes[off]) && strings.IndexByte(",]}", s.Bytes[off]) < 0 {
			off++
		}
		end = off
		for off < len(s.Bytes) && (s.Bytes[off] == ' ' || s.Bytes[off] == '\t') {
			off++
		}
	}
	return end
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// skipSpace steps over white space, line breaks and comments.
func (s *Source) skipSpace(off int) int {
	for off < len(s.Bytes) {
		switch n := breakLen(s.Bytes, off); {
		case n > 0:
			off += n
		case s.Bytes[off] == ' ' || s.Bytes[off] == '\t':
			off++
		case s.Bytes[off] == '#' && (off == 0 || isBlank(s.Bytes[off-1])):
			off = s.lineEnd(off)
		default:
			return off
		}
	}
	return off
}

func (s *Source) endOfDoubleQuoted(start int) int {
	if start >= len(s.Bytes) || s.Bytes[start] != '"' {
		return -1
	}
	for i := start + 1; i < len(s.Bytes); i++ {
		switch s.Bytes[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

func (s *Source) endOfSingleQuoted(start int) int {
	if start >= len(s.Bytes) || s.Bytes[start] != '\'' {
		return -1
	}
	for i := start + 1; i < len(s.Bytes); i++ {
		if s.Bytes[i] != '\'' {
			continue
		}
		if i+1 < len(s.Bytes) && s.Bytes[i+1] == '\'' {
			i++
			continue
		}
		return i + 1
	}
	return -1
}

// endOfPlain matches the value against the text. A plain scalar has no escapes,
// so on one line it is its own text; over several lines each fold is one space
// or some line breaks.
func (s *Source) endOfPlain(start int, value string) int {
	if bytes.HasPrefix(s.Bytes[start:], []byte(value)) {
		return start + len(value)
	}
	off := start
	for i := 0; i < len(value); {
		if off >= len(s.Bytes) {
			return -1
		}
		if value[i] == ' ' || value[i] == '\n' {
			if !isBlank(s.Bytes[off]) {
				return -1
			}
			for i < len(value) && (value[i] == ' ' || value[i] == '\n') {
				i++
			}
			for off < len(s.Bytes) && isBlank(s.Bytes[off]) {
				off++
			}
			continue
		}
		if s.Bytes[off] != value[i] {
			return -1
		}
		i++
		off++
	}
	return off
}

// endOfBlock finds the last line of a literal or folded scalar. The content's
// indentation is what the first line of the text has more than the value's.
func (s *Source) endOfBlock(start int, value string) int {
	if start >= len(s.Bytes) || s.Bytes[start] != '|' && s.Bytes[start] != '>' {
		return -1
	}
	end := s.lineEnd(start)
	if len(bytes.Trim([]byte(value), " \n")) == 0 {
		return end // what follows belongs to something else
	}
	indent := -1
	for off := end; off < len(s.Bytes); {
		lineStart := off + breakLen(s.Bytes, off)
		off = s.lineEnd(lineStart)
		line := s.Bytes[lineStart:off]
		text := bytes.TrimLeft(line, " ")
		if len(text) == 0 {
			continue
		}
		spaces := len(line) - len(text)
		if indent < 0 {
			indent = spaces - leadingSpaces(value)
		}
		if spaces < indent || indent == 0 && isMarker(line) {
			break
		}
		end = off
	}
	return end
}

func isMarker(line []byte) bool {
	return bytes.HasPrefix(line, []byte("---")) || bytes.HasPrefix(line, []byte("..."))
}

// leadingSpaces counts the spaces at the start of the first line that has text.
func leadingSpaces(value string) int {
	n := 0
	for _, c := range value {
		switch c {
		case ' ':
			n++
		case '\n':
			n = 0
		default:
			return n
		}
	}
	return n
}

// end gives the offset behind the last byte of a node.
func (s *Source) end(n *yaml.Node) (int, error) {
	switch {
	case n.Kind == yaml.ScalarNode:
		sp, err := s.scalar(n)
		return sp.end, err
	case n.Kind == yaml.AliasNode:
		off := s.offset(n.Line, n.Column)
		return off + len("*") + len(n.Value), nil
	case n.Style&yaml.FlowStyle != 0:
		return s.endOfFlow(n)
	case len(n.Content) == 0:
		return 0, s.Errorf(n, "", "cannot tell where this value ends")
	}
	return s.end(n.Content[len(n.Content)-1])
}

// endOfFlow finds the bracket that closes a flow collection.
func (s *Source) endOfFlow(n *yaml.Node) (int, error) {
	off, err := s.lastInFlow(n)
	if err != nil {
		return 0, err
	}
	want := byte('}')
	if n.Kind == yaml.SequenceNode {
		want = ']'
	}
	off = s.skipSpace(off)
	if off < len(s.Bytes) && s.Bytes[off] == ',' {
		off = s.skipSpace(off + 1)
	}
	// A key without a value leaves its colon, which the parser puts before or
	// after the place it gives for the value.
	if off < len(s.Bytes) && s.Bytes[off] == ':' {
		off = s.skipSpace(off + 1)
	}
	if off >= len(s.Bytes) || s.Bytes[off] != want {
		return 0, s.Errorf(n, "write it in block style", "cannot tell where this collection ends")
	}
	return off + 1, nil
}

// lastInFlow gives the offset behind the last element of a flow collection, or
// behind the opening bracket of an empty one.
func (s *Source) lastInFlow(n *yaml.Node) (int, error) {
	if len(n.Content) == 0 {
		return s.skipProperties(s.offset(n.Line, n.Column)) + 1, nil
	}
	return s.end(n.Content[len(n.Content)-1])
}
