package git

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/kubepromote/kubepromote/promote"
	"golang.org/x/sys/unix"
)

// openPlain opens a path that stays below the tree and has no symbolic link in
// it: the kernel sees to that, so that nobody can exchange a directory in between.
// The call is newer than the oldest kernels that Go serves, and containers may
// forbid it; every error means only that the path is not served here.
func (t *tree) openPlain(name string, flags int, mode uint32) (int, error) {
	conn, err := t.handle.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	cerr := conn.Control(func(dir uintptr) {
		fd, err = unix.Openat2(int(dir), name, &unix.OpenHow{
			Flags:   uint64(flags | unix.O_CLOEXEC | unix.O_LARGEFILE | unix.O_NOFOLLOW),
			Mode:    uint64(mode),
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
		})
	})
	if cerr != nil {
		return -1, cerr
	}
	return fd, err
}

// readPlain reads a regular file. An error that is fs.ErrNotExist says that there
// is none; the others say nothing.
func (t *tree) readPlain(name string) ([]byte, error) {
	fd, err := t.openPlain(name, unix.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return readOpen(fd)
}

func readOpen(fd int) ([]byte, error) {
	var stat unix.Stat_t
	if unix.Fstat(fd, &stat) != nil || stat.Mode&unix.S_IFMT != unix.S_IFREG || stat.Size > maxFile {
		return nil, errNotPlain
	}
	// One byte more than there should be shows whether this is all.
	data := make([]byte, stat.Size+1)
	n, err := unix.Read(fd, data)
	if err != nil || int64(n) != stat.Size {
		return nil, errNotPlain
	}
	return data[:n:n], nil
}

// readAnyPlain serves Repo.ReadAny; errors are as for readPlain. The names have no
// slashes.
func (t *tree) readAnyPlain(dir string, names []string) (promote.Found, error) {
	var found promote.Found
	at, err := t.openPlain(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return found, err
	}
	defer unix.Close(at)
	for _, name := range names {
		var stat unix.Stat_t
		switch err := unix.Fstatat(at, name, &stat, unix.AT_SYMLINK_NOFOLLOW); {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return promote.Found{}, errNotPlain
		}
		if found.Have = append(found.Have, name); len(found.Have) > 1 {
			continue
		}
		fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|openFlags, 0)
		if err != nil {
			return promote.Found{}, errNotPlain
		}
		found.Name = name
		found.Data, err = readOpen(fd)
		unix.Close(fd)
		if err != nil {
			return promote.Found{}, errNotPlain
		}
	}
	if len(found.Have) == 0 {
		return found, fs.ErrNotExist
	}
	return found, nil
}

// loadPlain reads a regular file and tells about it.
func (t *tree) loadPlain(name string) ([]byte, fs.FileInfo, bool) {
	fd, err := t.openPlain(name, unix.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, nil, false
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, nil, false
	}
	data := make([]byte, info.Size()+1)
	n, err := unix.Read(fd, data)
	return data[:max(n, 0)], info, err == nil && int64(n) == info.Size()
}

// openDirPlain opens a directory for reading.
func (t *tree) openDirPlain(name string) (*os.File, bool) {
	fd, err := t.openPlain(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, false
	}
	return os.NewFile(uintptr(fd), name), true
}

// createPlain makes a file that does not exist yet.
func (t *tree) createPlain(name string, mode fs.FileMode) (*os.File, bool) {
	fd, err := t.openPlain(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, uint32(mode.Perm()))
	if err != nil {
		return nil, false
	}
	return os.NewFile(uintptr(fd), name), true
}

// renamePlain renames a file within its directory and tells about it, if that is
// possible.
func (t *tree) renamePlain(from, to string) (fileStat, bool) {
	dir, err := t.openPlain(path.Dir(to), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return fileStat{}, false
	}
	defer unix.Close(dir)
	name := path.Base(to)
	if unix.Renameat(dir, path.Base(from), dir, name) != nil {
		return fileStat{}, false
	}
	var stat unix.Stat_t
	if unix.Fstatat(dir, name, &stat, unix.AT_SYMLINK_NOFOLLOW) != nil || stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return fileStat{}, true
	}
	return asIndexed(&stat), true
}

// statOf tells about an open file.
func statOf(f *os.File) fileStat {
	var stat unix.Stat_t
	if unix.Fstat(int(f.Fd()), &stat) != nil {
		return fileStat{}
	}
	return asIndexed(&stat)
}

// like tells whether the file has the owner and the mode that another has.
func (s fileStat) like(info fs.FileInfo) bool {
	want, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.uid == want.Uid && s.gid == want.Gid && s.mode == want.Mode
}

// asIndexed shortens the numbers as git does.
func asIndexed(s *unix.Stat_t) fileStat {
	return fileStat{
		ctime: uint32(s.Ctim.Sec), ctimeNano: uint32(s.Ctim.Nsec), mtime: uint32(s.Mtim.Sec), mtimeNano: uint32(s.Mtim.Nsec),
		dev: uint32(s.Dev), ino: uint32(s.Ino), mode: s.Mode, uid: s.Uid, gid: s.Gid, size: uint32(s.Size),
	}
}

// ordinaryPlain tells whether a directory is reached without a symbolic link and
// is no other repository's, or does not exist.
func (t *tree) ordinaryPlain(dir string) bool {
	fd, err := t.openPlain(path.Join(dir, ".git"), unix.O_PATH, 0)
	if err == nil {
		unix.Close(fd)
	}
	return errors.Is(err, fs.ErrNotExist)
}
