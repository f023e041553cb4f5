//go:build !unix

package gate

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

// killGroup ends a command. What it has started is not known here.
func killGroup(p *os.Process) error { return p.Kill() }
