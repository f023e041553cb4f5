package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
)

// MaxSize is the largest file that is read, in bytes. A manifest is a few
// kilobytes; the bound keeps a planted file from filling the memory.
const MaxSize = 64 << 20

// Read gives the bytes of a regular file of at most [MaxSize]. It never waits for
// the other end of a pipe. A symbolic link is followed as far as the root allows.
func Read(root *os.Root, name string) ([]byte, error) {
	data, _, err := readOpen(root, name, name)
	return data, err
}

// readOpen reads a file, which messages call by another name, and tells about it.
func readOpen(root *os.Root, name, called string) ([]byte, fs.FileInfo, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		// A socket cannot be opened at all.
		if info, serr := root.Stat(name); serr == nil && !info.Mode().IsRegular() {
			return nil, nil, notRegular(called)
		}
		return nil, nil, fileError("read", called, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, fileError("read", called, err)
	case !info.Mode().IsRegular():
		return nil, nil, notRegular(called)
	case info.Size() > MaxSize:
		return nil, nil, tooLarge(called)
	}
	data := make([]byte, info.Size(), info.Size()+1)
	if _, err := io.ReadFull(f, data); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			err = errors.New("the file was changed while it was read")
		}
		return nil, nil, fileError("read", called, err)
	}
	// It may have grown, or its size may not tell.
	more, err := io.ReadAll(io.LimitReader(f, MaxSize-int64(len(data))+1))
	if err != nil {
		return nil, nil, fileError("read", called, err)
	}
	if data = append(data, more...); len(data) > MaxSize {
		return nil, nil, tooLarge(called)
	}
	return data, info, nil
}

// CheckParents refuses files that lie behind a symbolic link. It has inDir, if
// that is not nil, look at each directory on the way once: dir, on the way to
// name. What does not exist is left to who opens it.
func CheckParents(root *os.Root, names []string, inDir func(name, dir string) error) error {
	type parent struct{ name, dir string }
	var parents []parent
	seen := map[string]bool{".": true}
	for _, name := range names {
		first := len(parents)
		for dir := path.Dir(name); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			parents = append(parents, parent{name, dir})
		}
		// The outermost is the one to be named.
		slices.Reverse(parents[first:])
	}
	return each(context.Background(), manyAtOnce, parents, func(p parent) error {
		info, err := root.Lstat(p.dir)
		switch {
		case escapes(err):
			return leadsOut(p.name)
		case err != nil:
			return nil
		case info.Mode()&fs.ModeSymlink != 0:
			return &Error{Msg: shown(p.name) + " lies behind the symbolic link " + shown(p.dir)}
		case inDir != nil:
			return inDir(p.name, p.dir)
		}
		return nil
	})
}
