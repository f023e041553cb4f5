package screen

import (
	"math"
	"os"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
)

// key does what a key is for, where it is pressed.
func (m *Model) key(k tea.KeyPressMsg) tea.Cmd {
	pressed := k.String()
	if pressed == "ctrl+c" {
		m.interrupted = true
		m.end()
		return tea.Quit
	}
	switch {
	case m.prompt != nil:
		return m.write(pressed, k.Text)
	case m.stop != nil: // a command runs
		if pressed == "esc" || pressed == "q" {
			m.run++
			m.end()
			m.said = "given up"
		}
		return nil
	case m.paper != nil:
		return m.turn(pressed)
	}
	return m.onBoard(pressed)
}

// write takes a key of a line that is being typed.
func (m *Model) write(pressed, text string) tea.Cmd {
	p := m.prompt
	switch pressed {
	case "enter":
		m.prompt = nil
		return p.done(m, p.text)
	case "esc":
		m.prompt = nil
		if p.changed != nil {
			p.changed(m, "")
		}
		return nil
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(p.text)
		p.text = p.text[:len(p.text)-n]
	case "ctrl+u":
		p.text = ""
	default:
		p.text += text
	}
	p.tell(m)
	return nil
}

func (p *prompt) tell(m *Model) {
	if p.changed != nil {
		p.changed(m, p.text)
	}
}

// turn takes a key where the output of a command is shown.
func (m *Model) turn(pressed string) tea.Cmd {
	p, page := m.paper, max(1, m.paper.room)
	switch pressed {
	case "up", "k":
		p.top--
	case "down", "j":
		p.top++
	case "pgup", "b":
		p.top -= page
	case "pgdown", "space":
		p.top += page
	case "home":
		p.top = 0
	case "end":
		p.top = math.MaxInt / 2 // drawing it knows where it ends
	case "y":
		if p.do != nil {
			line := *p.do
			return m.config.Do(line, func(status int) tea.Msg { return doneMsg{line, status} })
		}
	case "esc", "q", "enter", "n":
		m.paper = nil
	}
	return nil
}

func (m *Model) onBoard(pressed string) tea.Cmd {
	page := max(1, m.rows()-1)
	switch pressed {
	case "up", "k":
		m.row--
	case "down", "j":
		m.row++
	case "left":
		m.column--
	case "right":
		m.column++
	case "pgup":
		m.row -= page
	case "pgdown", "space":
		m.row += page
	case "home":
		m.row = 0
	case "end":
		m.row = len(m.shown)
	case "/":
		m.prompt = &prompt{asks: "filter", text: m.filter, changed: (*Model).setFilter, done: func(*Model, string) tea.Cmd { return nil }}
	case "esc":
		m.setFilter("")
	case "b":
		m.behind = !m.behind
		m.choose()
	case "u":
		m.busy = "reading the repository"
		return m.read
	case "q":
		return tea.Quit
	default:
		return m.act(pressed)
	}
	m.row = max(0, min(m.row, len(m.shown)-1))
	if m.board != nil {
		m.column = max(0, min(m.column, len(m.board.Environments)-1))
	}
	return nil
}

func (m *Model) setFilter(text string) {
	at := m.service()
	m.filter = text
	if m.choose(); !m.find(at) {
		m.row = 0
	}
}

// act starts the action of a key for the cell at the cursor.
func (m *Model) act(pressed string) tea.Cmd {
	service := m.service()
	for _, a := range m.config.Actions {
		if a.Key != pressed || service == "" {
			continue
		}
		environment := m.board.Environments[m.column].Name
		if m.board.Rows[m.shown[m.row]].Cells[m.column].State == None {
			m.said = service + " has no overlay in " + environment
			return nil
		}
		if a.Asks == "" {
			return m.look(a, service, environment, "")
		}
		m.prompt = &prompt{asks: a.Asks, done: func(m *Model, answer string) tea.Cmd { return m.look(a, service, environment, answer) }}
	}
	return nil
}

// keep writes what a command has said to a file of this user's own.
func keep(name string, data []byte) error { return os.WriteFile(name, data, 0o600) }
