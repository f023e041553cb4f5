package registry

import (
	"errors"
	"net/http"
	"strings"
	"syscall"
	"time"

	protocol "github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/kubepromote/kubepromote/digest/registry/credentials"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// ErrNotFound means that the registry says there is no such manifest, blob or
// repository: a definite no. All other errors leave that open.
var ErrNotFound = fault.ErrNotFound

// Error is why a request about a repository was not answered as hoped.
type Error struct {
	// Status is the HTTP status that decided, or 0 when none did.
	Status int

	wait time.Duration // what the registry has asked for before the next request
	text string
	err  error
}

// Error is one line in lower case that says what went wrong, but neither with
// which registry nor what was asked for: "unauthorized (401): credentials tried:
// docker config". It contains no credentials.
func (e *Error) Error() string { return e.text }

// Unwrap gives errors.Is and errors.As the cause.
func (e *Error) Unwrap() error { return e.err }

// Temporary tells a failure that may be gone in a moment: of a large transfer
// it pays to repeat what is left. What is known to stay is none.
func (e *Error) Temporary() bool {
	var own fault.Text
	var creds *credentials.Error
	switch {
	case e.Status != 0:
		return passing(&http.Response{StatusCode: e.Status}, nil)
	case errors.As(e.err, &own), errors.As(e.err, &creds), errors.Is(e.err, syscall.ECONNREFUSED):
		return false
	}
	return !strings.HasPrefix(e.text, "no such host") && !strings.HasPrefix(e.text, "certificate")
}

// Hidden tells a refusal to read that says nothing about what is there: registries
// give it for what they do not have, too. Whether it may be written, writing tells.
func (e *Error) Hidden() bool {
	status := e.answered()
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// answered is the status of the repository's own answer: 0 where the request did
// not come so far, as after a token server's refusal.
func (e *Error) answered() int {
	if answer, ok := errors.AsType[*protocol.Error](e.err); ok {
		return answer.StatusCode
	}
	return 0
}

// Describe gives the words for an error of this package or of what was asked through
// it, and the HTTP status that decided, or 0 when none did.
func Describe(err error) (status int, text string) {
	var said *fault.Cause
	var own fault.Text
	asked, ok := errors.AsType[*Error](err)
	if ok {
		status = asked.Status
	}
	switch {
	case errors.As(err, &said):
		return status, said.Error()
	case ok:
		return status, asked.Error()
	case errors.As(err, &own): // what was answered makes no sense
		return 0, own.Error()
	}
	return 0, fault.Network(err)
}

// failure describes what went wrong with a request, in the words of this package.
func (r *Repository) failure(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	status, text := describe(err, r.client.transport.keys.Tried(r.name))
	return &Error{Status: status, text: text, err: err}
}
