package git

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote"
)

// commitLimit is how long a commit may take, with its hooks and signing.
const commitLimit = 10 * time.Minute

// Commit writes the files as [Repo.Write] does, and records them in one commit
// on top of d.Head. Whatever else is staged stays staged. The user's hooks run
// and the commit is signed as configured. The commit holds the files' bytes, but
// for line endings that git is set up to store otherwise; where a hook has made
// something else of them, that is an error beside the commit's name.
//
// Cancelling ctx has an effect until the first file is replaced; from then on
// the commit is made. An error is a [*promote.NotCommitted] if the files are
// written and there is no commit. That git does not know whom to name as author
// is found before anything is written. Another Commit or Write in this working
// tree waits until the files are written.
func (r *Repo) Commit(ctx context.Context, d promote.Delivery) (string, error) {
	d.Message = tidy(d.Message)
	if err := checkDelivery(ctx, d); err != nil {
		return "", err
	}
	unlock, err := lockTree(ctx, r.root)
	if err != nil {
		return "", err
	}
	defer unlock()
	sheltered, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitLimit)
	defer cancel()
	asked := later(func() (struct{}, error) {
		if d.Ready == nil {
			return struct{}{}, nil
		}
		return struct{}{}, d.Ready(ctx)
	})
	who := later(func() (identity, error) { return r.identity(sheltered) })
	checked, failed := make(chan struct{}), make(chan struct{})
	objects := later(func() (made, error) {
		return r.makeCommit(sheltered, d, who, func() error {
			// Where nothing can be written, no objects are left behind either.
			select {
			case <-checked:
				_, err := asked()
				return err
			case <-failed:
				return errNotMade
			}
		})
	})
	w := &writer{root: r.root, hook: none, checked: func() { close(checked) }, ready: func() error {
		_, err := asked()
		if err == nil {
			_, err = who() // nobody to name is found before anything is written
		}
		return cmp.Or(err, r.indexFree())
	}}
	if err := w.write(ctx, d.Files); err != nil {
		// What has begun is not stopped: git would leave the half of a pack.
		close(failed)
		_, _ = asked()
		if m, err := objects(); err == nil {
			m.ref.abandon()
		}
		return "", err
	}
	hash, err := r.record(sheltered, d, objects, w.stats(), unlock)
	err = cmp.Or(err, w.settle())
	if hash == "" {
		return "", &promote.NotCommitted{Err: err}
	}
	return hash, cmp.Or(err, r.makeDurable(hash))
}

// record commits the files, which are in the working tree. Git commit has locks of
// its own, and its hooks may run this program: it goes without ours.
func (r *Repo) record(ctx context.Context, d promote.Delivery, objects func() (made, error), stats map[string]fileStat, unlock func()) (string, error) {
	// Why there is no commit does not matter: git commit makes its own.
	if m, err := objects(); err == nil {
		hash, err := r.moveHead(ctx, d, m, stats)
		if !errors.Is(err, errNotMade) {
			return hash, err
		}
	}
	unlock()
	return r.gitCommit(ctx, d)
}

// indexFree finds another git that is at work, or was ended in the middle of it.
func (r *Repo) indexFree() error {
	r.clearLock()
	name := r.lockName()
	if _, err := os.Lstat(name); err == nil {
		return &Error{Op: "git commit", Msg: "another git is at work here, or has been killed: there is an index.lock", Hint: "wait for it, or rm " + quote(name)}
	}
	return nil
}

func checkDelivery(ctx context.Context, d promote.Delivery) error {
	switch {
	case len(d.Files) == 0:
		return &Error{Op: "git commit", Msg: "no files to commit"}
	case d.Message == "":
		return &Error{Op: "git commit", Msg: "the commit message is empty"}
	case strings.ContainsRune(d.Message, 0):
		return &Error{Op: "git commit", Msg: "the commit message has a zero byte"}
	case ctx.Err() != nil:
		return interrupted("git commit", ctx.Err())
	}
	return nil
}

// tidy removes what git would: blanks at the ends of lines, and empty lines at
// the ends and next to each other.
func tidy(message string) string {
	var b strings.Builder
	empty := false
	for line := range strings.Lines(message) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" {
			empty = true
			continue
		}
		if empty && b.Len() > 0 {
			b.WriteByte('\n')
		}
		empty = false
		b.WriteString(line + "\n")
	}
	return b.String()
}

// later runs fn beside the caller. The function that it returns waits for the
// result.
func later[T any](fn func() (T, error)) func() (T, error) {
	var result T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		result, err = fn()
	}()
	return func() (T, error) {
		<-done
		return result, err
	}
}

