// Package screen is the board on a terminal, to be worked at: a cursor on the services and
// environments, and keys that run commands for the cell where it is. What such a command
// says is shown before anything is changed, and each stands on the screen as it is typed:
// nothing happens here that a command line does not do.
package screen

import (
	"bytes"
	"context"
	"io"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// State is what a cell's colour tells.
type State int

// The states of a cell.
const (
	Same   State = iota // as where it is promoted from
	None                // there is no overlay
	Behind              // differs from where it is promoted from
	Held                // kept by a hold
	Unsure              // what it is promoted from cannot be read
	Failed              // it cannot be read itself
)

// Board is what is shown.
type Board struct {
	Title        string
	Environments []Environment
	Rows         []Row
	// Empty says why there is no row, where there is none.
	Empty string
}

// Environment is a column.
type Environment struct {
	Name   string
	Behind int
}

// Row is a service, with a cell for each environment.
type Row struct {
	Service string
	Cells   []Cell
}

// Cell is what stands in an environment, and since when and by whom where there is room.
type Cell struct {
	Pin, Age, By string
	State        State
}

// Line is a command line, without the words kubectl promote.
type Line struct {
	Args []string
	// To is the file that its output goes to; empty where it is shown.
	To string
	// As is the shorter one that does the same, where this one takes a file that will not last.
	As []string
}

// Action is what a key does for the cell at the cursor.
type Action struct {
	Key, Label string
	// Asks is what is asked for before; empty for nothing.
	Asks string
	// Look gives what is run for it.
	Look func(service, environment, answer string) Steps
}

// Steps are the command lines of one action.
type Steps struct {
	// Look are those that come first; the output of the last is shown.
	Look []Line
	// Do, where there is one, is run once that has been shown and confirmed.
	Do *Line
	// Nothing, where there is one, tells that what has been looked at would change nothing:
	// then nothing is asked for.
	Nothing func() bool
	// Compares tells that the exit statuses of the last are those of a comparison.
	Compares bool
}

// Config is what a screen is made of.
type Config struct {
	// Read reads the board.
	Read func(context.Context) (*Board, error)
	// Run runs a command line, and gives its exit status.
	Run func(ctx context.Context, args []string, out, errOut io.Writer) int
	// Do runs one that changes something on the terminal itself, where it may ask; done is
	// called with its exit status, and its message sent to the screen.
	Do func(line Line, done func(status int) tea.Msg) tea.Cmd
	// Typed is a command line as it is typed.
	Typed func(Line) string
	// MayDo tells whether what has been looked at may be carried out, by the exit status.
	MayDo   func(status int) bool
	Actions []Action
}

// Model is the state of the screen.
type Model struct {
	config Config
	ctx    context.Context

	board         *Board
	failed        error // of the last reading
	shown         []int // rows of the board that fit the filter
	filter        string
	behind        bool // only services of which something is
	row, column   int  // of the cursor, the row among those shown
	top, left     int  // the first row and column that are drawn
	width, height int
	said          string // what the last action came to
	busy          string // what is waited for
	stop          context.CancelFunc
	run           int // counts what was started, so that what was given up is not shown
	prompt        *prompt
	paper         *paper
	interrupted   bool
}

// prompt is a line that is being typed.
type prompt struct {
	asks, text string
	changed    func(*Model, string)
	done       func(*Model, string) tea.Cmd
}

// New makes the model of a screen that is good as long as the context.
func New(ctx context.Context, config Config) *Model {
	return &Model{config: config, ctx: ctx, busy: "reading the repository", width: 80, height: 24}
}

// Interrupted tells whether it was left by ctrl-C.
func (m *Model) Interrupted() bool { return m.interrupted }

// BoardMsg is a board that was read, or why it was not.
type BoardMsg struct {
	Board *Board
	Err   error
}

// lookMsg is what the command lines of an action have said.
type lookMsg struct {
	run   int
	paper *paper
}

// doneMsg is the end of what was carried out.
type doneMsg struct {
	line   Line
	status int
}

// Init implements [tea.Model].
func (m *Model) Init() tea.Cmd { return m.read }

func (m *Model) read() tea.Msg {
	b, err := m.config.Read(m.ctx)
	return BoardMsg{b, err}
}

// Update implements [tea.Model].
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case BoardMsg:
		if m.stop == nil {
			m.busy = ""
		}
		if m.failed = msg.Err; msg.Board != nil {
			m.take(msg.Board)
		}
	case lookMsg:
		if msg.run == m.run {
			m.end()
			m.paper = msg.paper
		}
	case doneMsg:
		line := msg.line
		if line.As != nil {
			line = Line{Args: line.As}
		}
		m.said = outcome(m.config.Typed(line), msg.status)
		m.paper, m.busy = nil, "reading the repository"
		return m, m.read
	case tea.PasteMsg:
		if m.prompt != nil {
			m.prompt.text += strings.Join(strings.Fields(msg.Content), " ")
			m.prompt.tell(m)
		}
	case tea.KeyPressMsg:
		return m, m.key(msg)
	}
	return m, nil
}

