package digest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// The kinds of an [*Error], for [errors.Is].
var (
	// ErrNotFound means that the registry says there is no such manifest or
	// no such repository: a definite no.
	ErrNotFound = errors.New("not found")
	// ErrUnknown means that the question could not be decided: registry
	// unreachable, credentials refused (401, 403), rate limit (429), server
	// error (5xx), timeout, cancellation, or an answer that makes no sense.
	ErrUnknown = errors.New("could not be decided")
	// ErrMalformed means that the reference is outside the grammar of
	// [ParseReference]. Nothing was asked.
	ErrMalformed = errors.New("malformed reference")
)

// maxMessage bounds an error message in bytes: parts of it come from a registry.
const maxMessage = 400

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
		text = "reference " + strconv.Quote(shorten(Redact(e.Ref))) + ": " + text
	case e.Err == nil:
		text = e.Registry + ": " + strconv.Quote(shorten(Redact(e.Ref))) + ": " + text
	default:
		text = e.Registry + ": " + text
	}
	return oneLine(text)
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

// fault is a cause found by this package: its text is fit for printing.
type fault string

func (f fault) Error() string { return string(f) }

// cause replaces the text of a library's error, which may be long, have several
// lines or show a URL with a token, and keeps the error for errors.Is.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

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

// describeNetwork looks for known causes first: a registry that was tried over
// HTTPS and HTTP yields two errors in one, and the less telling comes first.
func describeNetwork(err error) string {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var timeout net.Error
	var in *url.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed before the answer was complete"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host " + strconv.Quote(shorten(dns.Name))
	case errors.As(err, &cert):
		return "certificate not accepted: " + oneLine(cert.Err.Error())
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	// The text of a url.Error has the URL, whose query may hold a token.
	for errors.As(err, &in) {
		err = in.Err
	}
	return "request failed: " + withoutURLs(err.Error())
}

// withoutURLs leaves out each URL of a message, which may hold a password or a
// token, and what follows a line break: libraries put response bodies there.
func withoutURLs(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	words := strings.Fields(s)
	for i, w := range words {
		if strings.Contains(w, "://") {
			words[i] = "(URL)"
		}
	}
	return strings.Join(words, " ")
}

func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}

func shorten(s string) string {
	if len(s) > maxMessage/2 {
		return s[:maxMessage/2] + "…"
	}
	return s
}

// failure makes the error of a question that was asked.
func failure(q question, err error, tried string) *Error {
	e := &Error{Ref: q.ref.String(), Registry: q.ref.Registry(), Kind: ErrUnknown}
	var text string
	if errors.Is(err, ErrNotFound) {
		e.Kind, e.Status = ErrNotFound, http.StatusNotFound
		e.Err = fault(q.String() + " not found")
		return e
	}
	e.Status, text = describe(err, tried)
	e.Err = &cause{text: fmt.Sprintf("%s: %s", q, text), err: err}
	return e
}
