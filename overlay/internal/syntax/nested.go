package syntax

import (
	"bytes"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Nested parses the YAML text that a literal block scalar (|) holds. Places in it
// are places in the file around it. A scalar of another style gives an error:
// its text and the file's are not alike line by line.
func (s *Source) Nested(n *yaml.Node) (*Source, error) {
	if n.Kind != yaml.ScalarNode || n.Style&yaml.LiteralStyle == 0 {
		return nil, s.Errorf(n, "write it as a block scalar, with |", "YAML text in a %s cannot be edited in place", KindName(n))
	}
	first, indent, err := s.blockStart(n)
	if err != nil {
		return nil, err
	}
	line, _ := s.position(first)
	inner := &Source{Name: s.Name, Bytes: []byte(n.Value), line: s.line + line - 1, col: s.col + indent}
	if err := inner.parse(); err != nil {
		return nil, s.Errorf(n, "", "the text in this value cannot be edited as YAML: %v", err)
	}
	return inner, nil
}

// blockStart gives the offset of a block scalar's first line of content, and how
// far its content is indented.
func (s *Source) blockStart(n *yaml.Node) (first, indent int, err error) {
	sp, err := s.scalar(n)
	if err != nil {
		return 0, 0, err
	}
	end := s.lineEnd(sp.start)
	if end >= sp.end {
		return 0, 0, s.Errorf(n, "", "the block scalar is empty")
	}
	first = end + breakLen(s.Bytes, end)
	for off := first; off < sp.end; {
		stop := s.lineEnd(off)
		text := strings.TrimLeft(string(s.Bytes[off:stop]), " ")
		if text != "" {
			return first, stop - off - len(text) - leadingSpaces(n.Value), nil
		}
		off = stop + breakLen(s.Bytes, stop)
	}
	return 0, 0, s.Errorf(n, "", "the block scalar is empty")
}

// ReplaceNested takes the changes of an edit of nested text over into the text
// around it: the same splices, moved to where the lines stand here. The nested
// edit is proved by itself first.
func (e *Edit) ReplaceNested(n *yaml.Node, inner *Edit) error {
	after, err := inner.Apply()
	if err != nil || after == inner.src {
		return err
	}
	s := e.src
	first, indent, err := s.blockStart(n)
	if err != nil {
		return err
	}
	firstLine, _ := s.position(first)
	eol := s.lineBreak(s.lineEnd(first))
	move := func(off int) int {
		line := sort.SearchInts(inner.src.lines, off+1)
		if firstLine-1+line > len(s.lines) {
			return len(s.Bytes)
		}
		start := s.lines[firstLine-1+line-1]
		// A blank line may be indented less than the text.
		return min(start+indent+off-inner.src.lines[line-1], s.lineEnd(start))
	}
	for _, sp := range inner.splices {
		text := strings.ReplaceAll(sp.text, "\n", eol+strings.Repeat(" ", indent))
		e.splice(move(sp.start), move(sp.end), text)
	}
	text := string(after.Bytes)
	if !bytes.ContainsRune(s.Bytes[s.skipProperties(s.offset(n.Line, n.Column)):first], '+') {
		// Line breaks at the end do not count: the value has none, or one.
		text = strings.TrimRight(text, "\n") + n.Value[len(strings.TrimRight(n.Value, "\n")):]
	}
	e.expect(n).Value = text
	return nil
}
