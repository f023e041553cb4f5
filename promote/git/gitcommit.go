package git

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// gitCommit has git commit record the files.
func (r *Repo) gitCommit(ctx context.Context, d promote.Delivery) (string, error) {
	if err := r.unchanged(d.Files); err != nil {
		return "", err
	}
	if head, err := r.head(ctx); d.Head != "" && err != nil {
		return "", err
	} else if head.hash != d.Head {
		return "", &Error{Op: "git commit", Msg: fmt.Sprintf("the head is at %.9s now, and no longer at %.9s", head.hash, d.Head), Hint: "run the same command again"}
	}
	forget, err := r.announce(ctx, d.Files)
	if err != nil {
		return "", err
	}
	failed := r.runCommit(ctx, d)
	// Whatever git says, it is the head that tells whether there is a commit: a hook
	// may fail or hang, or git be ended, when it has made it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	now, err := r.head(ctx)
	if failed == nil && err == nil && now.hash == d.Head {
		failed = &Error{Op: "git commit", Msg: "the head has not moved"}
	}
	switch {
	case err != nil && failed != nil || err == nil && now.hash == d.Head:
		forget(ctx)
		return "", r.refused(ctx, pathsOf(d.Files), failed)
	case err != nil:
		return "", &Error{Op: "the commit was made, but git rev-parse HEAD failed", Msg: files.Reason(err), Err: err}
	case now.parents != d.Head:
		// Somebody has committed in the meantime: before, if git commit succeeded.
		err = &Error{Msg: fmt.Sprintf("commit %.9s is not on top of %.9s, where the plan was made", now.hash, d.Head), Hint: "git log -p " + now.hash}
		if failed != nil {
			return "", r.refusedByGit(failed)
		}
		return now.hash, err
	}
	err = r.holds(ctx, now.hash, d)
	if failed == nil {
		return now.hash, cmp.Or(err, r.isAsPlanned(ctx, now.hash, d))
	}
	if err != nil { // it is another's commit
		return "", r.refusedByGit(failed)
	}
	reason := failed.Error()
	if e := (*Error)(nil); errors.As(failed, &e) {
		reason = e.Msg
	}
	return now.hash, &Error{Op: fmt.Sprintf("commit %.9s was made, but git commit failed", now.hash), Msg: reason, Err: failed}
}

// announce tells git of new files: git commit knows no others. What it gives has git
// forget them again, where there is no commit.
func (r *Repo) announce(ctx context.Context, list []promote.File) (forget func(context.Context), err error) {
	var specs []string
	for _, f := range list {
		if f.New {
			specs = append(specs, gitcmd.Literal+f.Path)
		}
	}
	if len(specs) == 0 {
		return func(context.Context) {}, nil
	}
	_, err = r.run(ctx, gitcmd.Call{Op: "git add", Args: append(gitcmd.Durably("add", "--intent-to-add", "--"), specs...), Env: []string{gitcmd.InEnglish}})
	return func(ctx context.Context) {
		_, _ = r.run(ctx, gitcmd.Call{Op: "git rm", Args: append([]string{"rm", "--cached", "--quiet", "--ignore-unmatch", "--"}, specs...), Env: []string{gitcmd.InEnglish}})
	}, err
}

// runCommit runs git commit.
func (r *Repo) runCommit(ctx context.Context, d promote.Delivery) error {
	// Standard input holds the paths: there may be more than a command line takes.
	message, err := os.CreateTemp(r.gitDir, gitcmd.Temporary(r.gitDir, "message"))
	if err != nil {
		return gitcmd.FileError("write", "the commit message", err)
	}
	defer os.Remove(message.Name())
	_, err = message.WriteString(d.Message)
	if err = errors.Join(err, message.Close()); err != nil {
		return gitcmd.FileError("write", "the commit message", err)
	}
	paths := pathsOf(d.Files)
	// Git looks at the files itself: a monitor may not have heard of them yet. What
	// replaces an object would end up in the commit for good.
	args := gitcmd.Durably("-c", "core.fsmonitor=false", "-c", "core.useReplaceRefs=false")
	if len(paths) >= manyPaths {
		// To look at the files' times ahead, git would compare each file of the
		// repository with each path once more.
		args = append(args, "-c", "core.preloadIndex=false")
	}
	args = append(args, "commit", "--quiet", "--only", "--pathspec-from-file=-", "--pathspec-file-nul", "-F", message.Name(), "--cleanup=verbatim")
	// Literally, but not by the environment, which hooks would inherit.
	specs := gitcmd.Literal + strings.Join(paths, "\x00"+gitcmd.Literal) + "\x00"
	begin := time.Now()
	p, err := gitcmd.Start(ctx, r.top, gitcmd.Call{Op: "git commit", Args: args, Stdin: strings.NewReader(specs)})
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, p.Out)
	if err = p.Wait(); err != nil {
		if gitcmd.ExitCode(err) < 0 {
			r.clearLocks(p.Cmd.Process.Pid, begin, err)
		}
		r.clearObjects(begin)
	}
	return err
}