// take shows another board, with the cursor where it was.
func (m *Model) take(b *Board) {
	at := m.service()
	m.board = b
	m.choose()
	m.find(at)
}

// find has the cursor on a service, where it is shown.
func (m *Model) find(service string) (found bool) {
	for n, i := range m.shown {
		if m.board.Rows[i].Service == service {
			m.row, found = n, true
		}
	}
	return found
}

func (m *Model) service() string {
	if m.board == nil || m.row >= len(m.shown) {
		return ""
	}
	return m.board.Rows[m.shown[m.row]].Service
}

// choose takes the rows that have all words of the filter.
func (m *Model) choose() {
	if m.board == nil {
		return
	}
	words := strings.Fields(strings.ToLower(m.filter))
	m.shown = m.shown[:0]
	for i, r := range m.board.Rows {
		if r.has(words) && (!m.behind || r.behind()) {
			m.shown = append(m.shown, i)
		}
	}
	m.row = max(0, min(m.row, len(m.shown)-1))
	m.column = max(0, min(m.column, len(m.board.Environments)-1))
}

func (r Row) has(words []string) bool {
	if len(words) == 0 {
		return true
	}
	text := r.Service
	for _, c := range r.Cells {
		text += "\n" + c.Pin + "\n" + c.By
	}
	text = strings.ToLower(text)
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

func (r Row) behind() bool {
	for _, c := range r.Cells {
		if c.State == Behind || c.State == Unsure {
			return true
		}
	}
	return false
}

// look runs the command lines of an action, the last of which is shown.
func (m *Model) look(a Action, service, environment, answer string) tea.Cmd {
	steps := a.Look(service, environment, answer)
	lines := steps.Look
	p := &paper{line: lines[len(lines)-1], do: steps.Do, compares: steps.Compares}
	for _, l := range lines {
		p.typed = append(p.typed, m.config.Typed(l))
	}
	ctx := m.begin(p.typed[len(p.typed)-1])
	run := m.run
	return func() tea.Msg {
		for _, l := range lines {
			var out bytes.Buffer
			if l.To == "" {
				p.status = m.config.Run(ctx, l.Args, &out, &out)
				p.take(out.String())
				break
			}
			var said bytes.Buffer
			p.status = m.config.Run(ctx, l.Args, &out, &said)
			if err := keep(l.To, out.Bytes()); err != nil || out.Len() == 0 {
				if err != nil {
					said.WriteString("error: " + err.Error())
				}
				p.take(said.String()) // there is nothing to go on with
				p.do = nil
				break
			}
		}
		if p.do != nil && (!m.config.MayDo(p.status) || steps.Nothing != nil && steps.Nothing()) {
			p.do = nil
		}
		return lookMsg{run, p}
	}
}

// begin starts something that can be given up.
func (m *Model) begin(what string) context.Context {
	m.end()
	m.run++
	m.busy, m.said = what, ""
	ctx, stop := context.WithCancel(m.ctx)
	m.stop = stop
	return ctx
}

// end lets go of it.
func (m *Model) end() {
	if m.stop != nil {
		m.stop()
		m.stop = nil
	}
	m.busy = ""
}
