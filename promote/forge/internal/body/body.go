// Package body fits the text of a pull request into what a forge takes.
package body

import "strings"

// Fitting is what a forge does to a text.
type Fitting struct {
	// Limit is the most bytes that it takes.
	Limit int
	// Commands tells that it carries out lines that begin with a slash.
	Commands bool
}

// Join puts a footer behind a body. Where both are too long together, the body is cut at
// the end of a line, what it left open is closed, and a note says so.
func (f Fitting) Join(body, footer string) string {
	body, footer = f.Inert(body), f.Inert(footer)
	if footer != "" {
		footer = "\n\n" + strings.Trim(footer, "\n") + "\n"
	}
	limit := f.Limit
	if len(body)+len(footer) <= limit {
		return strings.TrimRight(body, "\n") + footer
	}
	const note = "\n\n_The rest is left out: it is longer than the forge takes._"
	room := max(limit-len(footer)-len(note)-len("\n```\n"), 0)
	for {
		cut := body[:min(room, len(body))]
		if i := strings.LastIndexByte(cut, '\n'); i >= 0 {
			cut = cut[:i]
		} else {
			cut = strings.ToValidUTF8(cut, "")
		}
		closing := closeOpen(cut)
		if over := len(cut) + len(closing) + len(note) + len(footer) - limit; over > 0 && len(cut) > 0 {
			room = max(len(cut)-over, 0)
			continue
		}
		return strings.TrimRight(cut, "\n") + closing + note + footer
	}
}

// closeOpen closes what a text that was cut left open.
func closeOpen(text string) string {
	fence, details := "", 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if mark := line[:len(line)-len(strings.TrimLeft(line, "`"))]; len(mark) >= 3 {
			if fence == "" {
				fence = mark
			} else if len(mark) >= len(fence) {
				fence = ""
			}
			continue
		}
		if fence == "" {
			details = max(details+strings.Count(line, "<details")-strings.Count(line, "</details>"), 0)
		}
	}
	var b strings.Builder
	if fence != "" {
		b.WriteString("\n" + fence)
	}
	b.WriteString(strings.Repeat("\n</details>", min(details, 20)))
	return b.String()
}

// Inert keeps text from being carried out.
func (f Fitting) Inert(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "")
	if !f.Commands || !strings.Contains(text, "/") {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		at := len(line) - len(strings.TrimLeft(line, " \t\r\v\f"))
		if rest := line[at:]; len(rest) > 1 && rest[0] == '/' && isLetter(rest[1]) {
			line = line[:at] + `\` + rest
		}
		b.WriteString(line)
	}
	return b.String()
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
