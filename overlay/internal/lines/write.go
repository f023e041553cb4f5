package lines

import (
	"bytes"
	"strings"
)

// forShells are what a value may not hold that a shell reads without quotes.
const forShells = " \t;&|<>()$`\\\"'*?[]{}~!#"

// Quoted gives a value as it is written in place of an entry's: between the quotes
// that stand there, or, in an Env, between others where it needs some; false where it
// cannot stand there. It has no line break.
func (e Entry) Quoted(value string, d Dialect) (text string, quote byte, ok bool) {
	quotes := []byte{e.Quote}
	if d == Env {
		quotes = append(quotes, '"', '\'')
	}
	for i, q := range quotes {
		switch {
		case q == 0 && e.export && strings.ContainsAny(value, forShells):
		case i > 0 && q == '"' && strings.ContainsAny(value, "$`\\"): // it would be another text
		case fits(value, q, d):
			return between(value, q), q, true
		}
	}
	return "", 0, false
}

func between(value string, quote byte) string {
	if quote == 0 {
		return value
	}
	return string(quote) + value + string(quote)
}

// fits tells whether a value is read again as it is written.
func fits(value string, quote byte, d Dialect) bool {
	text := "K=" + between(value, quote) + "\nL=l"
	all := Parse([]byte(text), d)
	return len(all) == 2 && all[0].Quote == quote && !all[0].Several && text[all[0].Start:all[0].End] == value && !strings.ContainsAny(value, breaks)
}

// Append gives the line that adds a key at the end of a text, in the form of the last
// entry there, with the line breaks that it needs; false where the key or the value
// cannot be written.
func Append(text []byte, d Dialect, key, value string) (string, bool) {
	last := Entry{between: "="}
	if all := Parse(text, d); len(all) > 0 {
		last = all[len(all)-1]
	}
	written, _, ok := last.Quoted(value, d)
	line := key + last.between + written
	if last.export {
		line = "export " + line
	}
	if all := Parse([]byte(line), d); !ok || len(all) != 1 || all[0].Key != key {
		return "", false
	}
	eol := "\n"
	if i := bytes.IndexAny(text, breaks); i >= 0 {
		eol = string(text[i : i+1])
		if bytes.HasPrefix(text[i:], []byte("\r\n")) {
			eol = "\r\n"
		}
	}
	if n := len(text); n > 0 && strings.IndexByte(breaks, text[n-1]) < 0 {
		return eol + line, true
	}
	return line + eol, true
}
