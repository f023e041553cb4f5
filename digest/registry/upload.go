package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const errNoUpload fault.Text = "answered without a place to upload to"

// Upload is a blob on its way into a repository.
type Upload struct {
	repo *Repository
	url  *url.URL
	// after is the answer that named url.
	after *http.Response
}

// Mount asks the registry to take a blob over from another of its repositories.
// mounted is false where it has not done so; it may have started an upload
// instead, which is then to be used, or refused.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository
func (r *Repository) Mount(ctx context.Context, digest v1.Hash, from string) (mounted bool, u *Upload, err error) {
	u, err = r.open(ctx, url.Values{"mount": {digest.String()}, "from": {from}})
	return err == nil && u == nil, u, err
}

// StartUpload starts the upload of a blob.
func (r *Repository) StartUpload(ctx context.Context) (*Upload, error) {
	u, err := r.open(ctx, nil)
	if err == nil && u == nil {
		err = r.failure(errNoUpload)
	}
	return u, err
}

// open gives nil where the registry has taken the blob over.
func (r *Repository) open(ctx context.Context, query url.Values) (*Upload, error) {
	at := r.url("blobs/uploads/", query)
	resp, _, err := r.read(ctx, request{method: http.MethodPost, url: at}, http.StatusCreated, http.StatusAccepted)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusCreated {
		return nil, nil
	}
	u := &Upload{repo: r}
	return u, u.goOn(at, resp)
}

// goOn notes where the registry wants the upload to go on.
func (u *Upload) goOn(from *url.URL, resp *http.Response) error {
	location := resp.Header.Get("Location")
	if location == "" {
		return u.repo.failure(errNoUpload)
	}
	at, err := follow(from, location)
	if err != nil {
		return u.repo.failure(err)
	}
	u.url, u.after = at, resp
	return nil
}

// Send sends size bytes of content. It is not repeated: half an upload cannot be.
func (u *Upload) Send(ctx context.Context, from io.Reader, size int64) error {
	resp, err := u.repo.send(ctx, request{
		method: http.MethodPatch, url: u.url, after: u.after, body: from, length: size,
		contentType: "application/octet-stream",
	}, http.StatusAccepted, http.StatusCreated, http.StatusNoContent)
	if err != nil {
		return err
	}
	discard(resp)
	if resp.Header.Get("Location") == "" {
		return nil
	}
	return u.goOn(u.url, resp)
}

// Commit ends the upload: what was sent, and rest, is the blob of a digest.
func (u *Upload) Commit(ctx context.Context, digest v1.Hash, rest []byte) error {
	at := *u.url
	query := at.Query()
	query.Set("digest", digest.String())
	at.RawQuery = query.Encode()
	m := request{method: http.MethodPut, url: &at, after: u.after, contentType: "application/octet-stream"}
	if len(rest) > 0 {
		m.body, m.length = bytes.NewReader(rest), int64(len(rest))
	}
	_, _, err := u.repo.read(ctx, m, http.StatusCreated, http.StatusNoContent, http.StatusOK, http.StatusAccepted)
	return err
}

// PutBlob stores a small blob. What is there already is not sent again.
func (r *Repository) PutBlob(ctx context.Context, blob []byte) error {
	digest := content.Hash(blob)
	there, err := r.HasBlob(ctx, digest)
	if e, ok := errors.AsType[*Error](err); ok && e.Status != http.StatusUnauthorized && e.Status != http.StatusForbidden {
		// Those two may be said of a repository that its first push creates.
		return err
	}
	if there {
		return nil
	}
	return Retry(ctx, maxWait, func() (repeat bool, err error) {
		u, err := r.StartUpload(ctx)
		if err != nil {
			return false, err
		}
		// A commit that is repeated after its answer was lost finds no upload.
		err = u.Commit(ctx, digest, blob)
		return errors.Is(err, ErrNotFound), err
	})
}
