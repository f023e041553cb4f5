// Package lines reads texts of one KEY=VALUE on each line: .env files of all who
// read such ones, and Java's properties.
//
// What differs between the readers is left as it stands: escapes and variables are
// not read, so a value is what stands in the text, between its quotes if it has any.
package lines

import (
	"bytes"
	"strings"
)

// Dialect tells what the readers do not agree on.
type Dialect int

// The dialects. In Env, "export" may stand before a key, a comment may follow a
// value, and values in quotes may go on over lines. In Properties a key ends at "=",
// ":" or a blank, and all that is behind it belongs to the value.
const (
	Env Dialect = iota
	Properties
)

// Entry is a key with its value.
type Entry struct {
	Key string
	At  int // of the key in the text
	// Start and End are those of the value, without quotes.
	Start, End int
	Quote      byte // around the value; 0 for none
	// Several tells that the value goes on over lines.
	Several bool

	export  bool
	between string // key and value, such as " = "
}

const (
	blanks = " \t\f"
	breaks = "\r\n"
)

// Starts gives the offsets at which lines begin.
func Starts(text []byte) []int {
	starts := []int{0}
	for i, c := range text {
		if c == '\n' || c == '\r' && (i+1 == len(text) || text[i+1] != '\n') {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// Parse lists the entries of a text. Lines that are neither entries nor comments are
// passed over, as all readers do.
func Parse(text []byte, d Dialect) []Entry {
	r := &reader{text: text, dialect: d}
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		r.at = 3
	}
	var out []Entry
	for r.at < len(text) {
		if e, ok := r.entry(); ok {
			out = append(out, e)
		}
		r.at = r.lineEnd(r.at)
		for n := 0; r.at < len(text) && n < 2 && strings.IndexByte(breaks, text[r.at]) >= 0; n++ {
			r.at++
			if text[r.at-1] == '\n' {
				break
			}
		}
	}
	return out
}

type reader struct {
	text    []byte
	dialect Dialect
	at      int
}

// skip steps over bytes of a set.
func (r *reader) skip(set string) {
	for r.at < len(r.text) && strings.IndexByte(set, r.text[r.at]) >= 0 {
		r.at++
	}
}

func (r *reader) lineEnd(from int) int {
	if i := bytes.IndexAny(r.text[from:], breaks); i >= 0 {
		return from + i
	}
	return len(r.text)
}

// entry reads the line at hand, and those on which its value goes on; false where it
// has none.
func (r *reader) entry() (Entry, bool) {
	r.skip(blanks)
	comment := "#"
	if r.dialect == Properties {
		comment = "#!"
	}
	if end := r.lineEnd(r.at); r.at == end || strings.IndexByte(comment, r.text[r.at]) >= 0 {
		return Entry{}, false
	}
	e := Entry{}
	if rest, ok := bytes.CutPrefix(r.text[r.at:], []byte("export")); ok && r.dialect == Env && len(rest) > 0 && strings.IndexByte(blanks, rest[0]) >= 0 {
		e.export = true
		r.at += len("export")
		r.skip(blanks)
	}
	e.At = r.at
	r.key()
	e.Key = string(r.text[e.At:r.at])
	behind := r.at
	if e.Key == "" || !r.separator() {
		return Entry{}, false
	}
	e.between = string(r.text[behind:r.at])
	r.value(&e)
	return e, true
}

func (r *reader) key() {
	for end := r.lineEnd(r.at); r.at < end; r.at++ {
		switch c := r.text[r.at]; {
		case r.dialect == Env && !isWord(c):
			return
		case r.dialect == Env:
		case c == '\\' && r.at+1 < end:
			r.at++
		case c == '=' || c == ':' || strings.IndexByte(blanks, c) >= 0:
			return
		}
	}
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.-", c) >= 0
}

// separator steps over what stands between key and value; false where the line has
// no value.
func (r *reader) separator() bool {
	from := r.at
	r.skip(blanks)
	end := r.lineEnd(r.at)
	switch {
	case r.at < end && r.text[r.at] == '=':
		r.at++
	case r.at < end && r.text[r.at] == ':' && (r.dialect == Properties || r.at+1 == end || strings.IndexByte(blanks, r.text[r.at+1]) >= 0):
		r.at++
	case r.dialect == Env || r.at == end || r.at == from:
		return false
	}
	r.skip(blanks)
	return true
}

// value reads what stands behind the separator.
func (r *reader) value(e *Entry) {
	if r.quoted(e) {
		return
	}
	e.Start = r.at
	end := r.lineEnd(r.at)
	if r.dialect == Env {
		for i := max(r.at, 1); i < end; i++ {
			if r.text[i] == '#' && strings.IndexByte(blanks, r.text[i-1]) >= 0 {
				e.End = i
				break
			}
		}
	}
	if e.End > 0 {
		r.at = end
		e.End = e.Start + len(bytes.TrimRight(r.text[e.Start:e.End], blanks))
		return
	}
	for r.continues(e.Start, end) && end < len(r.text) {
		e.Several = true
		next := end + 1
		if r.text[end] == '\r' && next < len(r.text) && r.text[next] == '\n' {
			next++
		}
		end = r.lineEnd(next)
	}
	r.at, e.End = end, end
	if r.dialect == Env {
		e.End = e.Start + len(bytes.TrimRight(r.text[e.Start:end], blanks))
	}
}

// continues tells whether a line ends in a backslash that no other one escapes.
func (r *reader) continues(start, end int) bool {
	n := 0
	for end-n > start && r.text[end-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}

// quoted reads a value in quotes; false where it is in none, as in a"b"c.
func (r *reader) quoted(e *Entry) bool {
	if r.at == len(r.text) || r.text[r.at] != '"' && r.text[r.at] != '\'' {
		return false
	}
	quote, several := r.text[r.at], false
	for i := r.at + 1; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case strings.IndexByte(breaks, c) >= 0 && r.dialect == Properties:
			return false
		case strings.IndexByte(breaks, c) >= 0:
			several = true
		case c == '\\' && quote == '"':
			i++
			several = several || i < len(r.text) && strings.IndexByte(breaks, r.text[i]) >= 0
		case c == quote:
			rest := bytes.TrimLeft(r.text[i+1:r.lineEnd(i)], blanks)
			if len(rest) > 0 && (rest[0] != '#' || r.dialect == Properties || len(rest) == r.lineEnd(i)-i-1) {
				return false
			}
			e.Start, e.End, e.Quote, e.Several = r.at+1, i, quote, several
			r.at = r.lineEnd(i)
			return true
		}
	}
	return false
}
