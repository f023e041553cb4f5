//go:build unix

package git

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openFlags let a named pipe be opened without waiting for its other end.
const openFlags = unix.O_NONBLOCK | unix.O_NOCTTY

// ownGroup gives git a session, and with it a process group, of its own. A mere
// group would still have the terminal: whatever asks for a passphrase there
// would be stopped by the system for good, as it is in the background. Without
// a terminal it fails at once and says so.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func endGroup(p *os.Process) error {
	if err := unix.Kill(-p.Pid, unix.SIGTERM); err != nil {
		return p.Kill()
	}
	return nil
}

// killGroup ends what the group's leader may have left behind.
func killGroup(p *os.Process) { _ = unix.Kill(-p.Pid, unix.SIGKILL) }

// tryLock takes the advisory lock on a directory, unless another has it. File
// systems without such locks do without.
func tryLock(dir *os.File) (bool, error) {
	for {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		}
		return true, nil
	}
}

// keepOwner gives a new file the owner and group of the old one, as far as the
// user may.
func keepOwner(f *os.File, old fs.FileInfo) {
	want, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return
	}
	info, err := f.Stat()
	if err != nil {
		return
	}
	have, ok := info.Sys().(*syscall.Stat_t)
	if !ok || have.Uid == want.Uid && have.Gid == want.Gid {
		return
	}
	if f.Chown(int(want.Uid), int(want.Gid)) != nil {
		_ = f.Chown(-1, int(want.Gid))
	}
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
