package git

import "syscall"

// processGroup keeps Ctrl-C at the console away from git.
func processGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
