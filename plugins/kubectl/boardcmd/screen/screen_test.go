package screen

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// desk drives a screen by messages, and keeps what it has run.
type desk struct {
	*testing.T
	m      *Model
	board  *Board
	ran    []string
	done   []string
	status int
	quit   bool
}

func newDesk(t *testing.T, services int) *desk {
	d := &desk{T: t, board: shop(services)}
	plan := filepath.Join(t.TempDir(), "plan.json")
	d.m = New(t.Context(), Config{
		Read: func(context.Context) (*Board, error) { return d.board, nil },
		Run: func(_ context.Context, args []string, out, _ io.Writer) int {
			d.ran = append(d.ran, strings.Join(args, " "))
			fmt.Fprintf(out, "said by %s\n", strings.Join(args, " "))
			return d.status
		},
		Do: func(l Line, done func(int) tea.Msg) tea.Cmd {
			d.done = append(d.done, strings.Join(l.Args, " "))
			return func() tea.Msg { return done(0) }
		},
		Typed: func(l Line) string { return "kubectl promote " + strings.Join(l.Args, " ") },
		MayDo: func(status int) bool { return status == 0 },
		Actions: []Action{
			{Key: "enter", Label: "plan", Look: func(s, e, _ string) Steps { return Steps{Look: []Line{{Args: []string{"plan", s, "--to", e}}}} }},
			{Key: "p", Label: "promote", Look: func(s, e, _ string) Steps {
				return Steps{Look: []Line{{Args: []string{"plan", s, "--to", e, "-o", "json"}, To: plan}, {Args: []string{"apply", "--dry-run"}}}, Do: &Line{Args: []string{"apply"}}}
			}},
			{Key: "r", Label: "roll back", Asks: "why", Look: func(s, e, why string) Steps {
				do := []string{"rollback", s, "--env", e, "--reason", why}
				return Steps{Look: []Line{{Args: append(slices.Clone(do), "--dry-run")}}, Do: &Line{Args: do}}
			}},
		},
	})
	d.send(tea.WindowSizeMsg{Width: 80, Height: 12})
	d.follow(d.m.Init())
	return d
}

func shop(services int) *Board {
	b := &Board{Title: "shop", Environments: []Environment{{Name: "dev"}, {Name: "staging", Behind: 1}, {Name: "production"}}}
	for i := range services {
		r := Row{Service: fmt.Sprintf("service-%04d", i)}
		for n := range b.Environments {
			c := Cell{Pin: fmt.Sprintf("v1.%d.0", i), Age: "3d", By: "Ada"}
			if i == 1 && n == 1 {
				c.Pin, c.State = c.Pin+"*", Behind
			}
			if i == 2 && n == 2 {
				c = Cell{Pin: "-", State: None}
			}
			r.Cells = append(r.Cells, c)
		}
		b.Rows = append(b.Rows, r)
	}
	return b
}

func (d *desk) send(msg tea.Msg) {
	_, cmd := d.m.Update(msg)
	d.follow(cmd)
}

func (d *desk) follow(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	msg := cmd()
	if _, quit := msg.(tea.QuitMsg); quit {
		d.quit = true
		return
	}
	d.send(msg)
}

var special = map[string]rune{"up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight, "enter": tea.KeyEnter,
	"esc": tea.KeyEscape, "end": tea.KeyEnd, "home": tea.KeyHome, "pgdown": tea.KeyPgDown, "backspace": tea.KeyBackspace}

