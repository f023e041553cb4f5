package body

import (
	"strings"
	"unicode/utf8"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// titleLimit is the most characters of a title that all forges take.
const titleLimit = 250

// Title makes one line of a title that every forge takes.
func Title(title string) string {
	title = strings.Join(strings.Fields(fault.Printable(title)), " ")
	if utf8.RuneCountInString(title) <= titleLimit {
		return title
	}
	return string([]rune(title)[:titleLimit-1]) + "…"
}
