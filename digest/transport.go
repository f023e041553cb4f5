package digest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	maxTries     = 3
	firstBackoff = 100 * time.Millisecond // then three times as long each time
	maxRedirects = 10
	// maxBody bounds each response: the limit of the distribution protocol
	// for manifests. Tokens and error bodies are far smaller.
	maxBody = 4 << 20
	// maxDrain is what is read of an answer that is thrown away, so that its
	// connection can be used again.
	maxDrain = 64 << 10
)

// endedError is the end of a request's context. It has a type of its own because
// a dialer's timeout also calls itself context.DeadlineExceeded, and because a
// cancelled context may make net/http return any error as the cause.
type endedError struct{ err error }

func (e *endedError) Error() string { return e.err.Error() }
func (e *endedError) Unwrap() error { return e.err }

const (
	errTooLarge  fault = "answered with more than 4 MiB"
	errRedirects fault = "answered with more than 10 redirects"
)

// roundTripper is the one way to the network. It repeats requests that failed
// for the moment, bounds answers and redirects, and takes note of the answer to
// a manifest request. Each wait ends with the request's context.
type roundTripper struct {
	base http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	for try := 1; ; try++ {
		resp, err := t.base.RoundTrip(req)
		if ctx.Err() != nil {
			discard(resp)
			return nil, &endedError{ctx.Err()}
		}
		if try == maxTries || !repeatable(req) || !passing(resp, err) {
			return t.finish(req, resp, err)
		}
		wait := backoff(try, resp)
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
			return t.finish(req, resp, err)
		}
		discard(resp)
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func (t *roundTripper) finish(req *http.Request, resp *http.Response, err error) (*http.Response, error) {
	if err != nil {
		return nil, err
	}
	if seen, ok := req.Context().Value(sightingKey{}).(*sighting); ok {
		if err := seen.note(req, resp); err != nil {
			discard(resp)
			return nil, err
		}
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

// CloseIdleConnections lets [http.Client] close what the base keeps open.
func (t *roundTripper) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// repeatable leaves out the POST that exchanges a refresh token.
func repeatable(req *http.Request) bool {
	return req.Method == http.MethodHead || req.Method == http.MethodGet
}

// passing tells failures that may be gone in a moment. A refused connection or
// an unknown host is not one: whoever asks wants to know at once.
func passing(resp *http.Response, err error) bool {
	if err != nil {
		var timeout net.Error
		return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
			errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
			errors.Is(err, net.ErrClosed) ||
			errors.As(err, &timeout) && timeout.Timeout()
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// backoff is the time to wait after a failed try: what the registry asks for,
// or 0.1 s and 0.3 s, spread by a fifth so that requests do not return at once.
func backoff(try int, resp *http.Response) time.Duration {
	if resp != nil {
		if wait, ok := retryAfter(resp.Header.Get("Retry-After"), time.Now()); ok {
			return wait
		}
	}
	wait := firstBackoff
	for range try - 1 {
		wait *= 3
	}
	return wait + time.Duration(rand.Int64N(int64(wait)/5))
}

// retryAfter reads both forms of the header: seconds, or a date.
func retryAfter(header string, now time.Time) (time.Duration, bool) {
	// 32 bits of seconds do not overflow a Duration.
	if seconds, err := strconv.ParseUint(header, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return &endedError{ctx.Err()}
	case <-timer.C:
		return nil
	}
}

func discard(resp *http.Response) {
	if resp != nil {
		io.CopyN(io.Discard, resp.Body, maxDrain)
		resp.Body.Close()
	}
}

// boundedBody fails rather than ends when there is more than is allowed: a
// body cut short would have another digest.
type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read implements [io.Reader].
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooLarge
	}
	// One byte more than is allowed tells an end from an excess.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n - 1, errTooLarge
	}
	return n, err
}

// sighting is what a question saw of the answer to its manifest request. The
// library reports an unusable answer as text only, and the question has to
// tell it from one that never came.
type sighting struct {
	method    string
	status    int
	html      bool
	redirects atomic.Int32 // the two schemes of a ping run at the same time
}

type sightingKey struct{}

func (s *sighting) note(req *http.Request, resp *http.Response) error {
	if resp.StatusCode/100 == 3 && s.redirects.Add(1) > maxRedirects {
		return errRedirects
	}
	if isManifestRequest(req) {
		s.method, s.status = req.Method, resp.StatusCode
		s.html = strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
	}
	return nil
}

// isManifestRequest leaves out pings and token requests, whose 404 says nothing
// about an image. Only manifests are asked for by HEAD.
func isManifestRequest(req *http.Request) bool {
	return req.Method == http.MethodHead ||
		strings.HasPrefix(req.URL.Path, "/v2/") && strings.Contains(req.URL.Path, "/manifests/")
}