func (d *desk) press(keys ...string) {
	for _, k := range keys {
		if code := special[k]; code != 0 {
			d.send(tea.KeyPressMsg{Code: code})
			continue
		}
		for _, r := range k {
			d.send(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
}

// shown is the screen without its looks; the cell at the cursor stands in brackets.
func (d *desk) shown() string {
	d.Helper()
	text := d.m.View().Content
	if n := strings.Count(text, "\n") + 1; n > d.m.height {
		d.Errorf("%d lines on a terminal of %d:\n%s", n, d.m.height, ansi.Strip(text))
	}
	for _, line := range strings.Split(text, "\n") {
		if n := ansi.StringWidth(line); n > d.m.width {
			d.Errorf("%d columns on a terminal of %d: %s", n, d.m.width, ansi.Strip(line))
		}
	}
	text = strings.ReplaceAll(text, inverse, "[")
	return ansi.Strip(text)
}

func (d *desk) sees(parts ...string) {
	d.Helper()
	text := d.shown()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			d.Errorf("%q is not on the screen:\n%s", p, text)
		}
	}
}

func TestMoveAndFilter(t *testing.T) {
	d := newDesk(t, 3000)
	d.sees("shop  3000 services", "STAGING (1 behind)", "service-0000  [v1.0.0 3d Ada")
	d.press("down", "right")
	d.sees("[v1.1.0* 3d Ada")
	d.press("end")
	d.sees("service-2999")
	d.press("home", "/", "service-004", "backspace", "42")
	d.sees("1 of 3000 services", "filter: service-0042")
	d.press("enter")
	d.sees("filter: service-0042", "[v1.42.0")
	d.board = shop(50)
	d.press("u")
	d.sees("1 of 50 services", "[v1.42.0")
	d.press("esc", "b")
	d.sees("1 of 50 services", "behind only", "service-0001")
	d.press("/", "nothing has that", "enter", "enter", "p")
	d.sees("0 of 50 services")
	if len(d.ran) > 0 {
		t.Errorf("ran for no cell: %q", d.ran)
	}
}

// What is carried out is what was shown, and after a yes alone.
func TestPromote(t *testing.T) {
	d := newDesk(t, 3)
	d.press("down", "right", "enter")
	d.sees("$ kubectl promote plan service-0001 --to staging", "said by plan service-0001 --to staging", "done")
	d.press("y", "esc")
	if len(d.done) > 0 {
		t.Errorf("a plan that is only shown was carried out: %q", d.done)
	}
	d.press("p")
	d.sees("said by apply --dry-run", "y: kubectl promote apply")
	d.press("n")
	d.sees("shop  3 services")
	d.press("p", "y")
	d.sees("done: kubectl promote apply")
	if got := fmt.Sprint(d.done); got != "[apply]" {
		t.Errorf("carried out: %s", got)
	}
	d.status = 3
	d.press("p")
	d.sees("refused")
	d.press("y")
	if len(d.done) != 1 {
		t.Errorf("what is refused was carried out: %q", d.done)
	}
}

// A yes that would do nothing is not asked for: it was, for a plan that changes nothing.
func TestPromoteNothing(t *testing.T) {
	d := newDesk(t, 3)
	look, nothing := d.m.config.Actions[1].Look, true
	d.m.config.Actions[1].Look = func(s, e, answer string) Steps {
		steps := look(s, e, answer)
		steps.Nothing = func() bool { return nothing }
		return steps
	}
	d.press("p", "y")
	if len(d.done) > 0 {
		t.Errorf("a plan that changes nothing was carried out: %q", d.done)
	}
	nothing = false
	d.press("esc", "p", "y")
	if got := fmt.Sprint(d.done); got != "[apply]" {
		t.Errorf("carried out: %s", got)
	}
}

// A plan that cannot be kept, or of which there is none, is not gone on with: the file may
// have the one before.
func TestPromoteWithoutPlan(t *testing.T) {
	for name, to := range map[string]string{"no file": filepath.Join(t.TempDir(), "no", "such"), "no plan": filepath.Join(t.TempDir(), "plan")} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, 3)
			if err := os.WriteFile(to, []byte("the one before"), 0o600); err == nil {
				d.m.config.Run = func(_ context.Context, args []string, _, errOut io.Writer) int {
					d.ran = append(d.ran, args[0])
					fmt.Fprintln(errOut, "the registry is down")
					return 0
				}
			}
			d.m.config.Actions[1].Look = func(_, _, _ string) Steps {
				return Steps{Look: []Line{{Args: []string{"plan"}, To: to}, {Args: []string{"apply"}}}, Do: &Line{Args: []string{"apply"}}}
			}
			d.press("p", "y")
			if len(d.ran) != 1 || len(d.done) != 0 {
				t.Errorf("ran %q, carried out %q", d.ran, d.done)
			}
		})
	}
}

