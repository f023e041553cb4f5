package digest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// copyRepo is one repository of one registry, to be read or written. Its
// requests are repeated by the [Transport], but for the bytes of a blob: half an
// upload cannot be, so [Copier.again] repeats the whole step.
type copyRepo struct {
	copier *Copier
	ref    Reference // of which only the repository counts
	repo   name.Repository
}

// message is one request to an copyRepo.
type message struct {
	method      string
	url         *url.URL
	accept      string
	contentType string
	body        io.Reader
	length      int64
	// after is the answer that named url, in a redirect or as the place of an
	// upload. By it a transport tells a request whose host a registry has
	// chosen, and gives it no credentials; net/http does the same.
	after *http.Response
}

const (
	errStalled   fault = "no answer in time"
	errNoUpload  fault = "answered without a place to upload to"
	errBadTarget fault = "points to a URL that cannot be used"
	errNotOne    fault = "does not answer as a registry (404)"
)

func (c *Copier) newCopyRepo(ref Reference) (*copyRepo, error) {
	repo, err := name.NewRepository(ref.Repository)
	if err != nil {
		return nil, &Error{Ref: ref.String(), Kind: ErrMalformed, Err: fault("repository not accepted")}
	}
	return &copyRepo{copier: c, ref: ref, repo: repo}, nil
}

// url is that of something in the repository: "manifests/v1".
func (e *copyRepo) url(rest string, query url.Values) *url.URL {
	return &url.URL{
		Scheme:   e.repo.Scheme(),
		Host:     e.repo.RegistryStr(),
		Path:     "/v2/" + e.repo.RepositoryStr() + "/" + rest,
		RawQuery: query.Encode(),
	}
}

// send sends m and gives back an answer with one of the wanted statuses; any
// other is an error. Redirects of GET and HEAD are followed.
func (e *copyRepo) send(ctx context.Context, m message, wanted ...int) (*http.Response, error) {
	for range maxRedirects + 1 {
		resp, err := e.once(ctx, m)
		if err != nil {
			return nil, err
		}
		reading := m.method == http.MethodGet || m.method == http.MethodHead
		if location := resp.Header.Get("Location"); reading && isRedirect(resp.StatusCode) && location != "" {
			finishBody(resp)
			if m.url, err = resolve(m.url, location); err != nil {
				return nil, err
			}
			m.after = resp
			continue
		}
		return e.check(resp, wanted)
	}
	return nil, errRedirects
}

func (e *copyRepo) once(ctx context.Context, m message) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, m.method, m.url.String(), m.body)
	if err != nil {
		return nil, err
	}
	if m.length > 0 {
		req.ContentLength = m.length
	}
	req.Response = m.after
	if m.accept != "" {
		req.Header.Set("Accept", m.accept)
	}
	if m.contentType != "" {
		req.Header.Set("Content-Type", m.contentType)
	}
	resp, err := e.copier.transport.RoundTrip(req)
	if err == nil {
		resp.Request = req
		return resp, nil
	}
	var own fault
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &own):
		return nil, own
	case cause != nil:
		return nil, &endedError{cause}
	}
	return nil, err
}

func (e *copyRepo) check(resp *http.Response, wanted []int) (*http.Response, error) {
	if err := transport.CheckError(resp, wanted...); err != nil {
		defer resp.Body.Close()
		var answered *transport.Error
		if errors.As(err, &answered) {
			html := strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
			if answered.StatusCode == http.StatusNotFound && html && !saysUnknown(answered) {
				return nil, errNotOne
			}
			wait, _ := retryAfter(resp.Header.Get("Retry-After"), time.Now())
			return nil, &refusedAnswer{answer: answered, wait: wait}
		}
		return nil, err
	}
	return resp, nil
}

// refusedAnswer is an answer with another status than was hoped for.
type refusedAnswer struct {
	answer *transport.Error
	wait   time.Duration // what Retry-After asks for, else 0
}

func (r *refusedAnswer) Error() string { return r.answer.Error() }
func (r *refusedAnswer) Unwrap() error { return r.answer }

