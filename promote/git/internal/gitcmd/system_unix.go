//go:build unix

package gitcmd

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

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