func TestRollback(t *testing.T) {
	d := newDesk(t, 3)
	d.press("right", "r", "loses ordres")
	d.sees("why: loses ordres")
	d.press("backspace", "backspace", "backspace", "ers", "enter")
	d.sees("--reason loses orders --dry-run", "y: kubectl promote rollback service-0000 --env staging --reason loses orders")
	d.press("y")
	if got := fmt.Sprint(d.done); got != "[rollback service-0000 --env staging --reason loses orders]" {
		t.Errorf("carried out: %s", got)
	}
	d.press("r", "esc")
	d.sees("shop  3 services")
	d.press("down", "down", "right", "r")
	d.sees("service-0002 has no overlay in production")
}

// What was given up is not shown when it ends after all.
func TestGivenUp(t *testing.T) {
	d := newDesk(t, 3)
	var ctx context.Context
	d.m.config.Run = func(c context.Context, _ []string, _, _ io.Writer) int { ctx = c; return 0 }
	_, cmd := d.m.Update(tea.KeyPressMsg{Code: tea.KeyEnter})
	d.sees("kubectl promote plan service-0000 --to dev …", "esc give it up")
	d.press("down", "esc")
	d.sees("given up")
	d.send(cmd())
	d.sees("shop  3 services")
	if ctx.Err() == nil {
		t.Error("it runs on")
	}
}

func TestLeave(t *testing.T) {
	d := newDesk(t, 3)
	if d.press("q"); !d.quit || d.m.Interrupted() {
		t.Error("q does not leave it")
	}
	d = newDesk(t, 3)
	d.press("r")
	if d.send(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}); !d.quit || !d.m.Interrupted() {
		t.Error("ctrl-C does not leave it")
	}
}

// It fits any terminal: what there is no room for is shortened, then left out; the cell at
// the cursor never is.
func TestFits(t *testing.T) {
	d := newDesk(t, 30)
	for _, size := range [][2]int{{200, 50}, {80, 24}, {60, 10}, {40, 8}, {20, 7}, {5, 3}, {1, 1}} {
		d.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		for range 3 {
			d.press("right")
			d.m.View()
			if size[0] >= 40 && size[1] >= 8 {
				d.sees("[")
			}
		}
		d.press("left", "left", "enter", "end", "home", "esc")
	}
	if d.send(BoardMsg{Err: fmt.Errorf("one\ntwo")}); !strings.Contains(d.m.failed.Error(), "two") {
		t.Error("what keeps it from being read is lost")
	}
	d.send(tea.WindowSizeMsg{Width: 80, Height: 12})
	d.sees("one; two", "service-0000")
}

// What comes from repositories and registries, and what is pasted, obeys no one: a sequence in it
// cleared the screen, or hid the line that a yes is for.
func TestNothingIsObeyed(t *testing.T) {
	d := newDesk(t, 3)
	const evil = "\x1b[2J\x1b]0;owned\a\x1b[8mhidden\u009b2J\r\u202e"
	d.board = shop(3)
	d.board.Title = evil
	d.board.Rows[0].Service, d.board.Rows[0].Cells[0].Pin, d.board.Rows[0].Cells[0].By = evil, evil, evil
	d.board.Environments[0].Name = evil
	said := fmt.Errorf("bad %s", evil)
	d.send(BoardMsg{Board: d.board, Err: said})
	d.m.config.Run = func(_ context.Context, _ []string, out, _ io.Writer) int {
		fmt.Fprintf(out, "\x1b[32m+ %s\x1b[0m\n", evil)
		return 0
	}
	check := func() {
		t.Helper()
		view := d.m.View()
		for _, bad := range []string{"\x1b[2J", "\x1b]", "\x1b[8m", "\a", "\u009b", "\r", "\u202e"} {
			if strings.Contains(view.Content, bad) || strings.Contains(view.WindowTitle, bad) {
				t.Errorf("%q is on the screen:\n%q", bad, view.Content)
			}
		}
	}
	check()
	d.press("enter")
	d.sees("hidden")
	if !strings.Contains(d.m.View().Content, "\x1b[32m+") {
		t.Error("what a command colours has no colour")
	}
	check()
	d.press("esc", "/")
	d.send(tea.PasteMsg{Content: evil})
	check()
}

