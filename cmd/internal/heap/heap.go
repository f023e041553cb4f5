// Package heap lets a program start without collecting garbage. Importing it is
// all there is to it.
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
)

const (
	goDefault = 100 // what Go has where GOGC says nothing
	atStart   = 400 // four times Go's smallest heap of 4 MB
)

// Half of a short command's life are the initialisers of its dependencies. Their
// tables pass the 4 MB at which Go first looks for garbage, and two collections that
// find next to nothing took a tenth of the time of "version". So the first one waits
// for 16 MB, and from then on all is as Go has it. Who sets GOGC keeps it.
func init() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(atStart)
	runtime.AddCleanup(new([16]byte), func(p int) { debug.SetGCPercent(p) }, goDefault)
}
