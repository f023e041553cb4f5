//go:build !unix && !windows

package git

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

func endGroup(p *os.Process) error { return p.Kill() }

func killGroup(*os.Process) {}

// writable is not known here before it is tried.
func writable(string) error { return nil }
