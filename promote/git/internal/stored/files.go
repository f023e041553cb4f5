package stored

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// maxLinks is how many symbolic links one path may lead through.
const maxLinks = 16

// maxTarget is how many bytes the path in a link may have, as on Linux.
const maxTarget = 4096

// Files are those below the tree Root, which is empty where there are none.
type Files struct {
	Context context.Context // of the reads
	Objects *Objects
	Root    string
}

// ReadFile gives the bytes of a file. A symbolic link is followed as long as it stays in the
// tree. One that a filter of git has replaced is an error, as what it holds is not here.
func (f Files) ReadFile(name string) ([]byte, error) {
	if err := gitcmd.CheckPath(name); err != nil {
		return nil, err
	}
	e, err := f.find(name)
	if err != nil {
		return nil, err
	}
	if e.IsDir() {
		return nil, &gitcmd.Error{Op: "read " + gitcmd.Clean(name), Msg: "is not a file"}
	}
	o, err := f.Objects.Get(f.Context, e.ID)
	if err != nil {
		return nil, err
	}
	if o.Kind != "blob" {
		return nil, &gitcmd.Error{Op: "read " + gitcmd.Clean(name), Msg: "is not a file"}
	}
	return o.Data, hidden(name, o.Data)
}

// hidden tells of a blob that a filter of git has put in place of a file: what the file
// holds stands in no commit.
func hidden(name string, blob []byte) error {
	for begin, what := range map[string]string{"version https://git-lfs.github.com/spec/": "a pointer of Git LFS", "\x00GITCRYPT\x00": "what git-crypt has encrypted"} {
		if bytes.HasPrefix(blob, []byte(begin)) {
			return &gitcmd.Error{Op: "read " + gitcmd.Clean(name), Msg: "commits have " + what + " in its place, which says nothing", Hint: "git check-attr filter -- " + shell.Quote(gitcmd.Clean(name))}
		}
	}
	return nil
}

// ReadDir lists a directory in the order of the names. The root is "." or the empty path.
func (f Files) ReadDir(name string) ([]fs.DirEntry, error) {
	id := f.Root
	if name != "" && name != "." {
		if err := gitcmd.CheckPath(name); err != nil {
			return nil, err
		}
		e, err := f.find(name)
		if err != nil {
			return nil, err
		}
		if e.Mode != ModeTree {
			return nil, missing(name)
		}
		id = e.ID
	}
	if id == "" {
		return nil, missing(name)
	}
	entries, err := f.Objects.Tree(f.Context, id)
	if err != nil {
		return nil, err
	}
	out := make([]fs.DirEntry, len(entries))
	for i, e := range entries {
		out[i] = e
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return out, nil
}

// ReadAny reads the first of the names that is a file of the directory.
func (f Files) ReadAny(dir string, names []string) (promote.Found, error) {
	entries, err := f.ReadDir(dir)
	if err != nil {
		return promote.Found{}, err
	}
	var found promote.Found
	err = missing(path.Join(dir, names[0]))
	for _, name := range names {
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name }) {
			continue
		}
		if found.Have = append(found.Have, name); found.Name != "" {
			continue
		}
		found.Data, err = f.ReadFile(path.Join(dir, name))
		if !errors.Is(err, fs.ErrNotExist) {
			found.Name = name
		}
	}
	return found, err
}

func missing(name string) error {
	return &gitcmd.Error{Op: "read " + gitcmd.Clean(name), Msg: "no such file or directory", Err: fs.ErrNotExist}
}

// find walks from the root to a path, and through symbolic links as the system does: what
// ".." leaves is where a link has led to, and not what it is called.
func (f Files) find(name string) (Entry, error) {
	at := []Entry{{Mode: ModeTree, ID: f.Root}} // what leads here
	links := 0
	for rest := strings.Split(name, "/"); len(rest) > 0; {
		elem, here := rest[0], at[len(at)-1]
		rest = rest[1:]
		if here.Mode != ModeTree || here.ID == "" {
			return Entry{}, missing(name)
		}
		switch {
		case elem == "" || elem == ".":
			continue
		case elem == ".." && len(at) == 1:
			return Entry{}, gitcmd.LeadsOut(name)
		case elem == "..":
			at = at[:len(at)-1]
			continue
		}
		entries, err := f.Objects.Tree(f.Context, here.ID)
		if err != nil {
			return Entry{}, err
		}
		i := slices.IndexFunc(entries, func(e Entry) bool { return e.name == elem })
		if i < 0 {
			return Entry{}, missing(name)
		}
		if entries[i].Mode != ModeLink {
			at = append(at, entries[i])
			continue
		}
		if links++; links > maxLinks {
			return Entry{}, &gitcmd.Error{Op: "read " + gitcmd.Clean(name), Msg: "too many levels of symbolic links"}
		}
		target, err := f.leads(name, entries[i])
		if err != nil {
			return Entry{}, err
		}
		rest = append(target, rest...)
	}
	return at[len(at)-1], nil
}

// leads gives the elements of the path that a link has.
func (f Files) leads(name string, link Entry) ([]string, error) {
	target, err := f.Objects.Get(f.Context, link.ID)
	if err != nil {
		return nil, err
	}
	if len(target.Data) > maxTarget {
		return nil, &gitcmd.Error{Op: "read " + gitcmd.Clean(name), Msg: "a symbolic link on the way is no path"}
	}
	if path.IsAbs(string(target.Data)) {
		return nil, gitcmd.LeadsOut(name)
	}
	return strings.Split(string(target.Data), "/"), nil
}

// Object gives what stands at a path as git has it, a link as a link: its mode and its object.
// Where nothing does it is empty.
func (f Files) Object(name string) (string, error) {
	here := Entry{Mode: ModeTree, ID: f.Root}
	for elem := range strings.SplitSeq(name, "/") {
		if here.Mode != ModeTree || here.ID == "" {
			return "", nil
		}
		entries, err := f.Objects.Tree(f.Context, here.ID)
		if err != nil {
			return "", err
		}
		i := slices.IndexFunc(entries, func(e Entry) bool { return e.name == elem })
		if i < 0 {
			return "", nil
		}
		here = entries[i]
	}
	return here.Mode + " " + here.ID, nil
}

// Name implements [fs.DirEntry].
func (e Entry) Name() string { return e.name }

// IsDir implements [fs.DirEntry]; a submodule is a directory, as in a working tree.
func (e Entry) IsDir() bool { return e.Mode == ModeTree || e.Mode == ModeSubmodule }

// Type implements [fs.DirEntry].
func (e Entry) Type() fs.FileMode {
	switch {
	case e.IsDir():
		return fs.ModeDir
	case e.Mode == ModeLink:
		return fs.ModeSymlink
	}
	return 0
}

// Info is an error: a commit has neither sizes nor times.
func (Entry) Info() (fs.FileInfo, error) { return nil, fs.ErrInvalid }
