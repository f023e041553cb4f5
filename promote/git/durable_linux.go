package git

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// wholeSync tells that one call can make a whole file system durable, which is
// far cheaper than one call per file.
const wholeSync = true

func syncWhole(f *os.File) error { return unix.Syncfs(int(f.Fd())) }

// device tells file systems apart.
func device(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Dev)
	}
	return 0
}

// durableObjects is for git commit; the file system is synchronized afterwards.
func durableObjects() []string { return nil }
