package git

import (
	"context"
	"io/fs"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/git/internal/stored"
)

var _ promote.Tree = (*Tree)(nil)

// Tree is the files of one commit, as they are stored: without the line endings and
// filters of a checkout. What is staged, changed or hidden from git is not seen, and
// no object that stands for another is followed.
type Tree struct {
	commit string
	files  func() (stored.Files, error)
}

// Head gives the tree of the commit that the repository stood on when it was opened, or nil
// before the first commit. Its reads end with ctx.
func (r *Repo) Head(ctx context.Context) (*Tree, error) {
	state, err := r.Opened(ctx)
	if err != nil || state.Head == "" {
		return nil, err
	}
	return r.At(ctx, state.Head), nil
}

// At gives the tree of a commit, which is named by its hash, or by that of another
// with "^" behind it for its first parent. Where there is no parent it has no files. Its
// reads end with ctx.
func (r *Repo) At(ctx context.Context, commit string) *Tree {
	return &Tree{commit, sync.OnceValues(func() (stored.Files, error) {
		files := stored.Files{Context: ctx, Objects: &r.stored}
		hash := commit
		if strings.HasSuffix(commit, "^") {
			out, err := r.run(ctx, gitcmd.Call{Op: "git rev-parse", Args: []string{"rev-parse", "--verify", "--quiet", "--end-of-options", commit}, Reads: true, Env: []string{gitcmd.AsStored}})
			if err != nil && gitcmd.ExitCode(err) == 1 {
				return files, nil
			}
			if hash = strings.TrimSpace(string(out)); err != nil {
				return files, err
			}
		}
		var err error
		files.Root, err = r.stored.RootOf(ctx, hash)
		return files, err
	})}
}

// Commit names the commit as [Repo.At] was told.
func (t *Tree) Commit() string { return t.commit }

// ReadFile gives a file's bytes. A symbolic link is followed as long as it stays in
// the tree.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	files, err := t.files()
	if err != nil {
		return nil, err
	}
	return files.ReadFile(name)
}

// ReadAny reads the first of the names that is a file of the directory.
func (t *Tree) ReadAny(dir string, names []string) (promote.Found, error) {
	files, err := t.files()
	if err != nil {
		return promote.Found{}, err
	}
	return files.ReadAny(dir, names)
}

// ReadDir lists a directory in the order of the names. The root is "." or the empty
// path.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	files, err := t.files()
	if err != nil {
		return nil, err
	}
	return files.ReadDir(name)
}
