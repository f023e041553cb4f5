package git

import (
	"bytes"
	"cmp"
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

var _ promote.Tree = (*Tree)(nil)

// Tree is the files of one commit, as they are stored: without the line endings and
// filters of a checkout. What is staged, changed or hidden from git is not seen, and
// no object that stands for another is followed.
type Tree struct {
	ctx    context.Context
	repo   *Repo
	commit string
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
// with "^" behind it for its first parent. Its reads end with ctx.
func (r *Repo) At(ctx context.Context, commit string) *Tree { return &Tree{ctx, r, commit} }

// Commit names the commit as [Repo.At] was told.
func (t *Tree) Commit() string { return t.commit }

// ReadFile gives a file's bytes. A symbolic link is followed as long as it stays in
// the tree.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	if err := gitcmd.CheckPath(name); err != nil {
		return nil, err
	}
	o, err := t.object(name)
	switch {
	case err != nil:
		return nil, err
	case o.Kind == "":
		return nil, t.missing(name)
	case o.Kind != "blob":
		return nil, &Error{Op: "read " + gitcmd.Clean(name), Msg: "is not a file"}
	}
	return o.Data, t.hidden(name, o.Data)
}

// hidden tells of a blob that a filter of git has put in place of a file: what the file
// holds stands in no commit.
func (t *Tree) hidden(name string, blob []byte) error {
	for begin, what := range map[string]string{"version https://git-lfs.github.com/spec/": "a pointer of Git LFS", "\x00GITCRYPT\x00": "what git-crypt has encrypted"} {
		if bytes.HasPrefix(blob, []byte(begin)) {
			return &Error{Op: "read " + gitcmd.Clean(name), Msg: "commits have " + what + " in its place, which says nothing", Hint: "git check-attr filter -- " + shell.Quote(gitcmd.Clean(name))}
		}
	}
	return nil
}

func (*Tree) missing(name string) error {
	return &Error{Op: "read " + gitcmd.Clean(name), Msg: "no such file or directory", Err: fs.ErrNotExist}
}

// object follows symbolic links. Its kind is empty where the tree has nothing there.
func (t *Tree) object(name string) (gitcmd.Object, error) {
	p, err := gitcmd.Start(t.ctx, t.repo.top, gitcmd.Call{
		Op: "git cat-file", Args: []string{"cat-file", "--batch", "--follow-symlinks", "-z"},
		Stdin: strings.NewReader(t.commit + ":" + name + "\x00"), Reads: true, Env: []string{gitcmd.AsStored},
	})
	if err != nil {
		return gitcmd.Object{}, err
	}
	// Links that lead nowhere are answered by a word and a size in place of an object.
	word, err := p.Out.Peek(len("dangling "))
	if err == nil {
		switch first, _, _ := strings.Cut(string(word), " "); first {
		case "symlink":
			p.Stop()
			return gitcmd.Object{}, gitcmd.LeadsOut(name)
		case "dangling", "notdir":
			p.Stop()
			return gitcmd.Object{}, nil
		case "loop":
			p.Stop()
			return gitcmd.Object{}, &Error{Op: "read " + gitcmd.Clean(name), Msg: "too many levels of symbolic links"}
		}
	}
	o, err := readNamed(p, t.commit+":"+name)
	p.Stop()
	return o, err
}

// readNamed reads the answer for one name.
func readNamed(p *gitcmd.Process, name string) (gitcmd.Object, error) {
	want := name + " missing\n"
	have, err := p.Out.Peek(len(want))
	if string(have) == want {
		return gitcmd.Object{}, nil
	}
	if len(have) == 0 {
		if werr := p.Wait(); werr != nil {
			return gitcmd.Object{}, werr
		}
		return gitcmd.Object{}, &Error{Op: p.Op, Msg: "the output ended early", Err: err}
	}
	return gitcmd.ReadObject(p.Out, strings.Repeat("0", 40))
}

// ReadAny reads the first of the names that is a file of the directory.
func (t *Tree) ReadAny(dir string, names []string) (promote.Found, error) {
	entries, err := t.ReadDir(dir)
	if err != nil {
		return promote.Found{}, err
	}
	var found promote.Found
	err = t.missing(path.Join(dir, names[0]))
	for _, name := range names {
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name }) {
			continue
		}
		if found.Have = append(found.Have, name); found.Name != "" {
			continue
		}
		found.Data, err = t.ReadFile(path.Join(dir, name))
		if !notExist(err) {
			found.Name = name
		}
	}
	return found, err
}

// ReadDir lists a directory in the order of the names. The root is "." or the empty
// path.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	at := t.commit + ":"
	if name != "" && name != "." {
		if err := gitcmd.CheckPath(name); err != nil {
			return nil, err
		}
		o, err := t.object(name)
		if err != nil || o.Kind != "tree" {
			return nil, cmp.Or(err, t.missing(name))
		}
		at = o.ID
	}
	out, err := t.repo.run(t.ctx, gitcmd.Call{Op: "git ls-tree", Args: []string{"ls-tree", "-z", "--full-tree", at}, Reads: true, Env: []string{gitcmd.AsStored}})
	if err != nil {
		return nil, err
	}
	var entries []fs.DirEntry
	for line := range strings.SplitSeq(string(out), "\x00") {
		// mode kind id, a tab, the name
		meta, name, ok := strings.Cut(line, "\t")
		mode, _, _ := strings.Cut(meta, " ")
		if !ok {
			continue
		}
		entries = append(entries, treeEntry{name, mode})
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// treeEntry is a line of git ls-tree: a name and a mode in octal digits.
type treeEntry struct{ name, mode string }

// Name implements [fs.DirEntry].
func (e treeEntry) Name() string { return e.name }

// IsDir implements [fs.DirEntry]; a submodule is a directory, as in a working tree.
func (e treeEntry) IsDir() bool { return e.Type().IsDir() }

// Type implements [fs.DirEntry].
func (e treeEntry) Type() fs.FileMode {
	switch e.mode {
	case "040000", "160000":
		return fs.ModeDir
	case "120000":
		return fs.ModeSymlink
	}
	return 0
}

// Info is an error: a commit has neither sizes nor times.
func (e treeEntry) Info() (fs.FileInfo, error) { return nil, fs.ErrInvalid }
