package syntax

import (
	"errors"
	"fmt"
	"sort"
)

// Error is a fault at a place in a file.
type Error struct {
	// File is the name that the file was parsed under.
	File string
	// Line and Col count from 1; Col counts characters, not bytes. Both are
	// zero where the fault concerns the file as a whole.
	Line, Col int
	// Msg says what is wrong: one line, lower case, no full stop.
	Msg string
	// Hint, if any, says what to type or to change.
	Hint string
}

// Error gives "file:line:col: what", without the hint.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Msg)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
}

// HintText gives the hint, or "".
func (e *Error) HintText() string { return e.Hint }

// joinSorted joins errors in the order of their places; nil where there are none.
func joinSorted(errs []*Error) error {
	sort.SliceStable(errs, func(i, j int) bool { return errs[i].Line < errs[j].Line })
	joined := make([]error, len(errs))
	for i, e := range errs {
		joined[i] = e
	}
	return errors.Join(joined...)
}
