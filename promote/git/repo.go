package git

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/git/internal/stored"
	"github.com/kubepromote/kubepromote/promote/history"
)

var (
	_ promote.Repo = (*Repo)(nil)
	_ history.Log  = (*Repo)(nil)
)

// Repo is a Git repository with a working tree. Its methods may be called
// concurrently.
type Repo struct {
	root *os.Root
	// top is the work tree, gitDir this work tree's own git directory, common
	// the one that it shares with other work trees, index git's index, store the
	// directory of its objects; all of them absolute.
	top, gitDir, common, index, store string
	prefix                            string
	env                               []string // of what reads objects
	stored                            stored.Objects
	opened                            promote.State
}

// Open finds the repository that dir is in. It is an error if dir is in no
// repository or only in a bare one, if git refuses the repository because of
// its owner, or if git is missing or too old.
func Open(ctx context.Context, dir string) (*Repo, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, &Error{Msg: "the working directory is gone", Err: err}
	}
	answer, err := locate(ctx, abs)
	if err != nil {
		return nil, err
	}
	r := &Repo{
		top:    filepath.FromSlash(answer[0]),
		gitDir: filepath.FromSlash(answer[1]),
		common: filepath.FromSlash(answer[2]),
		index:  filepath.FromSlash(answer[3]),
		store:  filepath.FromSlash(answer[4]),
		prefix: strings.TrimSuffix(answer[5], "/"),
	}
	if len(answer) > len(locations) {
		r.opened = standing(answer[6], answer[7])
	}
	r.stored.Dir = r.top
	if r.root, err = os.OpenRoot(r.top); err != nil {
		return nil, gitcmd.FileError("open", r.top, err)
	}
	return r, nil
}

// locations are the questions for the work tree, the git directory, the common one, the
// index, the objects and the prefix.
var locations = []string{"--show-toplevel", "--git-dir", "--git-common-dir", "--git-path index", "--git-path objects", "--show-prefix"}

// locate asks for the locations, and for the head and its branch at once: before the first
// commit, where that fails, for the locations alone. Git ends each answer with a newline, so
// only a path with a newline in it needs a question for each.
func locate(ctx context.Context, dir string) ([]string, error) {
	out, err := revParse(ctx, dir, append(slices.Clone(locations), whereabouts)...)
	if answers := strings.Split(out, "\n"); err == nil && len(answers) == len(locations)+2 {
		return answers, nil
	}
	out, err = revParse(ctx, dir, locations...)
	if err != nil {
		return nil, notOpened(ctx, dir, err)
	}
	answers := strings.Split(out, "\n")
	if len(answers) == len(locations) {
		return answers, nil
	}
	if old := gitcmd.TooOld(ctx); old != "" {
		return nil, &Error{Msg: "git " + old + " is too old, 2.38 or newer is needed", Hint: "git --version"}
	}
	answers = nil
	for _, question := range locations {
		out, err := revParse(ctx, dir, question)
		if err != nil {
			return nil, notOpened(ctx, dir, err)
		}
		answers = append(answers, out)
	}
	return answers, nil
}

// revParse asks in dir. A folder that only looks like a bare repository, in a
// clone of somebody else's, is not taken for one: its configuration could name
// programs to run.
func revParse(ctx context.Context, dir string, questions ...string) (string, error) {
	args := []string{"-c", "safe.bareRepository=explicit", "rev-parse", "--path-format=absolute"}
	args = append(args, strings.Fields(strings.Join(questions, " "))...)
	out, err := gitcmd.Run(ctx, dir, gitcmd.Call{Op: "open " + gitcmd.Clean(dir), Args: args, Reads: true})
	return strings.TrimSuffix(string(out), "\n"), err
}

// notOpened says why dir is of no use.
func notOpened(ctx context.Context, dir string, err error) error {
	var e *Error
	if !errors.As(err, &e) || ctx.Err() != nil {
		return err
	}
	switch {
	case strings.HasPrefix(e.Msg, "not a git repository"):
		return &Error{Msg: gitcmd.Clean(dir) + " is not in a git repository", Hint: "git init", Err: err}
	case strings.Contains(e.Msg, "must be run in a work tree"), strings.Contains(e.Msg, "cannot use bare repository"):
		return &Error{Msg: gitcmd.Clean(dir) + " is in a bare repository or in a git directory, without files to edit",
			Hint: "git clone " + shell.Quote(gitcmd.Clean(dir)), Err: err}
	case strings.HasPrefix(e.Msg, "cannot change to"):
		return &Error{Msg: gitcmd.Clean(dir) + " is not a directory that can be entered", Err: err}
	}
	return err
}

// Root gives the absolute path of the work tree.
func (r *Repo) Root() string { return r.top }

// GitDir gives the absolute path of git's directory that all work trees of the
// repository share.
func (r *Repo) GitDir() string { return r.common }

// Prefix gives the directory that Open was called with, relative to the root
// and with slashes; it is empty at the root.
func (r *Repo) Prefix() string { return r.prefix }

// Opened tells on which commit and branch the repository stood when it was opened; it may
// have moved since, which [Repo.State] asks. Nothing is said of its files.
func (r *Repo) Opened(ctx context.Context) (promote.State, error) {
	if r.opened.Head == "" {
		return r.State(ctx, nil)
	}
	return r.opened, nil
}

// Close releases the handles on the work tree, and ends what still runs.
func (r *Repo) Close() error {
	r.stored.Close()
	return r.root.Close()
}

func (r *Repo) run(ctx context.Context, c gitcmd.Call) ([]byte, error) {
	return gitcmd.Run(ctx, r.top, c)
}

// Error is what every function of this package fails with: Op is what was being done, Msg
// one line, Hint a command to type next, Err the cause.
type Error = gitcmd.Error
