package git

import (
	"cmp"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/promote"
)

// ReadFile gives a file's bytes. A symbolic link is followed as long as it
// stays in the repository.
func (r *Repo) ReadFile(name string) ([]byte, error) {
	if err := checkPath(name); err != nil {
		return nil, err
	}
	if r.reachesGit(name) {
		return nil, &Error{Msg: clean(name) + " belongs to git itself"}
	}
	data, err := files.Read(r.root, name)
	return data, fileError("read", name, err)
}

// ReadAny reads the first of the names that is a file of the directory, as
// [Repo.ReadFile] does, and tells which of the names the directory has.
func (r *Repo) ReadAny(dir string, names []string) (promote.Found, error) {
	if err := checkPath(dir); err != nil {
		return promote.Found{}, err
	}
	if r.reachesGit(dir) {
		return promote.Found{}, &Error{Msg: clean(dir) + " belongs to git itself"}
	}
	in, err := r.root.OpenRoot(dir)
	if err != nil {
		return promote.Found{}, fileError("read", dir, err)
	}
	defer in.Close()
	// The directory's list decides: some file systems take upper and lower case
	// for the same.
	entries, err := fs.ReadDir(in.FS(), ".")
	if err != nil {
		return promote.Found{}, fileError("read", dir, err)
	}
	var found promote.Found
	err = fileError("read", path.Join(dir, names[0]), fs.ErrNotExist)
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
			err = fileError("read", path.Join(dir, name), err)
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
	} else if err := checkPath(name); err != nil {
		return nil, err
	}
	f, err := r.openDir(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, fileError("read", name, err)
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return isGit(e.Name()) })
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// openDir opens a directory, but none of git's own.
func (r *Repo) openDir(name string) (*os.File, error) {
	if r.reachesGit(name) {
		return nil, &Error{Msg: clean(name) + " belongs to git itself"}
	}
	// A named pipe would be waited for.
	info, err := r.root.Stat(name)
	if err == nil && !info.IsDir() {
		return nil, &Error{Msg: clean(name) + " is not a directory"}
	}
	f, err := r.root.Open(name)
	return f, fileError("read", name, err)
}
