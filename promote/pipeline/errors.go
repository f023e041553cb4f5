package pipeline

import "errors"

// ErrUsage marks errors in what was asked for, such as the name of an environment that
// does not exist. Test with errors.Is.
var ErrUsage = errors.New("usage error")

// ErrNone marks the error of a repository that has no pipeline file and no layout that
// is known. Test with errors.Is.
var ErrNone = errors.New("no pipeline")

// ErrNoOverlay says that there is nothing at a site.
var ErrNoOverlay = errors.New("no overlay")

// lookupError is something that is not there, and what to do about it.
type lookupError struct {
	msg, hint string
	err       error
}

// Error is the message alone.
func (e *lookupError) Error() string { return e.msg }

// Unwrap gives ErrUsage or ErrNone, if the error is one of them.
func (e *lookupError) Unwrap() error { return e.err }

// HintText gives the hint, or "".
func (e *lookupError) HintText() string { return e.hint }
