package registry

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	protocol "github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/kubepromote/kubepromote/digest/registry/credentials"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// refusal is an answer that ends a question before it is asked: to the
// ping of a registry, or to a request for a token.
type refusal struct {
	from   string // who refused, where that is not the registry itself
	status int
	code   string // of the distribution protocol, or empty
}

// Error says who refused, and what the status and the code mean.
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
	var answered *protocol.Error
	var refused *refusal
	var own fault.Text
	var creds *credentials.Error
	var said *fault.Cause
	switch {
	case errors.As(err, &said):
		return 0, said.Error()
	case errors.As(err, &creds): // before its cause, which is a text too
		return 0, creds.Error()
	case errors.As(err, &own):
		return 0, own.Error()
	case errors.As(err, &refused):
		return refused.status, refused.describe(tried)
	case errors.As(err, &answered):
		return answered.StatusCode, describeStatus(answered.StatusCode, firstCode(answered), tried)
	}
	return 0, fault.Network(err)
}

func firstCode(e *protocol.Error) string {
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
	var answered *protocol.Error
	if errors.As(protocol.CheckError(resp), &answered) {
		e.code = firstCode(answered)
	}
	return e
}
