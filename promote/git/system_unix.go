//go:build unix

package git

import (
	"errors"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// writable tells that files can be made in a directory.
func writable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }

// overLimit tells that a program was ended as it wrote more than a file may have.
func overLimit(err error) bool {
	var ended *exec.ExitError
	if !errors.As(err, &ended) {
		return false
	}
	status, ok := ended.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGXFSZ
}
