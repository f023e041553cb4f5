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
	room   int // for lines, as it was drawn last
	status int
	do     *Line // what a yes runs; nil where there is nothing to confirm

	compares bool // and 1 is no failure
}

func (p *paper) take(text string) {
	p.lines = strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\t", "        "), "\n"), "\n")
	for n, line := range p.lines {
		p.lines[n] = plain(line)
	}
}

func (m *Model) drawPaper() []string {
	p := m.paper
	said, help := outcome("", p.status), "esc back"
	if compared := map[int]string{0: "no difference", 1: "there is a difference", 2: "failed"}[p.status]; p.compares && compared != "" {
		said = compared
	}
	if p.do != nil {
		said, help = bold+"y: "+m.config.Typed(*p.do)+normal, "y carry it out · "+help
	}
	const more = "arrows, space: more · "
	footer := len(m.footer(said, more+more+help)) // with the numbers of lines it is no longer
	var lines []string
	for _, t := range p.typed {
		lines = append(lines, strings.Split(m.wrap(bold+"$ "+t+normal), "\n")...)
	}
	text := strings.Split(ansi.Hardwrap(strings.Join(p.lines, "\n"), m.width, true), "\n")
	if len(lines) > m.height/3 { // they would leave no room for what is said
		lines, text = nil, append(lines, text...)
	}
	room := max(1, m.height-len(lines)-footer)
	p.room = room
	p.top = max(0, min(p.top, len(text)-room))
	last := min(len(text), p.top+room)
	lines = append(lines, text[p.top:last]...)
	if len(text) > room {
		help = fmt.Sprintf("%d–%d of %d lines · ", p.top+1, last, len(text)) + more + help
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
