// Package memory sets how the garbage collector of the programs works. It is
// imported for its effect, by main packages alone.
//
// A command lives for some milliseconds. By default the collector begins its
// first cycle at 4 MiB, which the initialisers of the libraries reach before
// main begins: that alone doubled the time of a short command. Here the first
// cycle is at 6 MiB, and a limit keeps the memory of long commands where it
// would be otherwise. GOGC and GOMEMLIMIT count as ever.
package memory

import (
	"os"
	"runtime/debug"
)

const (
	percent = 150
	limit   = 64 << 20
)

// This package has next to no imports, so that it is initialised before the
// libraries (https://go.dev/ref/spec#Program_initialization).
func init() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}
