//go:build !unix && !windows

package git

import "syscall"

func processGroup() *syscall.SysProcAttr { return nil }
