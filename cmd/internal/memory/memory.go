// Package memory sets how the garbage collector of the programs works. It is
// imported for its effect, by main packages alone.
//
// A command lives for some milliseconds. By default the collector begins its
// first cycle at 4 MiB, which the initialisers of the libraries reach before
// main begins: that alone doubled the time of a short command. Here it is a limit
// that has cycles begin, as long as there is little memory in use, and it stays
// little. Where more than half of the limit is really needed the limit gives way,
// or the collector would do nothing but to look for what is not there. GOGC and
// GOMEMLIMIT count as ever.
package memory

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	percent = 800
	limit   = 44 << 20
)

// This package has next to no imports, so that it is initialised before the
// libraries (https://go.dev/ref/spec#Program_initialization).
func init() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
		afterCycle()
	}
}

// afterCycle has the limit adjusted after each cycle, which finds that nothing
// holds the marker.
func afterCycle() {
	runtime.AddCleanup(new([16]byte), func(struct{}) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		if live[0].Value.Kind() == metrics.KindUint64 {
			debug.SetMemoryLimit(max(limit, 2*int64(live[0].Value.Uint64())))
		}
		afterCycle()
	}, struct{}{})
}