// Letters that take two columns each kept nothing below its heading.
func TestWideLetters(t *testing.T) {
	d := newDesk(t, 3)
	d.board = shop(3)
	d.board.Rows[0].Service, d.board.Rows[1].Cells[0].By = "購物車服務", "山田太郎"
	d.board.Environments[0].Name = "開発環境の中で一番長い名前のもの"
	d.send(BoardMsg{Board: d.board})
	d.send(tea.WindowSizeMsg{Width: 120, Height: 12})
	lines := strings.Split(ansi.Strip(d.m.View().Content), "\n")
	at := ansi.StringWidth(lines[1][:strings.Index(lines[1], "STAGING")])
	for n, r := range d.board.Rows {
		line := lines[2+n]
		pin := r.Cells[1].text(most)
		if got := ansi.StringWidth(line[:strings.LastIndex(line[:len(line)-len(r.Cells[2].text(most))], pin)]); got != at {
			t.Errorf("%d, and its heading %d:\n%s\n%s", got, at, lines[1], line)
		}
	}
}

// A command line that is longer than the terminal is wide is whole, to be copied.
func TestLongLinesAreWhole(t *testing.T) {
	d := newDesk(t, 1)
	d.m.config.Typed = func(Line) string {
		return "kubectl promote plan cart -C file:///srv/" + strings.Repeat("long/", 30) + "infra.git --branch eu"
	}
	d.press("enter")
	if text := strings.ReplaceAll(d.shown(), "\n", ""); !strings.Contains(text, "infra.git") || strings.Contains(text, "…") {
		t.Errorf("it is cut:\n%s", d.shown())
	}
}

// However small the terminal is, what a yes does stands on it, and all that was said can be
// reached: the command lines alone had filled it.
func TestSmallTerminal(t *testing.T) {
	d := newDesk(t, 3)
	d.m.config.Typed = func(l Line) string { return "kubectl promote " + strings.Join(l.Args, " ") }
	for _, size := range [][2]int{{20, 5}, {30, 6}, {80, 10}} {
		d.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		d.sees("service", "enter plan")
		d.press("p")
		d.sees("y: kubectl")
		d.press("end")
		d.sees("y: kubectl", "--dry-run")
		d.press("esc", "r", "because it loses orders")
		d.sees("orders")
		d.press("esc")
	}
}

// A board without a service says why; and what a filter leaves fills the screen, as the cursor
// was at the end of a longer list.
func TestEmptyAndFiltered(t *testing.T) {
	d := newDesk(t, 0)
	d.board = &Board{Title: "shop", Environments: shop(0).Environments, Empty: "no service has a pin"}
	d.press("u")
	d.sees("0 services", "no service has a pin")
	d = newDesk(t, 300)
	d.press("end", "/", "service-00", "enter")
	d.sees("100 of 300 services", "[v1.0.0 3d Ada")
	d.press("end", "/", "backspace", "enter")
	d.sees("300 services", "[v1.99.0 3d Ada")
	d.press("home", "end", "/", "09", "enter")
	d.sees("service-0090", "service-0091", "service-0092")
	d = newDesk(t, 1)
	d.sees("shop  1 service\n")
}

// A difference is no failure: its exit status was told as one.
func TestCompared(t *testing.T) {
	d := newDesk(t, 3)
	d.m.config.Actions[0].Look = func(_, _, _ string) Steps { return Steps{Look: []Line{{Args: []string{"diff"}}}, Compares: true} }
	for status, said := range []string{"no difference", "there is a difference", "failed"} {
		d.status = status
		d.press("enter")
		d.sees(said)
		d.press("esc")
	}
}
