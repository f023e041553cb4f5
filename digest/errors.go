package digest

import (
	"errors"
	"strconv"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// The kinds of an [*Error], for [errors.Is].
var (
	// ErrNotFound means that the registry says there is no such manifest or
	// no such repository: a definite no.
	ErrNotFound = fault.ErrNotFound
	// ErrUnknown means that the question could not be decided: registry
	// unreachable, credentials refused (401, 403), rate limit (429), server
	// error (5xx), timeout, cancellation, or an answer that makes no sense.
	ErrUnknown = fault.ErrUnknown
	// ErrMalformed means that the reference is outside the grammar of
	// [ParseReference]. Nothing was asked.
	ErrMalformed = fault.ErrMalformed
)

// Error is a reference that was not resolved, and why.
type Error struct {
	// Ref is the reference as the caller gave it.
	Ref string
	// Registry is the host that was asked; empty when none was.
	Registry string
	// Kind is ErrNotFound, ErrUnknown or ErrMalformed.
	Kind error
	// Status is the HTTP status that decided, or 0 when none did.
	Status int
	// Err is the cause. Its own message is fit for printing; an error wrapped
	// deeper in it may come from a library and is not.
	Err error
}

// Error is one line in lower case that names the registry, or the reference
// when no registry was asked, and the cause. It contains no credentials.
func (e *Error) Error() string {
	cause := e.Err
	if cause == nil {
		cause = e.Kind
	}
	text := ErrUnknown.Error()
	if cause != nil {
		text = cause.Error()
	}
	switch {
	case e.Registry == "":
		text = "reference " + strconv.Quote(fault.Shorten(Redact(e.Ref))) + ": " + text
	case e.Err == nil:
		text = e.Registry + ": " + strconv.Quote(fault.Shorten(Redact(e.Ref))) + ": " + text
	default:
		text = e.Registry + ": " + text
	}
	return fault.OneLine(text)
}

// Unwrap gives errors.Is and errors.As the kind and the cause.
func (e *Error) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// AdviceData gives what may help as data, for a program to word; "" for none. What
// there is, the package says that made the error.
func (e *Error) AdviceData() (do string, with map[string]string) {
	var advised interface {
		AdviceData() (do string, with map[string]string)
	}
	if errors.As(e.Err, &advised) {
		return advised.AdviceData()
	}
	return "", nil
}

// HintText gives what may help against the cause, or "".
func (e *Error) HintText() string { return fault.HintOf(e.Err) }