// finishBody reads what little is left of an answer, so that its connection can
// be used again.
func finishBody(resp *http.Response) {
	io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// resolve finds where a Location header leads. Whether that is a place to go to
// is for the [Transport] to say.
func resolve(from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	if err != nil || to.Host == "" || to.User != nil {
		return nil, errBadTarget
	}
	return to, nil
}

// statusOf is that of the registry's answer in err, or 0.
func statusOf(err error) int {
	var answered *transport.Error
	if errors.As(err, &answered) {
		return answered.StatusCode
	}
	return 0
}

// unread is the error of something that could not be read.
func (e *copyRepo) unread(what string, err error) error {
	out := &Error{Ref: e.ref.String(), Registry: e.ref.Registry(), Kind: ErrUnknown}
	if statusOf(err) == http.StatusNotFound {
		out.Kind, out.Status = ErrNotFound, http.StatusNotFound
		out.Err = &cause{text: e.subject(what) + " not found", err: err}
		return out
	}
	status, text := describe(err, e.tried())
	out.Status, out.Err = status, &cause{text: e.subject(what) + ": " + text, err: err}
	return out
}

// unwritten is the error of something that could not be written.
func (e *copyRepo) unwritten(what string, err error) error {
	status, text := describe(err, e.tried())
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		text = "denied to push: " + text
	case http.StatusNotFound:
		text = "no such repository to push to (404)"
	case http.StatusMethodNotAllowed:
		text = "takes no pushes (405)"
	case http.StatusBadRequest:
		text = "refused as invalid" + strings.TrimPrefix(text, "unexpected answer")
	case http.StatusRequestEntityTooLarge:
		text = "refused as too large (413)"
	}
	return &Error{
		Ref: e.ref.String(), Registry: e.ref.Registry(), Kind: ErrNotWritten, Status: status,
		Err: &cause{text: e.subject(what) + " not written: " + text, err: err},
	}
}

func (e *copyRepo) subject(what string) string {
	return fmt.Sprintf("%s of %q", what, e.ref.Path())
}

func (e *copyRepo) tried() string { return e.copier.transport.Tried(e.repo) }

// again calls f up to three times, as long as it fails and says that it is to be
// repeated, which is where the Transport cannot repeat a request. A registry that
// asks for a longer wait than the Copier's timeout is not waited for.
func (c *Copier) again(ctx context.Context, f func() (repeat bool, err error)) error {
	for try := 1; ; try++ {
		repeat, err := f()
		if err == nil || !repeat || try == maxTries || ctx.Err() != nil {
			return err
		}
		wait := backoff(try)
		var refused *refusedAnswer
		if errors.As(err, &refused) && refused.wait > 0 {
			wait = refused.wait
		}
		if deadline, ok := ctx.Deadline(); wait > c.timeout || ok && time.Until(deadline) <= wait {
			return err
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// mayPass tells failures of a step that repeating it may mend. Unlike a
// resolver's question, a copy is long and has half its work behind it, so any
// trouble on the way counts except one that is known to stay.
func mayPass(err error) bool {
	var own fault
	var refused *refusedAnswer
	var creds *credentialsError
	switch {
	case errors.As(err, &refused):
		return passing(&http.Response{StatusCode: refused.answer.StatusCode}, nil)
	case errors.Is(err, errStalled):
		return true
	case errors.As(err, &own), errors.As(err, &creds), errors.Is(err, syscall.ECONNREFUSED):
		return false
	}
	return !strings.HasPrefix(describeNetwork(err), "no such host") &&
		!strings.HasPrefix(describeNetwork(err), "certificate")
}

// patience cancels a step in which nothing has moved for some time.
type patience struct {
	timer *time.Timer
	limit time.Duration
}

func (c *Copier) withPatience(ctx context.Context) (context.Context, *patience, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &patience{limit: c.timeout}
	p.timer = time.AfterFunc(c.timeout, func() { cancel(errStalled) })
	return ctx, p, func() {
		p.timer.Stop()
		cancel(context.Canceled)
	}
}

// moved starts the wait anew.
func (p *patience) moved() { p.timer.Reset(p.limit) }

// brief sends m and reads the whole answer, at most 4 MiB. The Transport repeats
// it where that may help, within the Copier's timeout.
func (e *copyRepo) brief(ctx context.Context, m message, wanted ...int) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, e.copier.timeout, errStalled)
	defer cancel()
	resp, err := e.send(ctx, m, wanted...)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := readBounded(resp.Body)
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		err = errStalled
	}
	return resp, answer, err
}
