package syntax

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// The parser knows YAML 1.1. Three things that YAML 1.2 and JSON have are hidden
// from it behind others of the same width, so that all places stay, and put back
// into the nodes: \/ in quotes, a pair of surrogates (\ud83d\ude00) in JSON, and a
// tab in the blank lines that begin a literal block scalar.
type mask struct {
	text                []byte
	slash, filler, tab  string // as written in the text; "" where not used
	slashRune, fillRune string // what the parser makes of them
}

// standIns are escapes that hardly any text has, and what they mean.
var standIns = [][2]string{{`\a`, "\a"}, {`\v`, "\v"}, {`\e`, "\x1b"}, {`\f`, "\f"}, {`\b`, "\b"}}

// newMask gives the text to be parsed in place of one that the parser has refused;
// nil where there is nothing to hide.
func newMask(s *Source) *mask {
	m := &mask{text: s.Bytes}
	var free [][2]string
	for _, e := range standIns {
		code := fmt.Sprintf("%02x", e[1][0])
		lower := bytes.ToLower(s.Bytes)
		if !bytes.Contains(s.Bytes, []byte(e[0])) && !bytes.Contains(lower, []byte(`\x`+code)) && !bytes.Contains(lower, []byte("00"+code)) {
			free = append(free, e)
		}
	}
	if s.json && len(free) > 1 {
		m.filler, m.fillRune = free[1][0], free[1][1]
		m.text = m.surrogates(m.text)
	}
	if len(free) > 0 && bytes.Contains(m.text, []byte(`\/`)) {
		m.slash, m.slashRune = free[0][0], free[0][1]
		m.text = bytes.ReplaceAll(m.text, []byte(`\/`), []byte(m.slash))
	}
	if !s.json {
		m.tabs(s)
	}
	if bytes.Equal(m.text, s.Bytes) {
		return nil
	}
	return m
}

// surrogates writes pairs of them as one escape and a filler.
func (m *mask) surrogates(b []byte) []byte {
	var out []byte
	for i := 0; i < len(b); {
		if b[i] != '\\' || i+1 >= len(b) {
			out = append(out, b[i])
			i++
			continue
		}
		if r := pair(b[i:]); r > 0 {
			out = fmt.Appendf(out, `\U%08x%s`, r, m.filler)
			i += 12
			continue
		}
		out = append(out, b[i], b[i+1])
		i += 2
	}
	return out
}

// pair reads two escaped surrogates; 0 where a text begins otherwise.
func pair(b []byte) rune {
	if len(b) < 12 || b[1] != 'u' || b[6] != '\\' || b[7] != 'u' {
		return 0
	}
	high, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	low, err2 := strconv.ParseUint(string(b[8:12]), 16, 16)
	if err != nil || err2 != nil || high>>10 != 0xd800>>10 || low>>10 != 0xdc00>>10 {
		return 0
	}
	return rune((high-0xd800)<<10|(low-0xdc00)) + 0x10000
}

var literalHeader = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(^|[\s:-])\|[-+0-9]*[ \t]*(#.*)?$`) })

// tabs hides those in the blank lines that begin a literal block scalar.
func (m *mask) tabs(s *Source) {
	tab := string(rune(0xe0f0))
	if !bytes.Contains(s.Bytes, []byte("\t")) || bytes.Contains(s.Bytes, []byte(tab)) || !utf8.Valid(s.Bytes) {
		return
	}
	lines, head, changed := bytes.SplitAfter(m.text, []byte("\n")), false, false
	for i, line := range lines {
		text := bytes.TrimRight(line, "\r\n")
		if head && len(bytes.Trim(text, " \t")) == 0 {
			if bytes.HasPrefix(text, []byte(" ")) && bytes.ContainsRune(text, '\t') {
				lines[i], changed = bytes.ReplaceAll(line, []byte("\t"), []byte(tab)), true
			}
			continue
		}
		head = literalHeader().Match(text)
	}
	if changed {
		m.tab, m.text = tab, bytes.Join(lines, nil)
	}
}

// restore puts what was hidden back; false where it stands somewhere else than it
// was meant for.
func (m *mask) restore(n *yaml.Node) bool {
	literal := n.Style&yaml.LiteralStyle != 0
	for _, text := range []*string{&n.Value, &n.HeadComment, &n.LineComment, &n.FootComment} {
		if m.slash != "" {
			*text = strings.ReplaceAll(*text, m.slash, `\/`)
		}
	}
	if n.Style&yaml.DoubleQuotedStyle != 0 {
		if m.slash != "" {
			n.Value = strings.ReplaceAll(n.Value, m.slashRune, "/")
		}
		if m.filler != "" {
			n.Value = strings.ReplaceAll(n.Value, m.fillRune, "")
		}
	}
	if m.tab != "" && strings.Contains(n.Value, m.tab) {
		if !literal {
			return false
		}
		n.Value = strings.ReplaceAll(n.Value, m.tab, "\t")
	}
	for _, c := range n.Content {
		if !m.restore(c) {
			return false
		}
	}
	return true
}

// parseMasked parses a text that the parser has refused, with what it does not know
// hidden; false where that does not help.
func (s *Source) parseMasked() bool {
	m := newMask(s)
	if m == nil {
		return false
	}
	s.Docs = nil
	if s.decode(m.text) != nil {
		return false
	}
	for _, d := range s.Docs {
		if !m.restore(d) {
			return false
		}
	}
	return true
}

// checkStrict refuses what the parser takes and YAML has not: \' in double quotes,
// and a comment without a space before it behind the header of a block scalar.
func (s *Source) checkStrict(n *yaml.Node) []*Error {
	var errs []*Error
	if n.Kind == yaml.ScalarNode && n.Style&(yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		start := s.skipProperties(s.offset(n.Line, n.Column))
		switch {
		case n.Style&yaml.DoubleQuotedStyle != 0:
			text := s.Bytes[start:max(start, s.endOfDoubleQuoted(start))]
			for i := 0; i+1 < len(text); i++ {
				if text[i] != '\\' {
					continue
				}
				if text[i+1] == '\'' {
					errs = append(errs, s.Errorf(n, `write ' without the backslash`, `not valid YAML: \' is no escape`))
					break
				}
				i++
			}
		default:
			header := s.Bytes[start:s.lineEnd(start)]
			if i := bytes.IndexByte(header, '#'); i > 0 && !isBlank(header[i-1]) {
				errs = append(errs, s.Errorf(n, "write a space before the #", "not valid YAML: no space before the comment"))
			}
		}
	}
	for _, c := range n.Content {
		errs = append(errs, s.checkStrict(c)...)
	}
	return errs
}

// mayBeLax tells whether a text may have what the parser takes and others do not: \' in a
// string, or a # right behind the header of a block. It is asked of every file, and a regular
// expression took as long as parsing it.
func mayBeLax(b []byte) bool {
	if bytes.Contains(b, []byte(`\'`)) {
		return true
	}
	for at := 0; ; at++ {
		n := bytes.IndexByte(b[at:], '#')
		if n < 0 {
			return false
		}
		at += n
		header := bytes.TrimRight(b[max(0, at-maxHeader):at], "-+0123456789")
		if len(header) > 0 && (header[len(header)-1] == '|' || header[len(header)-1] == '>') || len(header) == 0 && at >= maxHeader {
			return true
		}
	}
}

// maxHeader is how far back from a # the header of a block is looked for.
const maxHeader = 64
