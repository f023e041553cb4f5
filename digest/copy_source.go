package digest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// artifactManifest was in drafts of the image specification 1.1, and is
	// still found in registries.
	artifactManifest types.MediaType = "application/vnd.oci.artifact.manifest.v1+json"
	// maxPages bounds a paginated list.
	maxPages = 100
	// maxListed bounds the referrers of one manifest.
	maxListed = 5000
)

const errForged fault = "content has another digest, "

// acceptManifests names every manifest that can be copied, so that a registry
// does not convert one into another.
var acceptManifests = strings.Join([]string{
	string(types.OCIManifestSchema1), string(types.OCIImageIndex),
	string(types.DockerManifestSchema2), string(types.DockerManifestList),
	string(artifactManifest),
}, ", ")

// copySource is where a copy is read from: a repository, or an OCI layout.
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
	resp, body, err := e.quick(ctx, message{
		method: http.MethodGet, url: e.url("manifests/"+tagOrDigest, nil), accept: acceptManifests,
	}, nil, http.StatusOK)
	if err != nil {
		return v1.Descriptor{}, nil, err
	}
	desc := describeContent(body, resp.Header.Get("Content-Type"))
	if got := desc.Digest.String(); strings.HasPrefix(tagOrDigest, digestPrefix) && got != tagOrDigest {
		return desc, nil, errForged + fault(got)
	}
	return desc, body, nil
}

func describeContent(body []byte, mediaType string) v1.Descriptor {
	sum := sha256.Sum256(body)
	mediaType, _, _ = strings.Cut(mediaType, ";")
	return v1.Descriptor{
		MediaType: types.MediaType(strings.TrimSpace(mediaType)),
		Digest:    v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])},
		Size:      int64(len(body)),
	}
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
	resp, _, err := e.quick(ctx, message{
		method: http.MethodHead, url: e.url("manifests/"+tagOrDigest, nil), accept: acceptManifests,
	}, nil, http.StatusOK)
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
	for range maxPages {
		resp, body, err := e.quick(ctx, message{
			method: http.MethodGet, url: next, accept: string(types.OCIImageIndex),
		}, nil, http.StatusOK)
		switch status := statusOf(err); {
		case status == http.StatusNotFound, status == http.StatusBadRequest,
			status == http.StatusMethodNotAllowed, status == http.StatusNotAcceptable, errors.Is(err, errNotOne):
			return nil, false, nil
		case err != nil:
			return nil, false, err
		case !strings.HasPrefix(resp.Header.Get("Content-Type"), string(types.OCIImageIndex)):
			return nil, false, nil
		}
		page, err := parseReferrers(body)
		if err != nil {
			return nil, true, err
		}
		if all = append(all, page...); len(all) > maxListed {
			return nil, true, fault("more than " + strconv.Itoa(maxListed) + " referrers")
		}
		link := nextLink(resp.Header.Values("Link"))
		if link == "" {
			return all, true, nil
		}
		if next, err = e.resolve(next, link); err != nil || next.Host != e.repo.RegistryStr() {
			return nil, true, errBadTarget
		}
	}
	return nil, true, fault("more than " + strconv.Itoa(maxPages) + " pages")
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
	list, err := parseReferrers(body)
	if len(list) > maxListed {
		return nil, fault("more than " + strconv.Itoa(maxListed) + " referrers")
	}
	return list, err
}

// tagOf is the tag that stands for a digest: sha256-….
func tagOf(digest string) string { return strings.Replace(digest, ":", "-", 1) }

func parseReferrers(body []byte) ([]v1.Descriptor, error) {
	var list struct {
		Manifests []v1.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fault("list of referrers is not an index")
	}
	return list.Manifests, nil
}

// nextLink finds the URL of rel="next" in Link headers, RFC 8288.
func nextLink(links []string) string {
	for _, link := range strings.Split(strings.Join(links, ","), ",") {
		target, params, _ := strings.Cut(strings.TrimSpace(link), ";")
		if !strings.HasPrefix(target, "<") || !strings.HasSuffix(target, ">") {
			continue
		}
		for _, p := range strings.Split(params, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
			if strings.EqualFold(key, "rel") && strings.EqualFold(strings.Trim(value, `"`), "next") {
				return target[1 : len(target)-1]
			}
		}
	}
	return ""
}

// mountQuery asks for a blob of another repository.
func mountQuery(digest, from string) url.Values {
	return url.Values{"mount": {digest}, "from": {from}}
}
