package lock

import (
	"fmt"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// FileError is a fault at a place in a file, such as a lock file. Functions that
// find several faults join them with [errors.Join].
type FileError struct {
	// File is the name that the file was parsed under.
	File string
	// Line and Col count from 1; Col counts characters, not bytes. Both are
	// zero where the fault concerns the file as a whole.
	Line, Col int
	// Msg says what is wrong: one line, lower case, no full stop.
	Msg string
	// Hint, if any, says what to change.
	Hint string

	do   string
	with map[string]string
}

// Error gives "file:line:col: what", without the hint.
func (e *FileError) Error() string {
	if e.Line == 0 {
		return fault.OneLine(e.File + ": " + e.Msg)
	}
	return fault.OneLine(fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg))
}

// HintText gives the hint, or "".
func (e *FileError) HintText() string { return e.Hint }

// AdviceData gives advice as data: [DoUpdateLock], or "" for none.
func (e *FileError) AdviceData() (do string, with map[string]string) { return e.do, e.with }
