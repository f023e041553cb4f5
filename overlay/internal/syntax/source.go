package syntax

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/overlay/internal/lines"
)

// MaxSize is the largest file that is parsed, in bytes.
const MaxSize = 64 << 20

// maxNodes is how many scalars, lists and mappings a text may hold, about: a node
// takes a hundred times the bytes of a short scalar, and parsing takes its time.
const maxNodes = 3_000_000

const bom = "\xef\xbb\xbf"

// Source is a parsed file. It is never changed after Parse.
type Source struct {
	// Name is used in messages only.
	Name string
	// Bytes is the text as it was given.
	Bytes []byte
	// Docs holds the root node of each document that is not empty.
	Docs []*yaml.Node

	lines []int // offset of the first byte of each line
	marks marks // into long lines
	json  bool  // the text is JSON, so all that is written into it is too
	form  Form
	// entries are the values of a text that is not YAML.
	entries map[*yaml.Node]lines.Entry
	// Where this text is nested in another, its lines begin at this place there.
	line, col int
}

// Place gives where a node stands, in the file as a whole.
func (s *Source) Place(n *yaml.Node) (line, col int) { return n.Line + s.line, n.Column + s.col }

// Parse reads all documents of a file. What cannot be edited safely is refused
// with an *Error: binary content, text that is not UTF-8, directives, templates,
// malformed YAML and duplicate keys. Where several keys are duplicated, all are
// reported, joined.
func Parse(name string, src []byte) (*Source, error) {
	s := &Source{Name: name, Bytes: src, form: formOf(name, src)}
	return s, s.parse()
}

func (s *Source) parse() error {
	if err := s.checkText(); err != nil {
		return err
	}
	if s.form != YAML {
		return s.parseForm()
	}
	s.lines = lineStarts(s.Bytes)
	s.marks = markLines(s.Bytes, s.lines)
	s.json = isJSON(s.Bytes)
	if err := s.checkDirectives(); err != nil {
		return err
	}
	if err := s.decode(s.Bytes); err != nil && !s.parseMasked() {
		return err
	}
	var errs []*Error
	strict := unstrict().Match(s.Bytes)
	for _, d := range s.Docs {
		errs = append(errs, s.checkKeys(d)...)
		if strict {
			errs = append(errs, s.checkStrict(d)...)
		}
	}
	return joinSorted(errs)
}

// isJSON tells whether a text is one JSON object or list.
func isJSON(b []byte) bool {
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte(bom)), " \t\r\n")
	return len(b) > 0 && (b[0] == '{' || b[0] == '[') && json.Valid(b)
}

// like gives the quotes that a new scalar takes from another one's: JSON has
// double ones only.
func (s *Source) like(style yaml.Style) yaml.Style {
	if s.json {
		return yaml.DoubleQuotedStyle
	}
	return style
}

// Errorf makes an error that points at a node; a nil node means the whole file.
func (s *Source) Errorf(n *yaml.Node, hint, format string, args ...any) *Error {
	e := &Error{File: s.Name, Msg: fmt.Sprintf(format, args...), Hint: hint}
	if n != nil {
		e.Line, e.Col = s.Place(n)
	}
	return e
}

func (s *Source) checkText() error {
	b := s.Bytes
	switch {
	case len(b) > MaxSize:
		return s.Errorf(nil, "", "is larger than %d MiB", MaxSize>>20)
	case aboutNodes(b) > maxNodes:
		return s.Errorf(nil, "split the file", "is too large: it holds more than %d million values", maxNodes/1_000_000)
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		return s.Errorf(nil, "convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8", "is UTF-16, not UTF-8")
	}
	if e := s.hidden(); e != nil {
		return e
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return s.Errorf(nil, "", "is binary: byte %d is NUL", i)
	}
	if utf8.Valid(b) {
		return nil
	}
	i := 0
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		i += n
	}
	line := lineStarts(b[:i])
	start := line[len(line)-1]
	return &Error{
		File: s.Name, Line: len(line), Col: utf8.RuneCount(b[start:i]) + 1,
		Msg:  fmt.Sprintf("byte 0x%02x is not UTF-8", b[i]),
		Hint: "convert it to UTF-8, for example with iconv -f LATIN1 -t UTF-8",
	}
}

