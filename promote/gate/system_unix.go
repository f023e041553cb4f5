//go:build unix

package gate

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup gives a command a session of its own, without a terminal.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// killGroup ends a command and what it has started.
func killGroup(p *os.Process) error { return unix.Kill(-p.Pid, unix.SIGKILL) }
