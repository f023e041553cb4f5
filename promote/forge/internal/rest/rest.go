// Package rest asks a service that speaks JSON over HTTP, one request at a time. It
// knows nothing of forges. Answers, redirects and waiting are bounded; another host
// than the one that was asked never gets the headers; a request that changes
// something is made again only where it surely changed nothing.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	// maxAnswer bounds an answer: a page of a hundred pull requests with long bodies.
	maxAnswer = 16 << 20
	// maxHops bounds redirects, which forges give for repositories that were renamed.
	maxHops = 3
	// requestLimit is how long one request may take.
	requestLimit = time.Minute
	// maxTries bounds how often one request is made.
	maxTries = 5
)

// Client asks one service.
type Client struct {
	// Base stands in front of paths, without a slash at its end.
	Base string
	// Header goes with each request.
	Header http.Header
	// Transport is [http.DefaultTransport] where nil.
	Transport http.RoundTripper
	// Patience is how long one request waits altogether.
	Patience time.Duration
	// Now and Wait are the clock; nil is the real one.
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration) error
}

// Call is one request.
type Call struct {
	Method string
	// Path is below Base, escaped, with its query; or a whole URL of a service that
	// may have the headers too.
	Path string
	// In is sent and Out is read, both as JSON, where not nil.
	In, Out any
}

// Refused is an answer that is no success.
type Refused struct {
	Status int
	Header http.Header
	Body   []byte
	// Limited tells a rate limit, and Lifts after how long it lifts.
	Limited bool
	Lifts   time.Duration
}

// Error is the status.
func (r *Refused) Error() string { return strconv.Itoa(r.Status) + " " + http.StatusText(r.Status) }

// Failed is a request without an answer that can be used.
type Failed struct {
	// Msg is one line, without a URL.
	Msg  string
	Hint string
	// Malformed tells an answer that is not of the form that was expected.
	Malformed bool
	// Err is the error of a context, or nil.
	Err error
}

// Error is the message.
func (f *Failed) Error() string { return f.Msg }

// Unwrap gives the error of the context.
func (f *Failed) Unwrap() error { return f.Err }

// Send makes a request, and makes it again after a wait where that may help and the
// patience lasts. It gives the headers of a success; an error is a [*Refused] or a
// [*Failed].
func (c *Client) Send(ctx context.Context, call Call) (http.Header, error) {
	var body []byte
	if call.In != nil {
		var err error
		if body, err = json.Marshal(call.In); err != nil {
			return nil, &Failed{Msg: fault.OneLine(err.Error())}
		}
	}
	waited := time.Duration(0)
	for try := 0; ; try++ {
		got, err := c.once(ctx, call, body)
		if err == nil && got.ok() {
			return got.header, got.decode(call.Out)
		}
		wait, again := c.retry(call.Method, got, err, try)
		if ctx.Err() != nil || !again || waited+wait > c.Patience {
			if err != nil {
				return nil, failed(ctx, err)
			}
			return nil, &Refused{Status: got.status, Header: got.header, Body: got.body, Limited: got.limited(), Lifts: wait}
		}
		waited += wait
		if err := c.Sleep(ctx, wait); err != nil {
			return nil, failed(ctx, err)
		}
	}
}

// Sleep waits by the client's clock.
func (c *Client) Sleep(ctx context.Context, d time.Duration) error {
	if c.Wait != nil {
		return c.Wait(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ok leaves out 203, with which Azure DevOps shows its page for signing in.
func (a *answer) ok() bool {
	return a.status >= 200 && a.status < 300 && a.status != http.StatusNonAuthoritativeInfo
}

func (a *answer) decode(out any) error {
	if out == nil {
		return nil
	}
	err := json.Unmarshal(a.body, out)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return &Failed{Msg: "the answer is not JSON", Malformed: true}
	}
	return &Failed{Msg: "the answer is not of the form that was expected", Malformed: true}
}

// once makes one request and follows redirects that stay on the host.
func (c *Client) once(ctx context.Context, call Call, body []byte) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	client := http.Client{Transport: c.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	target := call.Path
	if !strings.HasPrefix(target, "https://") && !strings.HasPrefix(target, "http://") {
		target = c.Base + call.Path
	}
	for hop := 0; ; hop++ {
		req, err := http.NewRequestWithContext(ctx, call.Method, target, bytes.NewReader(body))
		if err != nil {
			return nil, &Failed{Msg: "the address is malformed"}
		}
		req.Header = c.Header.Clone()
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		got, err := read(resp)
		if err != nil {
			return nil, err
		}
		next, err := follow(req, got)
		if err != nil || next == "" {
			return got, err
		}
		if hop == maxHops {
			return nil, &Failed{Msg: "too many redirects"}
		}
		target = next
	}
}

func read(resp *http.Response) (*answer, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, &Failed{Msg: "the answer is larger than 16 MiB"}
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// follow gives the address that an answer leads to, or "". Another host would get
// the token; and a method must stay what it is, which 301 and 302 do not promise.
func follow(req *http.Request, a *answer) (string, error) {
	if a.status < 300 || a.status > 399 || a.status == http.StatusNotModified {
		return "", nil
	}
	const hint = "git remote set-url origin URL"
	next, err := req.URL.Parse(a.header.Get("Location"))
	if err != nil || a.header.Get("Location") == "" {
		return "", &Failed{Msg: "a redirect that leads nowhere"}
	}
	if next.Host != req.URL.Host || next.Scheme != req.URL.Scheme {
		to := fault.Shorten(fault.Printable(next.Scheme + "://" + next.Host))
		return "", &Failed{Msg: "it leads to " + to + ", which does not get the token", Hint: hint}
	}
	keeps := a.status == http.StatusTemporaryRedirect || a.status == http.StatusPermanentRedirect
	if req.Method != http.MethodGet && !keeps {
		return "", &Failed{Msg: "the repository has moved", Hint: hint}
	}
	return next.String(), nil
}

// failed words what kept an answer from coming.
func failed(ctx context.Context, err error) *Failed {
	var known *Failed
	switch {
	case errors.As(err, &known):
		return known
	case ctx.Err() != nil:
		return &Failed{Msg: fault.Network(ctx.Err()), Err: ctx.Err()}
	}
	return &Failed{Msg: fault.Network(err)}
}
