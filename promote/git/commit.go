package git

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"
)

// commitLimit is how long git commit may take, with its hooks and signing.
const commitLimit = 10 * time.Minute

// CheckIdentity tells whether git knows whom to name as author and committer.
// Call it before writing, so that a promotion does not stop half-way.
func (r *Repo) CheckIdentity(ctx context.Context) error {
	for _, name := range []string{"GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"} {
		_, err := r.run(ctx, call{op: "find out who commits", args: []string{"var", name}, env: reading()})
		var e *Error
		if errors.As(err, &e) && ctx.Err() == nil {
			e.Hint = `git config user.name "Your Name" && git config user.email you@example.com`
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Commit records exactly these paths as they are in the working tree, on top of
// the head, and returns the commit. What else is staged stays staged. The
// user's hooks run and the commit is signed as configured.
//
// Once begun, git commit is not interrupted: a cancelled ctx has an effect
// before it only.
func (r *Repo) Commit(ctx context.Context, paths []string, message string) (string, error) {
	if err := checkPaths(paths); err != nil {
		return "", err
	}
	if len(paths) == 0 {
		return "", &Error{Op: "git commit", Msg: "no files to commit"}
	}
	if strings.TrimSpace(message) == "" {
		return "", &Error{Op: "git commit", Msg: "the commit message is empty"}
	}
	if err := ctx.Err(); err != nil {
		return "", interrupted("git commit", err)
	}
	list, err := r.pathspecFile(paths)
	if err != nil {
		return "", err
	}
	defer os.Remove(list)
	sheltered, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
	defer cancel()
	args := durableObjects()
	if len(paths) >= manyPaths {
		r.prewrite(sheltered, paths)
		if err := ctx.Err(); err != nil {
			return "", interrupted("git commit", err)
		}
		// To look at the files' times ahead, git would compare each file of the
		// repository with each path once more.
		args = append(args, "-c", "core.preloadIndex=false")
	}
	args = append(args, "commit", "--quiet", "--only", "--pathspec-from-file="+list,
		"--pathspec-file-nul", "-F", "-", "--cleanup=whitespace")
	if _, err := r.run(sheltered, call{op: "git commit", args: args, stdin: strings.NewReader(message)}); err != nil {
		return "", r.refused(sheltered, paths, err)
	}
	return r.recorded(sheltered)
}

// pathspecFile writes the paths into a file for git to read: there may be more
// than a command line takes, and stdin holds the message.
func (r *Repo) pathspecFile(paths []string) (string, error) {
	f, err := os.CreateTemp(r.gitDir, "kubepromote-paths-")
	if err != nil {
		return "", &Error{Op: "git commit", Msg: "cannot write into the git directory: " + bare(err), Err: err}
	}
	_, err = f.WriteString(literal + strings.Join(paths, "\x00"+literal) + "\x00")
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", &Error{Op: "git commit", Msg: "cannot write into the git directory: " + bare(err), Err: err}
	}
	return f.Name(), nil
}

// refused explains why git commit failed.
func (r *Repo) refused(ctx context.Context, paths []string, err error) error {
	var e *Error
	if !errors.As(err, &e) || ctx.Err() != nil {
		return err
	}
	// Git gave no reason: it prints nothing when there is nothing to commit.
	if strings.HasPrefix(e.Msg, "git: ") {
		state, serr := r.State(ctx, paths)
		if serr == nil && len(state.Dirty) == 0 {
			return &Error{Op: "git commit", Msg: "nothing to commit, the files are as in the head", Err: err}
		}
		return &Error{Msg: "the commit was refused by git: a hook failed and gave no reason", Hint: "git hook run pre-commit", Err: err}
	}
	return &Error{Msg: "the commit was refused by git: " + e.Msg, Hint: e.Hint, Err: err}
}

// recorded makes the new commit durable and gives its name.
func (r *Repo) recorded(ctx context.Context) (string, error) {
	out, err := r.run(ctx, call{op: "git rev-parse", args: []string{"rev-parse", "--verify", "HEAD"}, env: reading()})
	if err != nil {
		return "", &Error{Op: "the commit was made, but git rev-parse HEAD failed", Msg: bare(err), Err: err}
	}
	hash := strings.TrimSpace(string(out))
	dirs := []string{r.gitDir}
	if r.common != r.gitDir {
		dirs = append(dirs, r.common)
	}
	for _, dir := range dirs {
		if err := syncFileSystem(dir); err != nil {
			return hash, &Error{Op: "commit " + hash + " was made, but may not survive a crash", Msg: bare(err), Err: err}
		}
	}
	return hash, nil
}

func syncFileSystem(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return syncWhole(f)
}