// commitID is a commit and its parents, which are separated by blanks.
type commitID struct{ hash, parents string }

func (r *Repo) head(ctx context.Context) (commitID, error) {
	out, err := r.run(ctx, gitcmd.Call{Op: "git rev-list", Args: []string{"rev-list", "--parents", "--max-count=1", "HEAD", "--"}, Reads: true, Env: []string{gitcmd.AsStored}})
	hash, parents, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return commitID{hash, parents}, err
}

// unchanged makes sure that the files still hold what was written, or was found
// there when they were to be written.
func (r *Repo) unchanged(list []promote.File) error {
	for _, f := range list {
		data, err := r.ReadFile(f.Path)
		if err != nil {
			return err
		}
		if !bytes.Equal(data, f.Data) {
			return &Error{Msg: gitcmd.Clean(f.Path) + " has been changed by somebody else in the meantime", Hint: "run the same command again"}
		}
	}
	return nil
}

// holds looks at the commit itself: a hook may have rewritten the files. Git may
// store line endings, and what filters are for, otherwise than the working tree has
// them.
func (r *Repo) holds(ctx context.Context, commit string, d promote.Delivery) error {
	blobs, err := r.Committed(ctx, pathsOf(d.Files))
	if err != nil {
		return &Error{Msg: "commit " + commit + " was made and could not be read back: " + files.Reason(err), Err: err}
	}
	for _, f := range d.Files {
		if bytes.Equal(unixLines(blobs[f.Path]), unixLines(f.Data)) {
			continue
		}
		same, err := r.storedAs(ctx, commit, f)
		if err != nil {
			return err
		}
		if !same {
			return &Error{Msg: fmt.Sprintf("commit %.9s does not hold what was planned for %s", commit, gitcmd.Clean(f.Path)), Hint: "git show " + commit}
		}
	}
	return nil
}

// isAsPlanned looks at the rest of a commit: a hook may have changed its message, or
// put other files into it.
func (r *Repo) isAsPlanned(ctx context.Context, commit string, d promote.Delivery) error {
	unreadable := func(err error) error {
		return &Error{Msg: "commit " + commit + " was made and could not be read back: " + files.Reason(err), Err: err}
	}
	out, err := r.run(ctx, gitcmd.Call{Op: "git diff-tree", Reads: true, Env: []string{gitcmd.AsStored},
		Args: []string{"diff-tree", "-r", "-z", "--root", "--no-commit-id", "--no-renames", "--name-only", commit}})
	if err != nil {
		return unreadable(err)
	}
	planned := pathsOf(d.Files)
	for name := range strings.SplitSeq(string(out), "\x00") {
		// A file may have taken the place of a directory.
		if name != "" && !slices.ContainsFunc(planned, func(p string) bool { return name == p || strings.HasPrefix(name, p+"/") }) {
			return &Error{Msg: fmt.Sprintf("commit %.9s also holds %s, which a hook has put there", commit, gitcmd.Clean(name)), Hint: "git show " + commit}
		}
	}
	if d.Check == nil {
		return nil
	}
	out, err = r.run(ctx, gitcmd.Call{Op: "git log", Reads: true, Env: []string{gitcmd.AsStored},
		Args: []string{"log", "-1", "--format=%B", "--encoding=UTF-8", "--no-show-signature", "--no-notes", "--no-color", commit}})
	if err != nil {
		return unreadable(err)
	}
	if err := d.Check(string(out)); err != nil {
		return &Error{Msg: fmt.Sprintf("commit %.9s was made, but a hook has changed its record: %v", commit, err), Hint: "git show " + commit, Err: err}
	}
	return nil
}

func unixLines(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }

// refused explains why git commit failed.
func (r *Repo) refused(ctx context.Context, paths []string, err error) error {
	var e *Error
	if !errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	// Git gave no reason: it prints nothing when there is nothing to commit. It was
	// not ended, which has another status.
	if strings.HasPrefix(e.Msg, "git: ") && gitcmd.ExitCode(err) == 1 {
		state, serr := r.State(ctx, paths)
		if serr == nil && len(state.Dirty) == 0 {
			return &Error{Op: "git commit", Msg: "nothing to commit, the files are as in the head", Err: err}
		}
		return &Error{Msg: "the commit was refused by git: a hook failed and gave no reason", Hint: "git hook run pre-commit", Err: err}
	}
	if strings.HasPrefix(e.Msg, ended) {
		return &Error{Op: "git commit was ended in the middle", Msg: strings.TrimPrefix(e.Msg, "git: "), Err: err}
	}
	return r.refusedByGit(err)
}

// ended begins what is said of a git that did not end by itself.
const ended = "git: signal: "

// refusedByGit says of a step of a commit what is said of git commit.
func (r *Repo) refusedByGit(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	if strings.Contains(e.Msg, ".lock': File exists") {
		if lock := r.locked(true); lock != nil {
			return lock
		}
	}
	return &Error{Msg: "the commit was refused by git: " + e.Msg, Hint: e.Hint, Err: err}
}
