//go:build unix

package files

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openFlags let a named pipe be opened without waiting for its other end.
const openFlags = unix.O_NONBLOCK | unix.O_NOCTTY

// TryLock takes the advisory lock on a directory, unless another has it. File
// systems without such locks do without.
func TryLock(dir *os.File) bool {
	for {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return !errors.Is(err, unix.EWOULDBLOCK)
		}
	}
}

// keepOwner gives a new file the owner and group of the old one, as far as the
// user may, and tells whether they were others.
func keepOwner(f *os.File, made, old fs.FileInfo) bool {
	want, ok := old.Sys().(*syscall.Stat_t)
	have, ok2 := made.Sys().(*syscall.Stat_t)
	if !ok || !ok2 || have.Uid == want.Uid && have.Gid == want.Gid {
		return false
	}
	if f.Chown(int(want.Uid), int(want.Gid)) != nil {
		_ = f.Chown(-1, int(want.Gid))
	}
	return true
}

// keptByOthers tells whether a directory is one in which only the owner of a file
// may replace it, and the owner is somebody else.
func keptByOthers(dir, file fs.FileInfo) bool {
	d, ok := dir.Sys().(*syscall.Stat_t)
	f, ok2 := file.Sys().(*syscall.Stat_t)
	return ok && ok2 && kept(dir.Mode(), d.Uid, f.Uid, uint32(os.Geteuid()))
}

func kept(mode fs.FileMode, dir, file, user uint32) bool {
	return mode&fs.ModeSticky != 0 && user != 0 && user != dir && user != file
}

// syncDir makes a directory's entries durable. Some file systems have nothing
// to do for that and say so.
func syncDir(dir *os.File) error {
	err := dir.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}

// noSpace tells whether a disk or a quota is full.
func noSpace(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
