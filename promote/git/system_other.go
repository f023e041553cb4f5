//go:build !unix

package git

import (
	"io/fs"
	"os"
	"syscall"
)

const openFlags = 0

func endGroup(p *os.Process) error { return p.Kill() }

func killGroup(*os.Process) {}

func tryLock(*os.File) (bool, error) { return true, nil }

func keepOwner(*os.File, fs.FileInfo) {}

// syncDir does nothing: directories cannot be synchronized here.
func syncDir(*os.File) error { return nil }

func ownGroup() *syscall.SysProcAttr { return processGroup() }

func noSpace(error) bool { return false }
