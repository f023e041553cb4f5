//go:build unix

package main

import (
	"os"
	"runtime"
	"syscall"
)

// maxMemory gives the largest resident size in bytes; the kernels differ in the
// unit.
func maxMemory(s *os.ProcessState) int64 {
	usage, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(usage.Maxrss)
	}
	return int64(usage.Maxrss) << 10
}

// flush writes out what earlier work has left in memory, so that a program which
// waits for its own files to be on disk does not wait for another's.
func flush() { syscall.Sync() }
