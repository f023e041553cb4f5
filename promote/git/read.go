package git

import (
	"cmp"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// ReadFile gives a file's bytes. A symbolic link is followed as long as it
// stays in the repository.
func (r *Repo) ReadFile(name string) ([]byte, error) {
	if err := gitcmd.CheckPath(name); err != nil {
		return nil, err
	}
	if r.reachesGit(name) {
		return nil, &Error{Msg: gitcmd.Clean(name) + " belongs to git itself"}
	}
	data, err := files.Read(r.root, name)
	return data, gitcmd.FileError("read", name, err)
}

// ReadAny reads the first of the names that is a file of the directory, as
// [Repo.ReadFile] does, and tells which of the names the directory has.
func (r *Repo) ReadAny(dir string, names []string) (promote.Found, error) {
	if err := gitcmd.CheckPath(dir); err != nil {
		return promote.Found{}, err
	}
	if r.reachesGit(dir) {
		return promote.Found{}, &Error{Msg: gitcmd.Clean(dir) + " belongs to git itself"}
	}
	in, err := r.root.OpenRoot(dir)
	if err != nil {
		return promote.Found{}, gitcmd.FileError("read", dir, err)
	}
	defer in.Close()
	// The directory's list decides: some file systems take upper and lower case
	// for the same.
	entries, err := fs.ReadDir(in.FS(), ".")
	if err != nil {
		return promote.Found{}, gitcmd.FileError("read", dir, err)
	}
	var found promote.Found
	err = gitcmd.FileError("read", path.Join(dir, names[0]), fs.ErrNotExist)
	for _, name := range names {
		i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name })
		if i < 0 {
			continue
		}
		if found.Have = append(found.Have, name); found.Name != "" {
			continue
		}
		if entries[i].Type().IsRegular() {
			found.Data, err = files.Read(in, name)
			err = gitcmd.FileError("read", path.Join(dir, name), err)
		} else {
			found.Data, err = r.ReadFile(path.Join(dir, name))
		}
		if !notExist(err) {
			found.Name = name
		}
	}
	return found, err
}

// ReadDir lists a directory in the order of the names, without .git. The root
// is "." or the empty path.
func (r *Repo) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "" || name == "." {
		name = "."
	} else if err := gitcmd.CheckPath(name); err != nil {
		return nil, err
	}
	f, err := r.openDir(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, gitcmd.FileError("read", name, err)
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return gitcmd.IsGit(e.Name()) })
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// openDir opens a directory, but none of git's own.
func (r *Repo) openDir(name string) (*os.File, error) {
	if r.reachesGit(name) {
		return nil, &Error{Msg: gitcmd.Clean(name) + " belongs to git itself"}
	}
	// A named pipe would be waited for.
	info, err := r.root.Stat(name)
	if err == nil && !info.IsDir() {
		return nil, &Error{Msg: gitcmd.Clean(name) + " is not a directory"}
	}
	f, err := r.root.Open(name)
	return f, gitcmd.FileError("read", name, err)
}
