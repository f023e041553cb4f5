package gitcmd

import (
	"os"
	"syscall"
)

// ownGroup keeps Ctrl-C at the console away from git.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func endGroup(p *os.Process) error { return p.Kill() }

func killGroup(*os.Process) {}
