package syntax

import (
	"errors"
	"fmt"
	"sort"
)

// Error is a fault at a place in a file; overlay.Error says what the fields hold.
type Error struct {
	File      string
	Line, Col int
	Msg       string
	Hint      string
}

// Error gives "file:line:col: what", without the hint.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Msg)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
}

// joinSorted joins errors in the order of their places; nil where there are none.
func joinSorted(errs []*Error) error {
	sort.SliceStable(errs, func(i, j int) bool { return errs[i].Line < errs[j].Line })
	joined := make([]error, len(errs))
	for i, e := range errs {
		joined[i] = e
	}
	return errors.Join(joined...)
}
