package layout

import (
	"context"
	"errors"
	"io/fs"
	"strconv"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// The kinds of errors, for [errors.Is].
var (
	// ErrNotFound means that the files were read, and have no such image or
	// content: a definite no.
	ErrNotFound = fault.ErrNotFound
	// ErrUnknown means that the question could not be decided: files that cannot
	// be read, damaged content, several images where one is meant, or the end of
	// the context.
	ErrUnknown = fault.ErrUnknown
	// ErrMalformed means that a reference is outside the grammar of [ParseRef].
	ErrMalformed = fault.ErrMalformed
)

// Error is what went wrong with a layout or an archive.
type Error struct {
	// Ref is the reference as the caller gave it.
	Ref string
	// Kind is ErrNotFound, ErrUnknown or ErrMalformed.
	Kind error
	// Err is the cause. Its own message is fit for printing; an error wrapped
	// deeper in it may come from a library and is not.
	Err error
}

// Error is one line in lower case that names the reference and the cause.
func (e *Error) Error() string {
	return fault.OneLine("reference " + strconv.Quote(fault.Shorten(e.Ref)) + ": " + e.Err.Error())
}

// Unwrap gives errors.Is and errors.As the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// failure says of which reference an error is, and of which kind.
func (s *Image) failure(err error) error {
	e := &Error{s.given, fault.ErrUnknown, err}
	var own fault.Text
	var hinted *fault.Hinted
	var path *fs.PathError
	switch {
	case errors.Is(err, fault.ErrNotFound):
		e.Kind = fault.ErrNotFound
	case errors.As(err, &own), errors.As(err, &hinted):
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Err = &fault.Cause{Text: fault.Network(err), Err: err}
	case errors.As(err, &path):
		e.Err = &fault.Cause{Text: path.Path + ": " + path.Err.Error(), Err: err}
	default:
		e.Err = &fault.Cause{Text: "cannot be read: " + fault.WithoutURLs(err.Error()), Err: err}
	}
	return e
}

// HintText gives what may help, or "".
func (e *Error) HintText() string { return fault.HintOf(e.Err) }
