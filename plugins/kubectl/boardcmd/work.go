package boardcmd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	tea "charm.land/bubbletea/v2"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/plugins/kubectl/boardcmd/screen"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/standing"
	"github.com/kubepromote/kubepromote/promote/planfile"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// work shows the board to work at, until it is left. It follows the repository.
func (o *options) work(cmd *cobra.Command) error {
	out := o.session.Screen()
	if out == nil || !o.session.Terminal() {
		return &cli.UsageError{Msg: "-i works on a terminal alone", Hint: cmd.CommandPath(), Command: cmd.CommandPath()}
	}
	dir, err := os.MkdirTemp("", "kubepromote-board-")
	if err != nil {
		return cli.FileError(err)
	}
	defer os.RemoveAll(dir)
	o.session.Quiet = true // a warning would stand across the board; the commands that are run tell theirs
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	w := &worker{options: o, given: givenFlags(cmd), out: out}
	model := screen.New(ctx, screen.Config{Read: w.read, Run: w.run, Do: w.do(ctx), Typed: w.typed, MayDo: mayDo, Actions: o.actions(planIn(dir))})
	program := tea.NewProgram(model, tea.WithContext(ctx), tea.WithInput(o.session.In), tea.WithOutput(out), tea.WithoutSignalHandler())
	cmd.SetContext(ctx)
	followed := make(chan error, 1)
	go func() {
		first := true
		followed <- standing.Follow(cmd, o.session, func(gone error) error {
			if first && gone == nil { // which the screen reads itself
				first = false
				return nil
			}
			msg := screen.BoardMsg{Err: gone}
			if gone == nil {
				msg.Board, msg.Err = w.read(ctx)
			}
			program.Send(msg)
			return nil
		})
	}()
	_, err = program.Run()
	stopped := ctx.Err() != nil || model.Interrupted()
	stop()
	<-followed
	switch {
	case stopped:
		return cli.Silent(cli.ExitInterrupted)
	case err != nil:
		return fmt.Errorf("the board on the terminal: %w", err)
	}
	return nil
}

// mayDo tells whether what a plan says can be carried out: also where it waits, as it may be
// somebody at this terminal who is waited for, or a pull request.
func mayDo(status int) bool { return status == cli.ExitDone || status == cli.ExitWaiting }

// changesNothing tells that a plan in a file has nothing to carry out: no pin, no file, no
// merge. One that cannot be read may have something.
func changesNothing(file string) bool {
	data, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	plan, err := planfile.Decode(file, data)
	return err == nil && len(plan.Writes) == 0 && !slices.ContainsFunc(plan.Items, func(i planfile.Item) bool { return i.Changed || i.Merge != nil })
}

// planIn gives each plan a file of its own: one that was given up may still be written while
// the next is looked at, and would be carried out in place of it.
func planIn(dir string) func() string {
	plans := 0
	return func() string {
		plans++
		return filepath.Join(dir, fmt.Sprintf("plan-%d.json", plans))
	}
}

// actions are the keys of the board. A promotion is planned into a file, and exactly that
// plan is carried out, or nothing.
func (o *options) actions(newPlan func() string) []screen.Action {
	one := func(command, service string, flags ...string) screen.Steps {
		return screen.Steps{Look: []screen.Line{of(command, service, flags...)}}
	}
	rollback := func(service, environment, reason string, more ...string) screen.Line {
		if reason != "" {
			more = append(more, "--reason", reason)
		}
		return of("rollback", service, append([]string{"--env", environment}, more...)...)
	}
	return []screen.Action{
		{Key: "enter", Label: "plan", Look: func(s, e, _ string) screen.Steps { return one("plan", s, "--to", e) }},
		{Key: "p", Label: "promote", Look: func(s, e, _ string) screen.Steps {
			plan, as := newPlan(), of("run", s, "--to", e).Args
			if !slices.Contains(o.commands, s) && as[1] == s {
				as = as[1:]
			}
			return screen.Steps{
				Look: []screen.Line{{Args: of("plan", s, "--to", e, "-o", "json").Args, To: plan}, {Args: []string{"apply", "-f", plan, "--dry-run"}}},
				Do:   &screen.Line{Args: []string{"apply", "-f", plan}, As: as}, Nothing: func() bool { return changesNothing(plan) },
			}
		}},
		{Key: "r", Label: "roll back", Asks: "why it is taken back", Look: func(s, e, why string) screen.Steps {
			do := rollback(s, e, why)
			return screen.Steps{Look: []screen.Line{rollback(s, e, why, "--dry-run")}, Do: &do}
		}},
		{Key: "h", Label: "history", Look: func(s, e, _ string) screen.Steps { return one("history", s, "--env", e) }},
		{Key: "g", Label: "gates", Look: func(s, e, _ string) screen.Steps { return one("gates", s, "--to", e) }},
		{Key: "d", Label: "diff", Look: func(s, e, _ string) screen.Steps {
			return screen.Steps{Look: []screen.Line{of("diff", s, "--to", e)}, Compares: true}
		}},
	}
}

// of is a command line for a service, which is no flag whatever its name.
func of(command, service string, flags ...string) screen.Line {
	if strings.HasPrefix(service, "-") {
		return screen.Line{Args: slices.Concat([]string{command}, flags, []string{"--", service})}
	}
	return screen.Line{Args: append([]string{command, service}, flags...)}
}

