package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// HasBlob asks whether the repository has a blob.
func (r *Repository) HasBlob(ctx context.Context, digest v1.Hash) (bool, error) {
	resp, err := r.send(ctx, request{method: http.MethodHead, url: r.url("blobs/"+digest.String(), nil)}, http.StatusOK)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	resp.Body.Close()
	if isHTML(resp) && resp.Header.Get("Docker-Content-Digest") == "" {
		return false, r.failure(noManifest(v1.Descriptor{MediaType: mediaType(resp)}))
	}
	return true, nil
}

// OpenBlob opens a blob of any size. Its content is not checked: whoever reads it
// compares it with the digest.
func (r *Repository) OpenBlob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	resp, err := r.send(ctx, request{method: http.MethodGet, url: r.url("blobs/"+digest.String(), nil)}, http.StatusOK)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Blob reads the blob of a descriptor, of at most limit bytes. What it returns
// has the descriptor's digest and size.
func (r *Repository) Blob(ctx context.Context, d v1.Descriptor, limit int64) ([]byte, error) {
	if d.Size < 0 || d.Size > limit {
		return nil, r.failure(fault.Text(fmt.Sprintf("size is %d bytes, the limit is %d", d.Size, limit)))
	}
	if body, ok := r.cached(d.Digest.String()); ok && int64(len(body)) == d.Size {
		return body, nil
	}
	from, err := r.OpenBlob(ctx, d.Digest)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	body, over, err := content.ReadAtMost(from, d.Size)
	switch {
	case err != nil:
		return nil, r.failure(err)
	case over:
		return nil, r.failure(fault.Text(fmt.Sprintf("it has more than the %d bytes that its descriptor says", d.Size)))
	case int64(len(body)) != d.Size:
		return nil, r.failure(fault.Text(fmt.Sprintf("it has %d bytes instead of %d", len(body), d.Size)))
	}
	if got := content.Hash(body); got != d.Digest {
		return nil, r.failure(fault.Text("its content has the digest " + got.String()))
	}
	r.keep(d.Digest.String(), body)
	return body, nil
}
