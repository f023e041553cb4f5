package lock

import "github.com/kubepromote/kubepromote/internal/fault"

// What errors of this package advise, for a program to word: how its users ask for
// it, this package does not know. "lock" is the lock file.
const (
	// DoLock asks for the reference "ref" and adds it to the lock.
	DoLock = "lock"
	// DoUpdateLock asks for all of the lock anew. "before" is what to do first, to be
	// followed by how to ask; it may be empty.
	DoUpdateLock = "update-lock"
)

// advised is a cause with advice.
type advised struct {
	fault.Text
	do   string
	with map[string]string
}

// AdviceData gives the advice as data.
func (a advised) AdviceData() (do string, with map[string]string) { return a.do, a.with }
