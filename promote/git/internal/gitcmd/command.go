// Package gitcmd runs the git program: with an environment that holds no secrets, in a
// group of its own, its messages in one line that can be shown, and its answers read
// without waiting for one another.
package gitcmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/internal/unbroken"
)

// Literal in front of a pathspec makes git take it as a path. It is used
// instead of the environment where hooks run, which would inherit that.
const Literal = ":(top,literal)"

// Call is one run of git.
type Call struct {
	// Op says what is being done, for errors.
	Op    string
	Args  []string
	Stdin io.Reader
	// Reads tells that nothing is changed: git takes no lock to refresh its index,
	// and looks at the files itself.
	Reads bool
	// Talks tells that the caller writes to Process.In, in place of stdin.
	Talks bool
	Env   []string
}

// InEnglish has git's messages fit into ours. Hooks do not get it.
const InEnglish = "LC_ALL=C"

// Paths are taken as they are, and objects as they are stored, whatever the user
// has put in their place (https://git-scm.com/docs/git-replace).
const (
	Literally = "GIT_LITERAL_PATHSPECS=1"
	AsStored  = "GIT_NO_REPLACE_OBJECTS=1"
)

// keepMemory stops glibc from giving memory back and asking for it again for each
// object that is compressed. A fast-import of a thousand files takes 0.1 s of CPU
// with it, and 3 s without.
const keepMemory = "MALLOC_TRIM_THRESHOLD_=67108864"

// grace is how long git and its children may take to end once asked to.
const grace = 2 * time.Second

// newCommand prepares a run of git in dir. It gets its own group of processes:
// Ctrl-C at the terminal then reaches this program only, which decides.
func newCommand(ctx context.Context, dir string, c Call) *exec.Cmd {
	// An order of files that is set up need not exist any more.
	args := []string{"-C", dir, "-c", "core.quotePath=false", "-c", "diff.orderFile=/dev/null"}
	env := append(environment(os.Environ()), "GIT_TERMINAL_PROMPT=0", keepMemory)
	if c.Reads {
		args = append(args, "-c", "core.fsmonitor=false")
		env = append(env, InEnglish, "GIT_OPTIONAL_LOCKS=0")
	}
	cmd := exec.CommandContext(ctx, "git", append(args, c.Args...)...)
	cmd.Env = append(env, c.Env...)
	cmd.Stdin = c.Stdin
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return endGroup(cmd.Process) }
	cmd.WaitDelay = grace
	return cmd
}

// Process is a git that runs while its output is read.
type Process struct {
	ctx    context.Context
	cancel context.CancelFunc
	Op     string
	Cmd    *exec.Cmd
	In     io.WriteCloser // where call.talks
	Out    *bufio.Reader
	errs   tail
	// done is closed when the process has ended.
	done  chan struct{}
	end   func()    // of what a signal must not break
	ended sync.Once // guards done: a process may be waited for and then stopped
}

// Start runs git in dir; the caller reads its output, and then waits or stops it.
func Start(ctx context.Context, dir string, c Call) (*Process, error) {
	p := &Process{ctx: ctx, Op: c.Op, done: make(chan struct{})}
	inner, cancel := context.WithCancel(ctx)
	p.cancel = cancel
	p.Cmd = newCommand(inner, dir, c)
	p.Cmd.Stderr = &p.errs
	out, err := p.Cmd.StdoutPipe()
	if err == nil && c.Talks {
		p.In, err = p.Cmd.StdinPipe()
	}
	if err == nil {
		err = p.Cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, failure(ctx, c.Op, err, "")
	}
	p.Out = bufio.NewReaderSize(out, 64<<10)
	p.end = func() {}
	if !c.Reads {
		p.end = unbroken.Begin()
	}
	context.AfterFunc(inner, p.killLate)
	return p, nil
}

// killLate ends children that do not heed the request to end: as long as they
// hold the output open, reading it would not end either.
func (p *Process) killLate() {
	select {
	case <-p.done:
	case <-time.After(grace):
		killGroup(p.Cmd.Process)
	}
}

// Line reads a line of the output, without its end; it is empty where there is none.
func (p *Process) Line() string {
	line, err := p.Out.ReadString('\n')
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(line, "\n")
}

// Unexpected is the error of an answer that git is not known to give.
func (p *Process) Unexpected(answer string) error {
	return &Error{Op: p.Op, Msg: "unexpected answer: " + Clean(answer)}
}

// Wait ends a process whose output has been read to its end.
func (p *Process) Wait() error {
	defer p.cancel()
	err := p.Cmd.Wait()
	p.ended.Do(func() { close(p.done); p.end() })
	if err != nil && !(errors.Is(err, exec.ErrWaitDelay) && p.Cmd.ProcessState.Success()) {
		killGroup(p.Cmd.Process)
		return failure(p.ctx, p.Op, err, p.errs.String())
	}
	return nil
}

// Messages gives the end of what git has written to its standard error, once it has ended.
func (p *Process) Messages() string { return p.errs.String() }

// Stop ends a process whose remaining output does not matter.
func (p *Process) Stop() {
	p.cancel()
	_ = p.Cmd.Wait()
	p.ended.Do(func() { close(p.done); p.end() })
	killGroup(p.Cmd.Process)
}

// Run runs git in dir and gives its output.
func Run(ctx context.Context, dir string, c Call) ([]byte, error) {
	p, err := Start(ctx, dir, c)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	// A broken pipe shows in the exit status.
	_, _ = p.Out.WriteTo(&out)
	return out.Bytes(), p.Wait()
}

// failure says why a run of git failed.
func failure(ctx context.Context, op string, err error, stderr string) error {
	if ctx.Err() != nil {
		return Interrupted(op, ctx.Err())
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, exec.ErrDot) {
		return &Error{Op: op, Msg: "the git program is not in the PATH", Hint: "git --version", Err: err}
	}
	if strings.Contains(stderr, "safe.directory") {
		return dubious(op, stderr, err)
	}
	// 129 is git's status for an option that it does not know.
	if ExitCode(err) == 129 {
		if old := TooOld(ctx); old != "" {
			return &Error{Op: op, Msg: "git " + old + " is too old, 2.38 or newer is needed", Hint: "git --version", Err: err}
		}
	}
	msg := lastLine(stderr)
	if msg == "" {
		msg = Clean("git: " + err.Error())
	}
	return &Error{Op: op, Msg: msg, Err: err}
}

// dubious explains git's refusal of a repository that somebody else owns.
func dubious(op, stderr string, err error) error {
	e := &Error{Op: op, Msg: "git refuses a repository that another user owns (dubious ownership)", Err: err}
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "git config ") {
			e.Hint = Clean(line)
		}
	}
	return e
}

// ExitCode is git's status, or -1 where it was ended or not run.
func ExitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// TooOld gives git's version if it is older than 2.38, otherwise nothing.
func TooOld(ctx context.Context) string {
	out, err := newCommand(ctx, ".", Call{Args: []string{"version"}, Reads: true}).Output()
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(out))
	if len(fields) < 3 {
		return ""
	}
	return older(fields[2])
}

func older(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return ""
	}
	major, err := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err != nil || err2 != nil || major > 2 || major == 2 && minor >= 38 {
		return ""
	}
	return Clean(version)
}

// tail keeps the end of what is written to it.
type tail struct{ buf []byte }

const maxTail = 32 << 10

// Write implements [io.Writer], and never fails: git must not end for a message.
func (t *tail) Write(b []byte) (int, error) {
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - maxTail; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

// String is what is kept.
func (t *tail) String() string { return string(t.buf) }
