package gitcmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Temporary is the pattern of a temporary file or directory of a kind in git's own directory,
// for [os.CreateTemp] and [os.MkdirTemp]. What runs have left there that were killed is removed.
func Temporary(gitDir, kind string) string {
	prefix := "kubepromote-" + kind + "-"
	left, _ := filepath.Glob(filepath.Join(GlobQuoter.Replace(gitDir), prefix+"*"))
	for _, name := range left {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(name), prefix), "-")
		if pid, err := strconv.Atoi(number); err == nil && !Running(pid) {
			_ = os.RemoveAll(name)
		}
	}
	return fmt.Sprintf("%s%d-*", prefix, os.Getpid())
}

// Running tells whether a process is there; where that cannot be told, it is.
func Running(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
