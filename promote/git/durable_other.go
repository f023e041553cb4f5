//go:build !linux

package git

import (
	"io/fs"
	"os"
)

const wholeSync = false

func syncWhole(*os.File) error { return nil }

func device(fs.FileInfo) uint64 { return 0 }

// durableObjects makes git commit synchronize what it writes.
func durableObjects() []string {
	return []string{"-c", "core.fsync=committed,loose-object,reference"}
}
