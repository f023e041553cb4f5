// Package fault has the errors that the packages around registries, layouts and
// lock files share: three kinds, told by errors.Is, and causes whose text is fit
// for printing. What comes from a registry, a file or a library may be long, have
// several lines, or show a URL with a token in it; what is made here is one line,
// bounded, and has none of that.
package fault

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"unicode"
)

// The kinds. Each public package says what they mean there.
var (
	ErrNotFound  = errors.New("not found")
	ErrUnknown   = errors.New("could not be decided")
	ErrMalformed = errors.New("malformed reference")
)

// maxText bounds the text of an error in bytes.
const maxText = 400

// Text is a cause with a text of our own.
type Text string

// Error is the text.
func (t Text) Error() string { return string(t) }

// Cause replaces the text of a library's error and keeps the error for errors.Is.
type Cause struct {
	Text string
	Err  error
}

// Error is the text.
func (c *Cause) Error() string { return c.Text }

// Unwrap gives the library's error.
func (c *Cause) Unwrap() error { return c.Err }

// Ended is the end of a request's context. It has a type of its own because
// a dialer's timeout also calls itself context.DeadlineExceeded, and because a
// cancelled context may make net/http return any error as the cause.
type Ended struct{ Err error }

// Error is the text of the context's error.
func (e *Ended) Error() string { return e.Err.Error() }

// Unwrap gives the context's error.
func (e *Ended) Unwrap() error { return e.Err }

// Hinted is a cause with what may help.
type Hinted struct {
	Text
	hint   string
	absent bool
}

// WithHint makes a cause with what may help; hint may be empty.
func WithHint(text Text, hint string) *Hinted { return &Hinted{Text: text, hint: hint} }

// Missing makes a cause of the kind ErrNotFound, with what may help; hint may be empty.
func Missing(text Text, hint string) *Hinted { return &Hinted{text, hint, true} }

// HintText gives the hint.
func (h *Hinted) HintText() string { return h.hint }

// Is tells a definite no.
func (h *Hinted) Is(target error) bool { return h.absent && target == ErrNotFound }

// HintOf gives what may help against an error, or "".
func HintOf(err error) string {
	var hinted interface{ HintText() string }
	if errors.As(err, &hinted) {
		return hinted.HintText()
	}
	return ""
}

// Network says what went wrong with a connection. It looks for known causes
// first: a registry that was tried over HTTPS and HTTP yields two errors in one,
// and the less telling comes first.
func Network(err error) string {
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
		return "no such host " + strconv.Quote(Shorten(dns.Name))
	case errors.As(err, &cert):
		return "certificate not accepted: " + OneLine(cert.Err.Error())
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	// The text of a url.Error has the URL, whose query may hold a token.
	for errors.As(err, &in) {
		err = in.Err
	}
	return "request failed: " + WithoutURLs(err.Error())
}

// WithoutURLs leaves out each URL of a message, which may hold a password or a
// token, and what follows a line break: libraries put response bodies there.
func WithoutURLs(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	words := strings.Fields(s)
	for i, w := range words {
		if strings.Contains(w, "://") {
			words[i] = "(URL)"
		}
	}
	return strings.Join(words, " ")
}

// Printable puts a space in the place of all that is not to be seen: line breaks,
// what moves a terminal's cursor, and what turns the direction of the text.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "?"))
}

// OneLine makes one bounded line of a text.
func OneLine(s string) string {
	s = Printable(s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

// Shorten bounds a text that is a part of a message.
func Shorten(s string) string {
	if len(s) > maxText/2 {
		return strings.ToValidUTF8(s[:maxText/2], "") + "…"
	}
	return s
}

// SomeOf lists the first three of some names.
func SomeOf(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