// identity is whom a commit names, each with the time, as a commit has them.
type identity struct{ author, committer string }

// identity asks git whom to name.
func (r *Repo) identity(ctx context.Context) (identity, error) {
	ask := func(name string) (string, error) {
		out, err := r.run(ctx, call{op: "find out who commits", args: []string{"var", name}, env: reading()})
		var e *Error
		if errors.As(err, &e) && ctx.Err() == nil {
			e.Hint = `git config user.name "Your Name" && git config user.email you@example.com`
		}
		return strings.TrimSpace(string(out)), err
	}
	committer := later(func() (string, error) { return ask("GIT_COMMITTER_IDENT") })
	var who identity
	var err, cerr error
	who.author, err = ask("GIT_AUTHOR_IDENT")
	who.committer, cerr = committer()
	if err == nil {
		err = cerr
	}
	return who, err
}

// gitCommit has git commit record the files.
func (r *Repo) gitCommit(ctx context.Context, d promote.Delivery) (string, error) {
	if err := r.unchanged(d.Files); err != nil {
		return "", err
	}
	if d.Head != "" {
		head, err := r.head(ctx)
		if err != nil {
			return "", err
		}
		if head != d.Head {
			return "", &Error{Op: "git commit", Msg: fmt.Sprintf("the head is at %.9s now, and no longer at %.9s", head, d.Head), Hint: "run the same command again"}
		}
	}
	paths := pathsOf(d.Files)
	list, err := r.pathspecFile(paths)
	if err != nil {
		return "", err
	}
	defer os.Remove(list)
	args := durableObjects()
	if len(paths) >= manyPaths {
		// To look at the files' times ahead, git would compare each file of the
		// repository with each path once more.
		args = append(args, "-c", "core.preloadIndex=false")
	}
	args = append(args, "commit", "--quiet", "--only", "--pathspec-from-file="+list,
		"--pathspec-file-nul", "-F", "-", "--cleanup=verbatim")
	if _, err := r.run(ctx, call{op: "git commit", args: args, stdin: strings.NewReader(d.Message)}); err != nil {
		return "", r.refused(ctx, paths, err)
	}
	hash, err := r.head(ctx)
	if err != nil {
		return "", &Error{Op: "the commit was made, but git rev-parse HEAD failed", Msg: bare(err), Err: err}
	}
	return hash, r.holds(ctx, hash, d.Files)
}

func (r *Repo) head(ctx context.Context) (string, error) {
	out, err := r.run(ctx, call{op: "git rev-parse", args: []string{"rev-parse", "--verify", "HEAD"}, env: reading()})
	return strings.TrimSpace(string(out)), err
}

func pathsOf(files []promote.File) []string {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.Path
	}
	return paths
}

// unchanged makes sure that the files still hold what was written, or was found
// there when they were to be written.
func (r *Repo) unchanged(files []promote.File) error {
	for _, f := range files {
		data, err := r.ReadFile(f.Path)
		if err != nil {
			return err
		}
		if !bytes.Equal(data, f.Data) {
			return &Error{Msg: clean(f.Path) + " has been changed by somebody else in the meantime", Hint: "run the same command again"}
		}
	}
	return nil
}

// holds looks at the commit itself: a hook may have rewritten the files. Git may
// store line endings otherwise than the working tree has them.
func (r *Repo) holds(ctx context.Context, commit string, files []promote.File) error {
	blobs, err := r.Committed(ctx, pathsOf(files))
	if err != nil {
		return &Error{Msg: "commit " + commit + " was made and could not be read back: " + bare(err), Err: err}
	}
	for _, f := range files {
		if !bytes.Equal(unixLines(blobs[f.Path]), unixLines(f.Data)) {
			return &Error{Msg: fmt.Sprintf("commit %.9s does not hold what was planned for %s", commit, clean(f.Path)), Hint: "git show " + commit}
		}
	}
	return nil
}

func unixLines(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }

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
	return refusedByGit(err)
}

// makeDurable has a new commit survive a crash of the machine.
func (r *Repo) makeDurable(hash string) error {
	dirs := []string{r.gitDir}
	if r.common != r.gitDir {
		dirs = append(dirs, r.common)
	}
	for _, dir := range dirs {
		if err := syncFileSystem(dir); err != nil {
			return &Error{Op: "commit " + hash + " was made, but may not survive a crash", Msg: bare(err), Err: err}
		}
	}
	return nil
}

func syncFileSystem(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return syncWhole(f)
}
