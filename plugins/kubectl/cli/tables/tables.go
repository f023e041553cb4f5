// Package tables lays out what commands print for people: rows as a table that fits a
// terminal and is coloured there, differences in red and green; and it makes of lists what
// kubectl makes of them: columns of one's own, and items sorted by a field.
package tables

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// Style is how a table is shown. The zero value is that of files and pipes: whole, and
// without colour.
type Style struct {
	// Width is the terminal's; zero where there is none, and nothing is shortened.
	Width int
	// Color has verdicts stand out.
	Color bool
	// NoHeadings leaves out the first row.
	NoHeadings bool
}

const (
	gap = 2
	// leastShown is how much is left of a word at least.
	leastShown = 12
)

// Write prints rows with aligned columns, two spaces apart, without trailing spaces. The
// first row is the heading.
func Write(w io.Writer, rows [][]string, s Style) error {
	heading := len(rows) > 0
	if heading && s.NoHeadings {
		rows, heading = rows[1:], false
	}
	widths := fit(rows, s.Width)
	var b bytes.Buffer
	for n, row := range rows {
		var line strings.Builder
		blanks := 0
		for i, cell := range row {
			if cell = shorten(cell, widths[i]); cell != "" {
				line.WriteString(strings.Repeat(" ", blanks))
				line.WriteString(s.paint(cell, i, heading && n == 0))
				blanks = 0
			}
			blanks += max(widths[i]-Width(cell), 0) + gap
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

// fit gives the width of each column. Where the table is wider than the terminal, the
// widest of those with long words give way; sentences do not, as a terminal wraps them.
func fit(rows [][]string, width int) []int {
	var widths, least []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths, least = append(widths, 0), append(least, 0)
			}
			n := Width(cell)
			widths[i] = max(widths[i], n)
			if strings.Contains(cell, " ") {
				least[i] = max(least[i], n)
			} else {
				least[i] = max(least[i], min(n, leastShown))
			}
		}
	}
	over := gap*(len(widths)-1) - width
	for _, n := range widths {
		over += n
	}
	for ; width > 0 && over > 0; over-- {
		widest := -1
		for i, n := range widths {
			if n > least[i] && (widest < 0 || n > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

// shorten leaves out the middle of a word: what begins a reference or a path tells less
// than what ends it, and a name more than either.
func shorten(word string, width int) string {
	all := Width(word)
	if all <= width || width < leastShown {
		return word
	}
	head := ansi.Truncate(word, (width-1)/3, "")
	tail := ansi.TruncateLeft(word, all-(width-1-(width-1)/3), "")
	return head + "…" + tail
}

// Width is how many columns a text takes on a terminal: those of East Asia take two each.
func Width(text string) int {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return ansi.StringWidth(text)
		}
	}
	return len(text)
}

// The colours.
const (
	Red     = "\x1b[31m"
	Green   = "\x1b[32m"
	Yellow  = "\x1b[33m"
	Magenta = "\x1b[35m"
	Cyan    = "\x1b[36m"
	Bold    = "\x1b[1m"
	Dim     = "\x1b[2m"
	Normal  = "\x1b[0m"
)

// words are those that answer something, in the colours of the three answers.
var words = map[string]string{
	"pass": Green, "verified": Green, "written": Green, "committed": Green, "pushed": Green, "proposed": Green, "approved": Green, "counts": Green,
	"fail": Red, "failed": Red, "refused": Red, "rejected": Red, "missing": Red,
	"wait": Yellow, "waiting": Yellow, "held back": Yellow, "warned": Yellow, "would change": Yellow, "expired": Yellow,
	"unknown": Magenta,
}

// paint colours a cell: the heading, and what answers something. The first column has
// names alone.
func (s Style) paint(cell string, column int, heading bool) string {
	first, rest, _ := strings.Cut(cell, " ")
	switch {
	case !s.Color:
		return cell
	case heading:
		return Bold + cell + Normal
	case column == 0:
		return cell
	case words[cell] != "":
		return words[cell] + cell + Normal
	case rest == "held" || strings.HasPrefix(rest, "held "): // which nobody is to promote
		return Cyan + cell + Normal
	case strings.HasSuffix(first, "*"):
		return Yellow + cell + Normal
	case cell == "-":
		return Dim + cell + Normal
	}
	return cell
}

// Difference colours a unified difference.
func Difference(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, end := strings.CutSuffix(line, "\n")
		color := ""
		switch {
		case strings.HasPrefix(line, "+++ "), strings.HasPrefix(line, "--- "):
			color = Bold
		case strings.HasPrefix(line, "+"):
			color = Green
		case strings.HasPrefix(line, "-"):
			color = Red
		case strings.HasPrefix(line, "@@"):
			color = Cyan
		}
		if color != "" {
			line = color + line + Normal
		}
		if b.WriteString(line); end {
			b.WriteByte('\n')
		}
	}
	return b.String()
}
