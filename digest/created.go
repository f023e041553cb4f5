package digest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
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
	at, err := promptly(ctx, func(ctx context.Context) (time.Time, error) { return r.created(ctx, q) })
	if err != nil {
		e := failure(q, err, r.transport.Tried(q.repo))
		e.Ref = ref
		return time.Time{}, e
	}
	return at, nil
}

func (r *Resolver) created(ctx context.Context, q question) (time.Time, error) {
	m, err := r.dated(ctx, q)
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
	if m.Manifests != nil {
		desc, ok := firstImage(*m.Manifests)
		if !ok {
			return time.Time{}, nil
		}
		q.ref.Digest = desc.Digest.String()
		if m, err = r.dated(ctx, q); errors.Is(err, ErrNotFound) {
			// What ref stands for is there, so this is no answer about it.
			return time.Time{}, fault("has the manifest and not the image " + q.ref.Digest + " that it names")
		} else if err != nil {
			return time.Time{}, err
		}
	}
	if m.Config == nil || !isImageConfig(m.Config.MediaType) {
		return time.Time{}, nil
	}
	var config struct{ Created v1.Time }
	err = r.readConfig(ctx, q.repo, *m.Config, &config)
	return config.Created.Time, err
}

// datedManifest is what says when an image or an index was built, or where to look.
type datedManifest struct {
	manifestFields
	Annotations map[string]string `json:"annotations"`
}

func (r *Resolver) dated(ctx context.Context, q question) (m datedManifest, err error) {
	data, desc, err := r.get(ctx, q)
	if err != nil {
		return m, err
	}
	if q.ref.Digest != "" && desc.Digest.String() != q.ref.Digest {
		return m, fault("answered with another digest, " + desc.Digest.String())
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fault("answered with a manifest that is not JSON of its kind")
	}
	return m, nil
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
