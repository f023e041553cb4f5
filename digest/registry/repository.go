package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	protocol "github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// Repository is one repository of one registry, to be read and written by the
// OCI distribution protocol. All its errors are [*Error] values. It is safe for
// concurrent use. Make it with [Client.Repository].
type Repository struct {
	client *Client
	name   name.Repository
}

// Repository is the repository of a name. Nothing is asked yet.
func (c *Client) Repository(n name.Repository) *Repository {
	return &Repository{client: c, name: n}
}

// Name is the repository's name in full: "registry.example.com/shop/cart".
func (r *Repository) Name() name.Repository { return r.name }

// request is one request about a repository.
type request struct {
	method      string
	url         *url.URL
	accept      string
	contentType string
	body        io.Reader
	length      int64
	// after is the answer that named url, in a redirect or as the place of an
	// upload. By it the client tells a request whose host a registry has
	// chosen, and gives it no credentials; net/http does the same.
	after *http.Response
}

// url is that of something in the repository: "manifests/v1".
func (r *Repository) url(rest string, query url.Values) *url.URL {
	return &url.URL{
		Scheme:   "https", // the client finds out what is spoken
		Host:     r.name.RegistryStr(),
		Path:     "/v2/" + r.name.RepositoryStr() + "/" + rest,
		RawQuery: query.Encode(),
	}
}

// send gives back an answer with one of the wanted statuses; any other is an
// error. Redirects of GET and HEAD are followed.
func (r *Repository) send(ctx context.Context, m request, wanted ...int) (*http.Response, error) {
	for range maxRedirects + 1 {
		resp, err := r.once(ctx, m)
		if err != nil {
			return nil, r.failure(err)
		}
		reading := m.method == http.MethodGet || m.method == http.MethodHead
		location := resp.Header.Get("Location")
		if !reading || !isRedirect(resp.StatusCode) || location == "" {
			return r.check(resp, wanted)
		}
		discard(resp)
		if m.url, err = follow(m.url, location); err != nil {
			return nil, r.failure(err)
		}
		m.after = resp
	}
	return nil, r.failure(errRedirects)
}

func (r *Repository) once(ctx context.Context, m request) (*http.Response, error) {
	if r.client.hurried {
		ctx = context.WithValue(ctx, hurryKey{}, true)
	}
	req, err := http.NewRequestWithContext(ctx, m.method, m.url.String(), m.body)
	if err != nil {
		return nil, fault.Text("not a URL that can be asked")
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
	resp, err := r.client.RoundTrip(req)
	if err == nil {
		return resp, nil
	}
	var own fault.Text
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &own):
		return nil, own
	case cause != nil:
		return nil, &fault.Ended{Err: cause}
	}
	return nil, err
}

// check makes an error of every status that is not wanted.
func (r *Repository) check(resp *http.Response, wanted []int) (*http.Response, error) {
	if slices.Contains(wanted, resp.StatusCode) {
		return resp, nil
	}
	defer resp.Body.Close()
	var answered *protocol.Error
	err := protocol.CheckError(resp, wanted...)
	if !errors.As(err, &answered) {
		return nil, r.failure(err)
	}
	e := r.failure(answered)
	e.wait, _ = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	// A 404 as a web page comes from a proxy as likely as from the registry.
	if answered.StatusCode == http.StatusNotFound && (!isHTML(resp) || saysUnknown(answered)) {
		e.text, e.err = ErrNotFound.Error(), errors.Join(ErrNotFound, answered)
	}
	return nil, e
}

// read sends a request and reads the whole answer, which the client has bounded.
func (r *Repository) read(ctx context.Context, m request, wanted ...int) (*http.Response, []byte, error) {
	resp, err := r.send(ctx, m, wanted...)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := content.ReadBounded(resp.Body)
	if err != nil {
		var own fault.Text
		if errors.As(context.Cause(ctx), &own) {
			err = own
		}
		return nil, nil, r.failure(err)
	}
	return resp, body, nil
}

// discard reads what little is left of an answer, so that its connection can be
// used again.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody)
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

// follow finds where a Location header leads. Whether the host is one to go to is
// for the client to say.
func follow(from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	switch {
	case err != nil:
		return nil, fault.Text("points to a URL that cannot be read")
	case to.User != nil:
		return nil, errURLCredentials
	case to.Host == "":
		return nil, errURLScheme
	}
	return to, nil
}

func isHTML(resp *http.Response) bool {
	return content.IsWebPage(mediaType(resp))
}

func saysUnknown(e *protocol.Error) bool {
	for _, d := range e.Errors {
		switch d.Code {
		case protocol.ManifestUnknownErrorCode, protocol.NameUnknownErrorCode, "NOT_FOUND":
			return true
		}
	}
	return false
}
