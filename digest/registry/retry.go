package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	maxTries     = 3
	firstBackoff = 100 * time.Millisecond // then three times as long each time
	// maxWait is the longest Retry-After that is waited for. Limits by the hour
	// or day are told to the user instead.
	maxWait = time.Minute
	// maxHold bounds how long a registry is believed to be closed to us.
	maxHold = time.Hour
	// maxErrorBody bounds what is kept of an error's body, and other answers of
	// which little is expected.
	maxErrorBody = 64 << 10
)

const errRedirects fault.Text = "answered with more than 10 redirects"

// outgoing is a request of a caller's on its way, and what of it is used up.
type outgoing struct {
	in   *http.Request
	sent bool // its body was handed on, to be closed by whoever got it
}

func (o *outgoing) hasBody() bool { return o.in.Body != nil && o.in.Body != http.NoBody }

// repeatable tells whether the request can be sent again: its body is there
// again, and doing it twice is as good as once. A POST or PATCH whose body can
// be had again is meant to be repeated.
func (o *outgoing) repeatable() bool { return !o.hasBody() || o.in.GetBody != nil }

func (o *outgoing) closeUnsent() {
	if o.hasBody() && !o.sent {
		o.in.Body.Close()
	}
}

// to makes the request that is sent. The caller's stays as it is.
func (o *outgoing) to(ctx context.Context, u *url.URL, authorization, userAgent string) (*http.Request, error) {
	req := o.in.Clone(ctx)
	req.URL, req.Host = u, ""
	if o.hasBody() && o.sent {
		body, err := o.in.GetBody()
		if err != nil {
			return nil, err
		}
		req.Body = body
	}
	o.sent = true
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	if own := req.Header.Get("User-Agent"); own != "" {
		userAgent += " " + own
	}
	req.Header.Set("User-Agent", userAgent)
	return req, nil
}

// route is where a request goes and how its answer is taken.
type route struct {
	url   *url.URL
	pool  http.RoundTripper
	limit int64 // see endpoint.limit
	once  bool  // no further tries where there was no answer
}

// deliver sends a request, again where that may help, and reads the answer as
// far as it is bounded.
func (t *transport) deliver(out *outgoing, r route, authorization string) (*http.Response, error) {
	ctx := out.in.Context()
	g := t.limiter(hostPort(r.url))
	for try := 1; ; try++ {
		if wait, err := g.enter(ctx); err != nil {
			return nil, err
		} else if wait > 0 {
			return heldAnswer(out.in, wait), nil
		}
		resp, err := t.attempt(out, r, authorization)
		g.leave()
		if ctx.Err() != nil {
			closeBody(resp)
			return nil, &fault.Ended{Err: ctx.Err()}
		}
		wait := g.pauseAfter(try, resp)
		deadline, hasDeadline := ctx.Deadline()
		switch {
		case try == maxTries, !out.repeatable(), !passing(resp, err), (r.once || hurried(ctx)) && err != nil,
			wait > maxWait, hasDeadline && time.Until(deadline) <= wait:
			return resp, err
		}
		closeBody(resp)
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func (t *transport) attempt(out *outgoing, r route, authorization string) (*http.Response, error) {
	ctx := out.in.Context()
	if r.limit > 0 { // else it is read to its end by others
		var cancel context.CancelFunc
		ctx, cancel = inHaste(ctx)
		defer cancel()
	}
	req, err := out.to(ctx, r.url, authorization, t.userAgent)
	if err != nil {
		return nil, err
	}
	resp, err := r.pool.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Request = out.in
	if err := settle(resp, out.in.Method, r.limit); err != nil {
		return nil, err
	}
	return resp, nil
}

// settle reads an answer that is bounded, so that one cut short is found out
// while it can be asked for again.
func settle(resp *http.Response, method string, limit int64) error {
	failed := resp.StatusCode >= 300
	switch {
	case method == http.MethodHead, resp.StatusCode == http.StatusSwitchingProtocols:
		return nil
	case failed:
		limit = maxErrorBody
	case limit == 0:
		return nil
	}
	defer resp.Body.Close()
	if resp.ContentLength > limit && !failed {
		return tooLarge(limit)
	}
	data, over, err := content.ReadAtMost(resp.Body, limit)
	switch {
	case err != nil && !failed:
		return err
	case over && !failed:
		return tooLarge(limit)
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return nil
}

func tooLarge(limit int64) error {
	if limit == content.MaxManifest {
		return content.ErrTooLarge
	}
	return fault.Text(fmt.Sprintf("answered with more than %d KiB", limit>>10))
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

// backoff is 0.1 s and then 0.3 s, spread by a fifth so that requests do not
// return at once.
func backoff(try int) time.Duration {
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

func emptyAnswer(req *http.Request, status int) *http.Response {
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", status, http.StatusText(status)),
		StatusCode: status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{},
		Body:    http.NoBody,
		Request: req,
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return &fault.Ended{Err: ctx.Err()}
	case <-timer.C:
		return nil
	}
}

func closeBody(resp *http.Response) {
	if resp != nil {
		resp.Body.Close()
	}
}

// Retry calls f up to three times, as long as it fails and says that it is to be
// repeated. It is for what a [Client] cannot repeat by itself, such as the bytes
// of a blob. A registry that asks for a longer wait than longest is not waited for.
func Retry(ctx context.Context, longest time.Duration, f func() (repeat bool, err error)) error {
	for try := 1; ; try++ {
		repeat, err := f()
		if err == nil || !repeat || try == maxTries || ctx.Err() != nil {
			return err
		}
		wait := backoff(try)
		if e, ok := errors.AsType[*Error](err); ok && e.wait > 0 {
			wait = e.wait
		}
		if deadline, ok := ctx.Deadline(); wait > longest || ok && time.Until(deadline) <= wait {
			return err
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}
