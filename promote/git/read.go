package git

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/kubepromote/kubepromote/promote"
)

// maxFile is the largest file or blob that is read. A manifest is a few
// kilobytes; the bound keeps a planted file from filling the memory.
const maxFile = 64 << 20

// ReadFile gives a file's bytes. A symbolic link is followed as long as it
// stays in the repository.
func (r *Repo) ReadFile(name string) ([]byte, error) {
	if err := checkPath(name); err != nil {
		return nil, err
	}
	data, err := r.root.readPlain(name)
	if err == nil {
		return data, nil
	}
	if notExist(err) {
		return nil, fileError("read", name, err)
	}
	if r.reachesGit(name) {
		return nil, &Error{Msg: clean(name) + " belongs to git itself"}
	}
	return readRegular(r.root.Root, name)
}

// ReadAny reads the first of the names that is a file of the directory, as
// [Repo.ReadFile] does, and tells which of the names the directory has.
func (r *Repo) ReadAny(dir string, names []string) (promote.Found, error) {
	if err := checkPath(dir); err != nil {
		return promote.Found{}, err
	}
	found, err := r.root.readAnyPlain(dir, names)
	if err == nil || notExist(err) {
		return found, err
	}
	entries, err := r.ReadDir(dir)
	if err != nil {
		return promote.Found{}, err
	}
	// The directory's list decides: some file systems take upper and lower case
	// for the same.
	found = promote.Found{}
	for _, name := range names {
		if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name }) {
			found.Have = append(found.Have, name)
		}
	}
	err = fileError("read", path.Join(dir, names[0]), fs.ErrNotExist)
	for _, name := range found.Have {
		found.Data, err = r.ReadFile(path.Join(dir, name))
		if !notExist(err) {
			found.Name = name
			break
		}
	}
	return found, err
}

// readRegular reads a regular file. It never waits for the other end of a pipe.
func readRegular(root *os.Root, name string) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		// A socket cannot be opened at all.
		if info, serr := root.Stat(name); serr == nil && !info.Mode().IsRegular() {
			return nil, notRegular(name)
		}
		return nil, fileError("read", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fileError("read", name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, notRegular(name)
	}
	if info.Size() > maxFile {
		return nil, tooLarge(name)
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) && len(data) > 0 {
			err = errors.New("the file was changed while it was read")
		}
		if !errors.Is(err, io.EOF) {
			return nil, fileError("read", name, err)
		}
	}
	return readRest(f, name, data)
}

// readRest reads what a file has grown by, or what its size did not tell.
func readRest(f *os.File, name string, data []byte) ([]byte, error) {
	more, err := io.ReadAll(io.LimitReader(f, maxFile-int64(len(data))+1))
	if err != nil {
		return nil, fileError("read", name, err)
	}
	if len(data)+len(more) > maxFile {
		return nil, tooLarge(name)
	}
	return append(data, more...), nil
}

func notRegular(name string) error { return &Error{Msg: clean(name) + " is not a regular file"} }

func tooLarge(name string) error { return &Error{Msg: clean(name) + " is larger than 64 MiB"} }

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
	if f, ok := r.root.openDirPlain(name); ok {
		return f, nil
	}
	if r.reachesGit(name) {
		return nil, &Error{Msg: clean(name) + " belongs to git itself"}
	}
	f, err := r.root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, fileError("read", name, err)
	}
	if info, err := f.Stat(); err == nil && !info.IsDir() {
		_ = f.Close()
		return nil, &Error{Msg: clean(name) + " is not a directory"}
	}
	return f, nil
}
