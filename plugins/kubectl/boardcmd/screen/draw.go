package screen

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// The looks of what is drawn.
const (
	bold    = "\x1b[1m"
	dim     = "\x1b[2m"
	inverse = "\x1b[7m"
	normal  = "\x1b[0m"
)

var colors = map[State]string{None: dim, Behind: "\x1b[33m", Held: "\x1b[36m", Unsure: "\x1b[35m", Failed: "\x1b[31m"}

const (
	gap = 2
	// leastColumn is how narrow a column of environments gets; then some are left out.
	leastColumn = 10
)

// View implements [tea.Model].
func (m *Model) View() tea.View {
	var lines []string
	if m.paper != nil {
		lines = m.drawPaper()
	} else {
		lines = m.drawBoard()
	}
	for n, l := range lines {
		lines[n] = ansi.Truncate(plain(l), m.width, "…")
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen = true
	if m.board != nil {
		v.WindowTitle = fault.Printable(m.board.Title) + ": board"
	}
	return v
}

// rows is how many rows of services there is room for, between two lines above and the footer.
func (m *Model) rows() int { return max(1, m.height-2-len(m.footer(m.said, m.help()))) }

func (m *Model) drawBoard() []string {
	if m.board == nil {
		return m.fill([]string{m.busy}, m.footer("", "q leave"))
	}
	lines := []string{m.title()}
	m.top = max(min(m.top, m.row, len(m.shown)-m.rows()), m.row-m.rows()+1, 0)
	last := min(len(m.shown), m.top+m.rows())
	first, widths, detail := m.columns(m.top, last)
	heading := pad("SERVICE", widths[0])
	for n := 1; n < len(widths); n++ {
		e := m.board.Environments[first+n-1]
		heading += strings.Repeat(" ", gap) + pad(e.heading(), widths[n])
	}
	lines = append(lines, bold+heading+normal)
	if len(m.board.Rows) == 0 {
		lines = append(lines, strings.Split(m.wrap(m.board.Empty), "\n")...)
	}
	for n := m.top; n < last; n++ {
		r := m.board.Rows[m.shown[n]]
		line := pad(r.Service, widths[0])
		for w := 1; w < len(widths); w++ {
			c := r.Cells[first+w-1]
			look := colors[c.State]
			if n == m.row && first+w-1 == m.column {
				look += inverse
			}
			line += strings.Repeat(" ", gap) + look + pad(c.text(detail), widths[w])
			if look != "" {
				line += normal
			}
		}
		lines = append(lines, line)
	}
	return m.fill(lines, m.footer(m.said, m.help()))
}

func (m *Model) title() string {
	text := bold + m.board.Title + normal
	all, what := len(m.board.Rows), "services"
	if all == 1 {
		what = "service"
	}
	if len(m.shown) == all {
		text += fmt.Sprintf("  %d %s", all, what)
	} else {
		text += fmt.Sprintf("  %d of %d %s", len(m.shown), all, what)
	}
	if m.filter != "" {
		text += "  filter: " + m.filter
	}
	if m.behind {
		text += "  behind only"
	}
	return text
}

func (m *Model) help() string {
	var keys []string
	for _, a := range m.config.Actions {
		keys = append(keys, a.Key+" "+a.Label)
	}
	return strings.Join(append(keys, "/ filter", "b behind", "u read again", "q leave"), " · ")
}

// footer is what stands below: what is typed or was said, and the keys.
func (m *Model) footer(said, help string) []string {
	switch {
	case m.prompt != nil:
		said, help = bold+m.prompt.asks+": "+normal+m.prompt.text+inverse+" "+normal, "enter take it · esc leave it"
	case m.stop != nil:
		said, help = m.busy+" …", "esc give it up"
	case m.failed != nil:
		said = "\x1b[31m" + fault.OneLine(strings.ReplaceAll(m.failed.Error(), "\n", "; ")) + normal
	case m.busy != "":
		said = m.busy + " …"
	}
	most := max(2, m.height/2) // the rest is for what is worked at
	lines := strings.Split(m.wrap(said), "\n")
	if over := len(lines) - (most - 1); over > 0 && m.prompt != nil {
		lines = lines[over:] // what is being typed stands at the end
	}
	lines = lines[:min(len(lines), most-1)]
	for line := range strings.SplitSeq(ansi.Wordwrap(help, m.width, "·"), "\n") {
		if len(lines) < most {
			lines = append(lines, dim+line+normal)
		}
	}
	if len(lines) < most {
		lines = slices.Insert(lines, 0, "")
	}
	return lines
}

// fill puts the footer at the bottom, whatever there is no room for above it: it says what a
// yes does.
func (m *Model) fill(lines, footer []string) []string {
	lines = lines[:min(len(lines), max(0, m.height-len(footer)))]
	for len(lines)+len(footer) < m.height {
		lines = append(lines, "")
	}
	return append(lines, footer...)
}

// most is how much a cell can have beside its pin.
const most = 2

func (c Cell) text(detail int) string {
	text := c.Pin
	if detail > 0 && c.Age != "" {
		text += " " + c.Age
	}
	if detail > 1 && c.By != "" {
		text += " " + c.By
	}
	return text
}

// columns gives the first environment that is drawn, the widths of the service's column
// and those after it, and how much a cell has: as much as there is room for.
func (m *Model) columns(from, to int) (first int, widths []int, detail int) {
	for detail = most; ; detail-- {
		if widths = m.natural(from, to, detail); detail == 0 || sum(widths) <= m.width {
			break
		}
	}
	widths[0] = min(widths[0], max(leastColumn, m.width/3))
	for sum(widths) > m.width {
		widest := 1
		for n := range widths[1:] {
			if widths[n+1] > widths[widest] {
				widest = n + 1
			}
		}
		if widths[widest] <= leastColumn {
			break
		}
		widths[widest]--
	}
	m.left = min(m.left, m.column)
	for ; ; m.left++ {
		drawn := append([]int{widths[0]}, widths[1+m.left:]...)
		for len(drawn) > 2 && sum(drawn) > m.width {
			drawn = drawn[:len(drawn)-1]
		}
		if m.column < m.left+len(drawn)-1 || m.left >= len(widths)-2 {
			return m.left, drawn, detail
		}
	}
}

// natural gives the widths at which nothing is shortened, of the rows that are drawn.
func (m *Model) natural(from, to, detail int) []int {
	widths := []int{len("SERVICE")}
	for _, e := range m.board.Environments {
		widths = append(widths, ansi.StringWidth(e.heading()))
	}
	for _, i := range m.shown[from:to] {
		r := m.board.Rows[i]
		widths[0] = max(widths[0], ansi.StringWidth(r.Service))
		for n, c := range r.Cells {
			widths[n+1] = max(widths[n+1], ansi.StringWidth(c.text(detail)))
		}
	}
	return widths
}

func (e Environment) heading() string {
	name := strings.ToUpper(e.Name)
	if e.Behind > 0 {
		name += fmt.Sprintf(" (%d behind)", e.Behind)
	}
	return name
}

func sum(widths []int) int {
	n := -gap
	for _, w := range widths {
		n += w + gap
	}
	return n
}

// looks are those that commands and this screen give a text.
var looks = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\x1b\[(?:[0127]|3[0-7])?m`) })

// plain leaves a line nothing that a terminal obeys but its looks: what stands in files,
// registries and commits, and what is pasted, could write anywhere on the screen, or hide what
// a yes is for.
func plain(line string) string {
	var out strings.Builder
	last := 0
	for _, at := range looks().FindAllStringIndex(line, -1) {
		out.WriteString(fault.Printable(line[last:at[0]]) + line[at[0]:at[1]])
		last = at[1]
	}
	return out.String() + fault.Printable(line[last:])
}

// wrap breaks a text where words end, and else anywhere: nothing of it is cut off.
func (m *Model) wrap(text string) string {
	return ansi.Hardwrap(ansi.Wrap(text, m.width, ""), m.width, true)
}

// pad gives a text exactly that wide.
func pad(text string, width int) string {
	text = ansi.Truncate(text, width, "…")
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}
