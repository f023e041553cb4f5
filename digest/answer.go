package digest

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// credentialsError is a keychain that failed, as opposed to one that found none.
type credentialsError struct {
	source string
	err    error
}

// Error leaves the text of a helper out: it may hold anything.
func (e *credentialsError) Error() string { return "credentials could not be read from " + e.source }

func (e *credentialsError) Unwrap() error { return e.err }

// refusal is an answer that ends a question before it is asked: to the
// greeting of a registry, or to a request for a token.
type refusal struct {
	from   string // who refused, where that is not the registry itself
	status int
	code   string // of the distribution protocol, or empty
}

func (e *refusal) Error() string { return e.describe("") }

func (e *refusal) describe(tried string) string {
	text := describeStatus(e.status, e.code, tried)
	if e.from != "" {
		return e.from + ": " + text
	}
	return text
}

// describe says what went wrong in the words of this package, and the HTTP
// status if that is what went wrong. tried names the credentials in use.
func describe(err error, tried string) (status int, text string) {
	var answered *transport.Error
	var refused *refusal
	var own fault
	var creds *credentialsError
	var said *cause
	switch {
	case errors.As(err, &said):
		return 0, said.Error()
	case errors.As(err, &own):
		return 0, own.Error()
	case errors.As(err, &creds):
		return 0, creds.Error()
	case errors.As(err, &refused):
		return refused.status, refused.describe(tried)
	case errors.As(err, &answered):
		return answered.StatusCode, describeStatus(answered.StatusCode, firstCode(answered), tried)
	}
	return 0, describeNetwork(err)
}

func firstCode(e *transport.Error) string {
	if len(e.Errors) > 0 {
		return string(e.Errors[0].Code)
	}
	return ""
}

func describeStatus(status int, code, tried string) string {
	text := "unexpected answer"
	switch {
	case status == http.StatusUnauthorized:
		text = "unauthorized"
	case status == http.StatusForbidden:
		text = "forbidden"
	case status == http.StatusTooManyRequests:
		text = "too many requests"
	case status == http.StatusNotFound:
		text = "does not answer as a registry"
	case status >= 500:
		text = "server error"
	}
	text += " (" + strconv.Itoa(status)
	if isErrorCode(code) {
		text += " " + code
	}
	text += ")"
	if tried != "" && (status == http.StatusUnauthorized || status == http.StatusForbidden) {
		text += ": credentials tried: " + tried
	}
	return text
}

// isErrorCode tells a code of the distribution protocol ("DENIED") from
// whatever else a registry may put in its place.
func isErrorCode(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

func refused(from string, resp *http.Response) *refusal {
	e := &refusal{from: from, status: resp.StatusCode}
	var answered *transport.Error
	if errors.As(transport.CheckError(resp), &answered) {
		e.code = firstCode(answered)
	}
	return e
}
