package verify

import (
	"strconv"
	"strings"
	"unicode"
)

const (
	maxText    = 200  // text from outside that is part of a message
	maxMessage = 1000 // a message with names of images in it
)

// oneLine makes text that came from outside fit for a one-line message: no
// control characters, which could move a terminal's cursor, and not too long.
func oneLine(s string) string { return clean(s, maxText) }

func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "…"
	}
	return s
}

// quoted is oneLine for text whose limits must be seen.
func quoted(s string) string { return strconv.Quote(oneLine(s)) }