// with gives a command line further flags.
func with(args []string, flags ...string) []string {
	at := slices.Index(args, "--")
	if at < 0 {
		at = len(args)
	}
	return slices.Insert(slices.Clone(args), at, flags...)
}

// worker reads the board, and runs the commands that are chosen on it.
type worker struct {
	options *options
	given   []string // flags that hold for all commands
	out     *os.File
	reading sync.Mutex
}

// givenFlags are those of all commands that were given to this one.
func givenFlags(cmd *cobra.Command) []string {
	var all []string
	cmd.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) {
		list, several := f.Value.(pflag.SliceValue)
		switch {
		case !f.Changed, slices.Contains([]string{"quiet", "color", "repo", "pipeline"}, f.Name): // the last two are given as the session knows them
		case several:
			for _, v := range list.GetSlice() {
				all = append(all, "--"+f.Name+"="+v)
			}
		default:
			all = append(all, "--"+f.Name+"="+f.Value.String())
		}
	})
	return all
}

func (w *worker) read(ctx context.Context) (*screen.Board, error) {
	w.reading.Lock()
	defer w.reading.Unlock()
	v, err := w.options.read(ctx)
	if v == nil {
		return nil, err
	}
	return v.screen(), err
}

// run runs a command, and keeps what it says.
func (w *worker) run(ctx context.Context, args []string, out, errOut io.Writer) int {
	color := "--color=never"
	if w.options.session.Style().Color {
		color = "--color=always"
	}
	if slices.Contains(args, "json") {
		color = "--color=never"
	}
	return w.options.runLine(ctx, w.here(args, color), genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: errOut})
}

// here gives a command line the flags of this one: without its branch, say, what is shown of
// one would be promoted on another.
func (w *worker) here(args []string, more ...string) []string {
	place, _ := w.options.session.FlagsHere(args)
	return with(args, slices.Concat(more, w.given, place)...)
}

// typed is a command line as a shell takes it.
func (w *worker) typed(l screen.Line) string {
	words := []string{"kubectl promote"}
	_, place := w.options.session.FlagsHere(l.Args)
	for _, a := range with(l.Args, slices.Concat(w.given, place)...) {
		words = append(words, shell.Quote(a))
	}
	if l.To != "" {
		words = append(words, ">", shell.Quote(l.To))
	}
	if l.As != nil {
		words = append(words, " #", w.typed(screen.Line{Args: l.As}))
	}
	return strings.Join(words, " ")
}

// do gives what runs a command on the terminal itself, in place of the board.
func (w *worker) do(ctx context.Context) func(screen.Line, func(int) tea.Msg) tea.Cmd {
	return func(line screen.Line, done func(int) tea.Msg) tea.Cmd {
		on := &onTerminal{worker: w, ctx: ctx, line: line}
		return tea.Exec(on, func(err error) tea.Msg {
			if err != nil {
				return screen.BoardMsg{Err: fmt.Errorf("the terminal: %w", err)}
			}
			return done(on.status)
		})
	}
}

// onTerminal is a command that the terminal is lent to. It implements [tea.ExecCommand].
type onTerminal struct {
	*worker
	ctx    context.Context
	line   screen.Line
	status int
}

// Run runs it, and waits until what it has said is read.
func (t *onTerminal) Run() error {
	s := t.options.session
	fmt.Fprintln(t.out, "$ "+t.typed(t.line))
	t.status = t.options.runLine(t.ctx, t.here(t.line.Args), genericiooptions.IOStreams{In: s.In, Out: t.out, ErrOut: t.out})
	fmt.Fprint(t.out, "(enter: back to the board) ")
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = bufio.NewReader(s.In).ReadString('\n') // its end is an enter as well
	}()
	select {
	case <-read:
	case <-t.ctx.Done():
	}
	return nil
}

// SetStdin does nothing: the session knows its own.
func (*onTerminal) SetStdin(io.Reader) {}

// SetStdout does nothing, likewise.
func (*onTerminal) SetStdout(io.Writer) {}

// SetStderr does nothing, likewise.
func (*onTerminal) SetStderr(io.Writer) {}

// screen makes what the terminal shows.
func (v *view) screen() *screen.Board {
	b := &screen.Board{Title: cli.Clean(v.title)}
	if len(v.statuses) == 0 {
		b.Empty = v.empty()
	}
	for _, d := range v.drifts {
		b.Environments = append(b.Environments, screen.Environment{Name: d.Environment, Behind: len(d.Behind)})
	}
	for _, st := range v.statuses {
		row := screen.Row{Service: cli.Clean(st.Service)}
		for _, e := range st.Environments {
			c := screen.Cell{Pin: cli.Clean(v.cell(st, e, 0)), State: stateOf(e)}
			if last := newest(e); last != nil && e.Exists && e.Error == "" {
				c.Age, c.By = duration.HumanDuration(v.now.Sub(last.Time)), cli.Clean(last.Author)
			}
			row.Cells = append(row.Cells, c)
		}
		b.Rows = append(b.Rows, row)
	}
	return b
}

func stateOf(e status.Environment) screen.State {
	switch {
	case !e.Exists:
		return screen.None
	case e.Error != "":
		return screen.Failed
	case e.Held != nil:
		return screen.Held
	case e.Differs:
		return screen.Behind
	case len(e.UnknownFrom) > 0:
		return screen.Unsure
	}
	return screen.Same
}
