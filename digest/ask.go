package digest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// question is one manifest asked for: the digest of ref if it has one, else
// its tag.
type question struct {
	ref  Reference
	repo name.Repository
}

func newQuestion(ref Reference) (question, error) {
	repo, err := name.NewRepository(ref.Repository)
	if err != nil {
		// The grammar here is the narrower one; this is for the day it is not.
		return question{}, &Error{Ref: ref.String(), Kind: malformed, Err: fault("repository not accepted")}
	}
	return question{ref: ref, repo: repo}, nil
}

// String is the subject of messages: tag "v1" of "shop/cart".
func (q question) String() string {
	if q.ref.Digest != "" {
		return fmt.Sprintf("digest %s of %q", q.ref.Digest, q.ref.Path())
	}
	return fmt.Sprintf("tag %q of %q", q.ref.Tag, q.ref.Path())
}

// identifier is the last part of the URL.
func (q question) identifier() string {
	if q.ref.Digest != "" {
		return q.ref.Digest
	}
	return q.ref.Tag
}

// promptly returns when ask does or when ctx ends, whichever is first. A
// transport or a keychain of the caller's need not look at ctx; the goroutine
// then ends with that.
func promptly[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := ask(ctx)
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// ask finds the descriptor of a manifest by HEAD and, where that cannot tell, by GET.
func (r *Resolver) ask(ctx context.Context, q question) (v1.Descriptor, error) {
	return promptly(ctx, func(ctx context.Context) (v1.Descriptor, error) {
		desc, conclusive, err := r.head(ctx, q)
		if !conclusive {
			_, desc, err = r.get(ctx, q)
		}
		if err == nil && q.ref.Digest != "" && desc.Digest.String() != q.ref.Digest {
			err = fault("answered with another digest, " + desc.Digest.String())
		}
		return desc, err
	})
}

// request sends a request about a repository, and makes an error of every
// status but 200. The caller closes the body.
func (r *Resolver) request(ctx context.Context, method string, repo name.Repository, path, accept string) (*http.Response, error) {
	u := url.URL{Scheme: "https", Host: repo.RegistryStr(), Path: "/v2/" + repo.RepositoryStr() + path}
	return r.requestURL(ctx, method, &u, accept)
}

func (r *Resolver) requestURL(ctx context.Context, method string, u *url.URL, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, fault("not a URL that can be asked")
	}
	req.Header.Set("Accept", accept)
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// head is conclusive unless a GET can better the answer: one without a usable
// digest, one not allowed, and a 404 as a web page, which comes from a proxy
// as likely as from the registry.
func (r *Resolver) head(ctx context.Context, q question) (desc v1.Descriptor, conclusive bool, err error) {
	resp, err := r.request(ctx, http.MethodHead, q.repo, "/manifests/"+q.identifier(), manifestTypes)
	if err != nil {
		return desc, true, err
	}
	defer resp.Body.Close()
	switch status := resp.StatusCode; {
	case status == http.StatusMethodNotAllowed, status == http.StatusNotFound && isHTML(resp):
		return desc, false, nil
	case status != http.StatusOK:
		return desc, true, verdict(resp)
	}
	given := resp.Header.Get("Docker-Content-Digest")
	_, why := checkDigest(given)
	if why != "" || resp.ContentLength < 0 || resp.Header.Get("Content-Type") == "" {
		return desc, false, nil
	}
	hash, err := v1.NewHash(given)
	return v1.Descriptor{Digest: hash, MediaType: mediaType(resp), Size: resp.ContentLength}, true, err
}

// get fetches a manifest, and finds its digest from its bytes.
func (r *Resolver) get(ctx context.Context, q question) ([]byte, v1.Descriptor, error) {
	var desc v1.Descriptor
	resp, err := r.request(ctx, http.MethodGet, q.repo, "/manifests/"+q.identifier(), manifestTypes)
	if err != nil {
		return nil, desc, err
	}
	data, err := readAnswer(resp)
	if err != nil {
		return nil, desc, err
	}
	desc = describeContent(data, resp.Header.Get("Content-Type"))
	given := resp.Header.Get("Docker-Content-Digest")
	_, why := checkDigest(given)
	switch {
	case desc.MediaType == types.DockerManifestSchema1Signed:
		// The digest of such a manifest is not that of its bytes.
		return nil, desc, fault("answered with a schema 1 manifest and no digest")
	case q.ref.Digest != "" && desc.Digest.String() != q.ref.Digest:
		return nil, desc, fault("answered with another digest, " + desc.Digest.String())
	case why == "" && given != desc.Digest.String():
		return nil, desc, fault("answered with a manifest that does not hash to the digest given with it, " + given)
	}
	return data, desc, nil
}

// readAnswer reads an answer that the Transport has bounded; any status but 200
// is an error.
func readAnswer(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, verdict(resp)
	}
	return io.ReadAll(resp.Body)
}

func mediaType(resp *http.Response) types.MediaType {
	return bareMediaType(resp.Header.Get("Content-Type"))
}

func isHTML(resp *http.Response) bool {
	return strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
}

// verdict makes an error of an answer, with notFound if it is a definite no.
func verdict(resp *http.Response) error {
	err := transport.CheckError(resp)
	var answered *transport.Error
	if resp.StatusCode != http.StatusNotFound || !errors.As(err, &answered) {
		return err
	}
	if isHTML(resp) && !saysUnknown(answered) {
		return err
	}
	return errors.Join(notFound, err)
}

func saysUnknown(e *transport.Error) bool {
	for _, d := range e.Errors {
		switch d.Code {
		case transport.ManifestUnknownErrorCode, transport.NameUnknownErrorCode, "NOT_FOUND":
			return true
		}
	}
	return false
}
