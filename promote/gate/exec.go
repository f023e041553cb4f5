package gate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// command passes what a command says yes to.
type command struct {
	cfg   *pipeline.ExecGate
	deps  Deps
	slots chan struct{}
}

// manyCommands is how many commands of a gate run at once.
const manyCommands = 16

func newCommand(cfg *pipeline.ExecGate, d Deps) *command {
	return &command{cfg, d, make(chan struct{}, manyCommands)}
}

// The exit statuses of a command, as those of this program.
const (
	exitWait    = 4
	exitUnknown = 5
)

// maxOutput bounds what is kept of what a command prints.
const maxOutput = 64 << 10

// leave is how long a command may take to end once it was told to.
const leave = time.Second

// AllowExecKey is the setting of git by which a user lets a repository run commands.
const AllowExecKey = "promote.allowExec"

func (c *command) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	if c.deps.Root == "" {
		return unknown("there is no working tree to run a command in")
	}
	if c.deps.AllowExec == nil || !c.deps.AllowExec(ctx) {
		v := unknown("this clone may not run %s", strings.Join(c.cfg.Command, " "))
		v.Hint = "git config " + AllowExecKey + " true"
		return v
	}
	program, v := c.program()
	if v != nil {
		return *v
	}
	input, err := json.Marshal(struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		promote.GateRequest
	}{pipeline.APIVersion, "GateRequest", q})
	if err != nil {
		return unknown("what is promoted cannot be written as JSON: %v", err)
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
		return c.run(ctx, program, input)
	case <-ctx.Done():
		return unknown("%s was not begun in time: %d others were running", path.Base(c.cfg.Command[0]), manyCommands)
	}
}

// program finds what is to be run. A file of the repository is run only as it is
// committed: a change that nobody has reviewed has no say.
func (c *command) program() (string, *promote.Verdict) {
	name := c.cfg.Command[0]
	if !strings.Contains(name, "/") {
		found, err := exec.LookPath(name)
		if err != nil || !filepath.IsAbs(found) {
			v := unknown("%s is not on the PATH", name)
			return "", &v
		}
		return found, nil
	}
	clean := path.Clean(name)
	file := filepath.Join(c.deps.Root, filepath.FromSlash(clean))
	there, err := os.ReadFile(file)
	var committed []byte
	if err == nil && c.deps.Tree != nil {
		committed, err = c.deps.Tree.ReadFile(clean)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v := unknown("%s is not there", clean)
		return "", &v
	case err != nil:
		v := unknown("%s cannot be read: %s", clean, fault.OneLine(err.Error()))
		return "", &v
	case c.deps.Tree != nil && !bytes.Equal(there, committed):
		v := unknown("%s is not as it is committed", clean)
		v.Hint = "git commit " + shell.Pathspecs(clean) + ", or git stash"
		return "", &v
	}
	return file, nil
}

func (c *command) run(ctx context.Context, program string, input []byte) promote.Verdict {
	cmd := exec.CommandContext(ctx, program, c.cfg.Command[1:]...)
	cmd.Dir = c.deps.Root
	cmd.Env = c.environment()
	cmd.Stdin = bytes.NewReader(input)
	out := &bounded{}
	cmd.Stdout, cmd.Stderr = out, &bounded{}
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return killGroup(cmd.Process) }
	cmd.WaitDelay = leave
	err := cmd.Run()
	if cmd.Process != nil {
		_ = killGroup(cmd.Process) // what it has left behind
	}
	name := path.Base(c.cfg.Command[0])
	var exit *exec.ExitError
	reason := func(silent string) string {
		if line := out.line(); line != "" {
			return line
		}
		return name + " " + silent
	}
	switch {
	case ctx.Err() != nil:
		return unknown("%s did not end in time", name)
	case errors.As(err, &exit) && exit.ExitCode() < 0:
		return unknown("%s was ended: %v", name, exit)
	case errors.As(err, &exit) && exit.ExitCode() == exitWait:
		return say(promote.Wait, "%s", reason("asks to wait"))
	case errors.As(err, &exit) && exit.ExitCode() == exitUnknown:
		return unknown("%s", reason("cannot tell"))
	case errors.As(err, &exit):
		return say(promote.Fail, "%s", reason("says no: "+exit.Error()))
	case errors.Is(err, exec.ErrWaitDelay):
		return unknown("%s has left something running", name)
	case err != nil:
		return unknown("%s cannot be run: %s", name, fault.OneLine(err.Error()))
	}
	return pass("%s", reason("says yes"))
}

// environment is what the command gets: what programs need to be found and to run, and
// the variables that the pipeline names.
func (c *command) environment() []string {
	names := []string{"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ"}
	if runtime.GOOS == "windows" {
		names = append(names, "SystemRoot", "TEMP", "TMP", "PATHEXT", "USERPROFILE")
	}
	var env []string
	for _, name := range append(names, c.cfg.Env...) {
		if value, ok := c.deps.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ bytes.Buffer }

// Write implements [io.Writer]: all of b counts as written, however much is kept.
func (o *bounded) Write(b []byte) (int, error) {
	if room := maxOutput - o.Len(); room > 0 {
		o.Buffer.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

// line is the first line that says something.
func (o *bounded) line() string {
	for line := range strings.Lines(o.String()) {
		if line = strings.TrimSpace(fault.OneLine(strings.TrimSpace(line))); line != "" {
			return line
		}
	}
	return ""
}
