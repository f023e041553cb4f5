//go:build unix

package kubectl

import (
	"os"
	"os/exec"
	"syscall"
)

// asNobody takes root's rights from a command.
func asNobody(c *exec.Cmd) {
	if os.Getuid() == 0 {
		const nobody = 65534
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
}