// checkDirectives refuses %YAML and %TAG: they change what the text below them
// means, and the editor quotes values by the default rules.
func (s *Source) checkDirectives() error {
	prologue := true
	for i, start := range s.lines {
		line := s.Bytes[start:]
		if i == 0 {
			line = bytes.TrimPrefix(line, []byte(bom))
		}
		switch {
		case prologue && len(line) > 0 && line[0] == '%':
			return &Error{File: s.Name, Line: i + 1, Col: 1, Msg: "YAML directives are not supported", Hint: "remove the line"}
		case bytes.HasPrefix(line, []byte("...")):
			prologue = true
		case prologue && len(line) > 0 && !bytes.ContainsRune([]byte("#\r\n \t"), rune(line[0])):
			prologue = false
		}
	}
	return nil
}

func (s *Source) decode(text []byte) (err error) {
	// The parser reports syntax errors by value; anything else that it might
	// panic with on hostile input must not end the process.
	defer func() {
		if r := recover(); r != nil {
			err = s.Errorf(nil, "", "the YAML parser failed: %v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return s.parseError(err)
		}
		if len(doc.Content) == 1 && !isEmpty(doc.Content[0]) {
			s.Docs = append(s.Docs, doc.Content[0])
		}
	}
}

func isEmpty(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" && n.Value == "" && n.Anchor == ""
}

var lineInError = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^line (\d+): `) })

// parseError turns the parser's message into one that has a place.
func (s *Source) parseError(err error) error {
	msg := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", " ")
	e := &Error{File: s.Name, Line: 1, Col: 1, Msg: msg}
	if m := lineInError().FindStringSubmatch(msg); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		e.Msg = msg[len(m[0]):]
	}
	if i := s.template(); i >= 0 {
		return s.templateError(i)
	}
	e.Msg = "not valid YAML: " + e.Msg
	return e
}

// template gives the offset of the first "{{" that is in no comment line, or -1.
func (s *Source) template() int {
	for _, start := range s.lines {
		line := s.Bytes[start:s.lineEnd(start)]
		if i := bytes.Index(line, []byte("{{")); i >= 0 && !bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("#")) {
			return start + i
		}
	}
	return -1
}

func (s *Source) templateError(off int) *Error {
	line, col := s.position(off)
	return &Error{
		File: s.Name, Line: line, Col: col, Msg: "looks like a template ({{), not like YAML",
		Hint: "promote the values that the template is rendered with",
	}
}

// checkKeys finds duplicate keys, and keys that only a template makes: "{{ x }}"
// is, to a YAML parser, a mapping whose key is a mapping.
func (s *Source) checkKeys(n *yaml.Node) []*Error {
	var errs []*Error
	if n.Kind == yaml.MappingNode {
		var large map[string]*yaml.Node
		if len(n.Content) > 32 {
			large = make(map[string]*yaml.Node, len(n.Content)/2)
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			if k.Kind == yaml.MappingNode && k.Style&yaml.FlowStyle != 0 {
				return append(errs, s.templateError(s.offset(n.Line, n.Column)))
			}
			if k.Kind != yaml.ScalarNode {
				continue
			}
			if first := earlierKey(n, i, large); first != nil {
				errs = append(errs, s.Errorf(k, "remove one of them", "duplicate key %q, first at line %d", k.Value, first.Line))
			}
		}
	}
	for _, c := range n.Content {
		if len(c.Content) > 0 {
			errs = append(errs, s.checkKeys(c)...)
		}
	}
	return errs
}

// earlierKey gives the key before index i that equals the one at i. Small
// mappings are scanned; large ones are remembered in seen.
func earlierKey(m *yaml.Node, i int, seen map[string]*yaml.Node) *yaml.Node {
	k := m.Content[i]
	if seen != nil {
		if first := seen[k.Value]; first != nil {
			return first
		}
		seen[k.Value] = k
		return nil
	}
	for j := 0; j < i; j += 2 {
		if o := m.Content[j]; o.Kind == yaml.ScalarNode && o.Value == k.Value {
			return o
		}
	}
	return nil
}

// lineStarts lists the offsets at which lines begin, by the parser's idea of a
// line break: LF, CR, CRLF, NEL, LS and PS.
func lineStarts(b []byte) []int {
	starts := make([]int, 1, len(b)/24+2)
	for i := 0; i < len(b); i++ {
		if n := breakLen(b, i); n > 0 {
			i += n - 1
			starts = append(starts, i+1)
		}
	}
	return starts
}

// breakLen gives the length of the line break at i, or 0.
func breakLen(b []byte, i int) int {
	switch b[i] {
	case '\n':
		return 1
	case '\r':
		if i+1 < len(b) && b[i+1] == '\n' {
			return 2
		}
		return 1
	case 0xc2:
		if i+1 < len(b) && b[i+1] == 0x85 {
			return 2
		}
	case 0xe2:
		if i+2 < len(b) && b[i+1] == 0x80 && (b[i+2] == 0xa8 || b[i+2] == 0xa9) {
			return 3
		}
	}
	return 0
}

// offset turns the parser's line and column, which count characters from 1 and
// do not count a byte order mark, into a byte offset.
func (s *Source) offset(line, col int) int {
	if line < 1 || line > len(s.lines) {
		return len(s.Bytes)
	}
	off := s.lines[line-1]
	if line == 1 && bytes.HasPrefix(s.Bytes, []byte(bom)) {
		off += len(bom)
	}
	off, col = s.marks.skip(line, off, col)
	for ; col > 1 && off < len(s.Bytes); col-- {
		if s.Bytes[off] < utf8.RuneSelf {
			off++
			continue
		}
		_, n := utf8.DecodeRune(s.Bytes[off:])
		off += n
	}
	return off
}

// aboutNodes gives a bound of how many nodes a text has, by what stands between
// them. What is in comments and block scalars counts as well.
func aboutNodes(b []byte) int {
	n := 0
	for i, c := range b {
		switch c {
		case '\n', ',', '[', '{':
			n++
		case ':', '-':
			if i+1 == len(b) || isBlank(b[i+1]) || b[i+1] == '"' {
				n++
			}
		}
	}
	return n
}

// markEvery is how many characters lie between two marks in a long line.
const markEvery = 512

// marks are the offsets of every so many characters in lines that are long, by the
// line's number: JSON is often one line, and to count along it for each value would
// take the square of its length.
type marks map[int][]int

func markLines(b []byte, lines []int) marks {
	var m marks
	for i, start := range lines {
		end := len(b)
		if i+1 < len(lines) {
			end = lines[i+1]
		}
		if end-start <= 2*markEvery {
			continue
		}
		if i == 0 && bytes.HasPrefix(b, []byte(bom)) {
			start += len(bom)
		}
		var at []int
		for n := 0; start < end; n++ {
			if n%markEvery == 0 {
				at = append(at, start)
			}
			if b[start] < utf8.RuneSelf {
				start++
				continue
			}
			_, size := utf8.DecodeRune(b[start:])
			start += size
		}
		if m == nil {
			m = make(marks)
		}
		m[i+1] = at
	}
	return m
}

// skip goes from the start of a line to the last mark before a column, and gives the
// offset there and the column counted from it.
func (m marks) skip(line, off, col int) (int, int) {
	at := m[line]
	if len(at) == 0 || col <= markEvery {
		return off, col
	}
	n := min((col-1)/markEvery, len(at)-1)
	return at[n], col - n*markEvery
}

// position is the reverse of offset.
func (s *Source) position(off int) (line, col int) {
	line = sort.SearchInts(s.lines, off+1)
	start := s.lines[line-1]
	if line == 1 && bytes.HasPrefix(s.Bytes, []byte(bom)) && off >= len(bom) {
		start += len(bom)
	}
	return line, utf8.RuneCount(s.Bytes[start:off]) + 1
}

// lineStart gives the offset of the first byte of the line that holds off.
func (s *Source) lineStart(off int) int {
	return s.lines[sort.SearchInts(s.lines, off+1)-1]
}

// lineEnd gives the offset of the line break that ends the line holding off, or
// the end of the text.
func (s *Source) lineEnd(off int) int {
	for off < len(s.Bytes) && breakLen(s.Bytes, off) == 0 {
		off++
	}
	return off
}

// lineBreak gives the line break to write beside the line that ends at end: its
// own, or the one before it, or LF in a text of one line.
func (s *Source) lineBreak(end int) string {
	if end < len(s.Bytes) {
		if n := breakLen(s.Bytes, end); n > 0 {
			return string(s.Bytes[end : end+n])
		}
	}
	if start := s.lineStart(end); start > 0 {
		prev := s.lineEnd(s.lineStart(start - 1))
		return string(s.Bytes[prev:start])
	}
	return "\n"
}
