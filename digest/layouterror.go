package digest

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
)

// The kinds of errors, for [errors.Is].
var (
	// ErrNotFound means that the files were read, and have no such image or
	// content: a definite no.
	layoutErrNotFound = notFound
	// ErrUnknown means that the question could not be decided: files that cannot
	// be read, damaged content, several images where one is meant, or the end of
	// the context.
	layoutErrUnknown = unknown
	// ErrMalformed means that a reference is outside the grammar of [ParseRef].
	layoutErrMalformed = malformed
)

// LayoutError is what went wrong with a layout or an archive.
type LayoutError struct {
	// Ref is the reference as the caller gave it.
	Ref string
	// Kind is ErrNotFound, ErrUnknown or ErrMalformed.
	Kind error
	// Err is the cause. Its own message is fit for printing; an error wrapped
	// deeper in it may come from a library and is not.
	Err error
}

// Error is one line in lower case that names the reference and the cause.
func (e *LayoutError) Error() string {
	return oneLine("reference " + strconv.Quote(shorten(e.Ref)) + ": " + e.Err.Error())
}

// Unwrap gives errors.Is and errors.As the kind and the cause.
func (e *LayoutError) Unwrap() []error { return []error{e.Kind, e.Err} }

// failure says of which reference an error is, and of which kind.
func (s *Source) failure(err error) error {
	e := &LayoutError{s.given, unknown, err}
	var own fault
	var hinted *hintedFault
	var path *fs.PathError
	switch {
	case errors.Is(err, notFound):
		e.Kind = notFound
	case errors.As(err, &own), errors.As(err, &hinted):
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Err = &cause{text: describeNetwork(err), err: err}
	case errors.As(err, &path):
		e.Err = &cause{text: path.Path + ": " + path.Err.Error(), err: err}
	default:
		e.Err = &cause{text: "cannot be read: " + withoutURLs(err.Error()), err: err}
	}
	return e
}

// HintText gives what may help, or "".
func (e *LayoutError) HintText() string {
	var hinted *hintedFault
	if errors.As(e.Err, &hinted) {
		return hinted.HintText()
	}
	return ""
}
