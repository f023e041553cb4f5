//go:build !unix && !windows

package gitcmd

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

func endGroup(p *os.Process) error { return p.Kill() }

func killGroup(*os.Process) {}
