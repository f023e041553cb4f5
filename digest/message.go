package digest

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

// maxText bounds an error message in bytes: parts of it come from a registry.
const maxText = 400

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
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

func shorten(s string) string {
	if len(s) > maxText/2 {
		return s[:maxText/2] + "…"
	}
	return s
}

// hintedFault is a fault with what to type about it.
type hintedFault struct {
	fault
	hint string
}

// HintText gives the hint.
func (f *hintedFault) HintText() string { return f.hint }

// absent is a definite no, with what to write instead.
type absent struct{ hintedFault }

func (a *absent) Unwrap() error { return notFound }

// The kinds that all errors of the packages around registries and images have in
// common; each package says what they mean there.
var (
	notFound  = errors.New("not found")
	unknown   = errors.New("could not be decided")
	malformed = errors.New("malformed reference")
)

// someOf lists the first three of tags.
func someOf(tags []string) string {
	const most = 3
	if len(tags) <= most {
		return strings.Join(tags, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(tags[:most], ", "), len(tags)-most)
}
