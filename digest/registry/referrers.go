package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const maxReferrerPages = 100

// Referrers lists the manifests that say they belong to a digest, all pages of
// them. A registry without this request is asked for the list that clients keep
// under the tag "sha256-…", and byTag is true. With an error comes what was
// listed before it. What the manifests are is not checked here.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
func (r *Repository) Referrers(ctx context.Context, digest v1.Hash) (list []v1.Descriptor, byTag bool, err error) {
	next := r.url("referrers/"+digest.String(), nil)
	for page := range maxReferrerPages {
		resp, body, err := r.read(ctx, request{method: http.MethodGet, url: next, accept: string(types.OCIImageIndex)}, http.StatusOK)
		if page == 0 && (lacksReferrers(err) || err == nil && !isJSON(resp)) {
			list, err := r.referrersByTag(ctx, digest)
			return list, true, err
		}
		if err != nil {
			return list, false, err
		}
		if !isJSON(resp) {
			return list, false, r.failure(fault.Text(fmt.Sprintf("page %d is %q and no image index", page+1, fault.Shorten(string(mediaType(resp))))))
		}
		more, err := content.ParseReferrers(body, len(list))
		list = append(list, more...)
		if err != nil {
			return list, false, r.failure(err)
		}
		if next, err = nextPage(next, resp.Header.Values("Link")); err != nil {
			return list, false, r.failure(err)
		}
		if next == nil {
			return list, false, nil
		}
	}
	return list, false, r.failure(fault.Text(fmt.Sprintf("answered with more than %d pages of referrers", maxReferrerPages)))
}

// lacksReferrers knows the answers of registries that do not have this request.
func lacksReferrers(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	switch e.answered() {
	case http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable:
		return true
	}
	return false
}

// isJSON is also true for JSON of another type than it should be, which may be
// the list all the same: to pass over it would be to say that there is nothing.
func isJSON(resp *http.Response) bool { return strings.HasSuffix(string(mediaType(resp)), "json") }

// referrersByTag reads the index that clients keep on registries without the
// request. That there is none means that nobody has attached anything.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
func (r *Repository) referrersByTag(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	desc, body, err := r.Manifest(ctx, content.FallbackTag(digest.String()))
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case desc.MediaType != types.OCIImageIndex:
		return nil, r.failure(fault.Text(fmt.Sprintf("what stands under the tag for referrers is %q and no image index", fault.Shorten(string(desc.MediaType)))))
	}
	list, err := content.ParseReferrers(body, 0)
	if err != nil {
		return list, r.failure(err)
	}
	return list, nil
}
