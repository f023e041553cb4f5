package screen

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// paper is what the command lines of an action have said.
type paper struct {
	typed  []string // the command lines
	line   Line     // the one that is shown
	lines  []string
	top    int
	status int
	do     *Line // what a yes runs; nil where there is nothing to confirm
}

func (p *paper) take(text string) {
	p.lines = strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\t", "        "), "\n"), "\n")
	for n, line := range p.lines {
		p.lines[n] = plain(line)
	}
}

func (m *Model) drawPaper() []string {
	p := m.paper
	var lines []string
	for _, t := range p.typed {
		lines = append(lines, strings.Split(m.wrap(bold+"$ "+t+normal), "\n")...)
	}
	room := max(1, m.height-len(lines)-3)
	wrapped := strings.Split(ansi.Hardwrap(strings.Join(p.lines, "\n"), m.width, true), "\n")
	p.top = max(0, min(p.top, len(wrapped)-room))
	last := min(len(wrapped), p.top+room)
	lines = append(lines, wrapped[p.top:last]...)
	help := "esc back"
	if len(wrapped) > room {
		help = fmt.Sprintf("%d–%d of %d lines · arrows, space: more · esc back", p.top+1, last, len(wrapped))
	}
	said := outcome("", p.status)
	if p.do != nil {
		said, help = bold+"y: "+m.config.Typed(*p.do)+normal, "y carry it out · "+help
	}
	return m.fill(lines, m.footer(said, help))
}

// outcome says what an exit status means.
func outcome(typed string, status int) string {
	text := map[int]string{0: "done", 1: "failed", 2: "usage error", 3: "refused", 4: "waiting", 5: "unknown: it could not be decided", 130: "interrupted"}[status]
	if text == "" {
		text = fmt.Sprintf("exit status %d", status)
	}
	if typed == "" {
		return text
	}
	return text + ": " + typed
}
