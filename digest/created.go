package digest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// annotationCreated is in the annotations of the OCI image specification.
const annotationCreated = "org.opencontainers.image.created"

// Created asks when the image was built that ref stands for, for
// [Selector.SelectCreated]. It is the annotation
// "org.opencontainers.image.created" of the manifest, else what the image's
// configuration says; of an index without the annotation, what that of its first
// image says. It is the zero time where none of them says so. It costs one to
// three requests, of which Docker Hub counts the ones for manifests.
//
// Errors are those of [Resolver.Resolve].
func (r *Resolver) Created(ctx context.Context, ref string) (time.Time, error) {
	parsed, err := ParseReference(ref)
	if err != nil {
		return time.Time{}, err
	}
	q, err := newQuestion(parsed)
	if err != nil {
		return time.Time{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	rt, tried, err := r.authenticated(ctx, q.repo)
	var at time.Time
	if err == nil {
		at, err = created(ctx, &http.Client{Transport: rt}, q)
	}
	if err != nil {
		e := failure(q, err, tried)
		e.Ref = ref
		return time.Time{}, e
	}
	return at, nil
}

// createdManifest is what an image or an index says about when it was built.
type createdManifest struct {
	Annotations map[string]string `json:"annotations"`
	Manifests   []v1.Descriptor   `json:"manifests"`
	Config      *v1.Descriptor    `json:"config"`
}

func created(ctx context.Context, client *http.Client, q question) (time.Time, error) {
	m, err := fetchCreated(ctx, client, q)
	if err != nil {
		return time.Time{}, err
	}
	if text, ok := m.Annotations[annotationCreated]; ok {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return time.Time{}, fault(fmt.Sprintf("annotation %s is %q, not a time of RFC 3339", annotationCreated, shorten(text)))
		}
		return at, nil
	}
	if desc, ok := firstImage(m.Manifests); ok {
		q.ref.Digest = desc.Digest.String()
		m, err = fetchCreated(ctx, client, q)
		if err != nil {
			return time.Time{}, missingPart(err, "image "+q.ref.Digest)
		}
	}
	if m.Config == nil || m.Config.MediaType != types.OCIConfigJSON && m.Config.MediaType != types.DockerConfigJSON {
		return time.Time{}, nil
	}
	data, err := fetchDigest(ctx, client, q, "blobs", m.Config.Digest.String(), "*/*")
	if err != nil {
		return time.Time{}, missingPart(err, "configuration "+m.Config.Digest.String())
	}
	var config struct {
		Created time.Time `json:"created"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return time.Time{}, fault("answered with a configuration that is not JSON of its kind")
	}
	return config.Created, nil
}

// missingPart makes no definite no of a part that is not there: what was asked
// about is.
func missingPart(err error, part string) error {
	if errors.Is(err, ErrNotFound) {
		return fault("has the manifest and not the " + part + " that it names")
	}
	return err
}

func fetchCreated(ctx context.Context, client *http.Client, q question) (m createdManifest, err error) {
	accept := strings.Join([]string{
		string(types.OCIImageIndex), string(types.OCIManifestSchema1),
		string(types.DockerManifestList), string(types.DockerManifestSchema2),
	}, ", ")
	var data []byte
	if q.ref.Digest != "" {
		data, err = fetchDigest(ctx, client, q, "manifests", q.ref.Digest, accept)
	} else {
		data, _, err = fetchURL(ctx, client, q.url("manifests", q.ref.Tag), accept, maxManifest)
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fault("answered with a manifest that is not JSON of its kind")
	}
	return m, nil
}

// fetchDigest fetches what has a digest, and compares it.
func fetchDigest(ctx context.Context, client *http.Client, q question, kind, digest, accept string) ([]byte, error) {
	if _, why := checkDigest(digest); why != "" {
		return nil, fault("answered with a manifest that names " + fmt.Sprintf("%q", shorten(digest)) + ": " + why)
	}
	data, _, err := fetchURL(ctx, client, q.url(kind, digest), accept, maxManifest)
	if err != nil {
		return nil, err
	}
	if hash, _, err := v1.SHA256(bytes.NewReader(data)); err != nil || hash.String() != digest {
		return nil, fault("answered with what does not hash to " + digest)
	}
	return data, nil
}

func (q question) url(kind, identifier string) *url.URL {
	return &url.URL{
		Scheme: q.repo.Scheme(), Host: q.repo.RegistryStr(),
		Path: "/v2/" + q.repo.RepositoryStr() + "/" + kind + "/" + identifier,
	}
}

// firstImage leaves out what stands in an index beside images, such as
// attestations.
func firstImage(descs []v1.Descriptor) (v1.Descriptor, bool) {
	for _, d := range descs {
		if d.MediaType.IsImage() && (d.Platform == nil || d.Platform.OS != "unknown") {
			return d, true
		}
	}
	return v1.Descriptor{}, false
}
