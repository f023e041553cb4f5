package digest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// copySource is where a copy is read from: a repository, or files.
// Its errors are fit for the caller of [Copier.Copy].
type copySource interface {
	// manifest gives the manifest of a tag or digest, checked against the latter.
	manifest(ctx context.Context, tagOrDigest string) (v1.Descriptor, []byte, error)
	// tagged gives the digest of a tag, empty when there is no such tag.
	tagged(ctx context.Context, tag string) (string, error)
	// referrers lists the manifests that say they belong to a digest.
	referrers(ctx context.Context, digest string) ([]v1.Descriptor, error)
	// blob gives the content of a digest, not checked.
	blob(ctx context.Context, digest string) (io.ReadCloser, error)
	// mountable is the registry and path to mount blobs from; empty for none.
	mountable() (registry, path string)
	// String is the source as it is told to people.
	String() string
}

// repositorySource reads from a registry.
type repositorySource struct{ *copyRepo }

func (s repositorySource) String() string { return s.ref.Repository }

func (s repositorySource) mountable() (registry, path string) {
	return s.repo.RegistryStr(), s.repo.RepositoryStr()
}

func (s repositorySource) manifest(ctx context.Context, tagOrDigest string) (v1.Descriptor, []byte, error) {
	desc, body, err := s.fetch(ctx, tagOrDigest)
	if err != nil {
		return desc, nil, s.unread(manifestName(tagOrDigest), err)
	}
	return desc, body, nil
}

// manifestName is the subject of messages: tag "v1", manifest sha256:….
func manifestName(tagOrDigest string) string {
	if strings.HasPrefix(tagOrDigest, digestPrefix) {
		return "manifest " + tagOrDigest
	}
	return "tag " + strconv.Quote(tagOrDigest)
}

// fetch gets a manifest. A registry's word on the digest of a tag is not
// needed: the digest of what it sends is what is copied.
func (e *copyRepo) fetch(ctx context.Context, tagOrDigest string) (v1.Descriptor, []byte, error) {
	resp, body, err := e.brief(ctx, message{
		method: http.MethodGet, url: e.url("manifests/"+tagOrDigest, nil), accept: manifestTypes,
	}, http.StatusOK)
	if err != nil {
		return v1.Descriptor{}, nil, err
	}
	desc := describeContent(body, resp.Header.Get("Content-Type"))
	if got := desc.Digest.String(); strings.HasPrefix(tagOrDigest, digestPrefix) && got != tagOrDigest {
		return desc, nil, errForged + fault(got)
	}
	return desc, body, nil
}

func (s repositorySource) tagged(ctx context.Context, tag string) (string, error) {
	digest, err := s.head(ctx, tag)
	if err != nil {
		return "", s.unread(manifestName(tag), err)
	}
	return digest, nil
}

// head gives the digest of a manifest by HEAD, empty when there is none.
func (e *copyRepo) head(ctx context.Context, tagOrDigest string) (string, error) {
	resp, _, err := e.brief(ctx, message{
		method: http.MethodHead, url: e.url("manifests/"+tagOrDigest, nil), accept: manifestTypes,
	}, http.StatusOK)
	if statusOf(err) == http.StatusNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	digest := resp.Header.Get("Docker-Content-Digest")
	if _, why := checkDigest(digest); why == "" {
		return digest, nil
	}
	// The header may be left out.
	desc, _, err := e.fetch(ctx, tagOrDigest)
	return desc.Digest.String(), err
}

func (s repositorySource) blob(ctx context.Context, digest string) (io.ReadCloser, error) {
	resp, err := s.send(ctx, message{method: http.MethodGet, url: s.url("blobs/"+digest, nil)}, http.StatusOK)
	if err != nil {
		return nil, s.unread("blob "+digest, err)
	}
	return resp.Body, nil
}

func (s repositorySource) referrers(ctx context.Context, digest string) ([]v1.Descriptor, error) {
	list, known, err := s.referrersAPI(ctx, digest)
	if err == nil && !known {
		list, err = s.referrersTag(ctx, digest)
	}
	if err != nil {
		return nil, s.unread("referrers of "+digest, err)
	}
	return list, nil
}

// referrersAPI asks for referrers page by page. known is false when the
// registry does not have this request, which is then asked no more.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
func (e *copyRepo) referrersAPI(ctx context.Context, digest string) (all []v1.Descriptor, known bool, err error) {
	next := e.url("referrers/"+digest, nil)
	for range maxReferrerPages {
		resp, body, err := e.brief(ctx, message{
			method: http.MethodGet, url: next, accept: string(types.OCIImageIndex),
		}, http.StatusOK)
		switch status := statusOf(err); {
		case lacksReferrers(status), errors.Is(err, errNotOne):
			return nil, false, nil
		case err != nil:
			return nil, false, err
		case mediaType(resp) != types.OCIImageIndex:
			return nil, false, nil
		}
		page, err := parseReferrers(body, len(all))
		if err != nil {
			return nil, true, err
		}
		all = append(all, page...)
		if next, err = nextPage(next, resp.Header.Values("Link")); err != nil || next == nil {
			return all, true, err
		}
	}
	return nil, true, tooManyPages()
}

// referrersTag reads the list that clients keep under a tag where the registry
// does not keep it.
//
// https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
func (e *copyRepo) referrersTag(ctx context.Context, digest string) ([]v1.Descriptor, error) {
	desc, body, err := e.fetch(ctx, tagOf(digest))
	if statusOf(err) == http.StatusNotFound || err == nil && desc.MediaType != types.OCIImageIndex {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseReferrers(body, 0)
}

// mountQuery asks for a blob of another repository.
func mountQuery(digest, from string) url.Values {
	return url.Values{"mount": {digest}, "from": {from}}
}
