package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
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
	// One byte more than there should be shows whether this is all.
	data := make([]byte, info.Size()+1)
	n, err := f.Read(data)
	if data = data[:n]; int64(n) == info.Size() && (err == nil || err == io.EOF) {
		return data[:n:n], info, nil
	}
	if err == nil {
		var more []byte
		more, err = io.ReadAll(io.LimitReader(f, MaxSize-int64(n)+1))
		data = append(data, more...)
	}
	switch {
	case err == nil && int64(len(data)) < info.Size() || err == io.EOF:
		err = errors.New("the file was changed while it was read")
	case len(data) > MaxSize:
		return nil, nil, tooLarge(called)
	}
	return data, info, fileError("read", called, err)
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
		// That it is looked at by its path, and not through the root, saves to open
		// all directories above. If one of these is a link, that is an error too.
		info, err := os.Lstat(filepath.Join(root.Name(), filepath.FromSlash(p.dir)))
		switch {
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
