package digest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// annotationCreated is in the annotations of the OCI image specification.
const annotationCreated = "org.opencontainers.image.created"

// Created asks when the image was built that ref stands for, as a
// tags.Selector may want to know. It is the annotation
// "org.opencontainers.image.created" of the manifest, else what the image's
// configuration says; of an index without the annotation, what that of its first
// image says. It is the zero time where none of them says so. It costs one to
// three requests, of which Docker Hub counts the ones for manifests.
//
// Errors are those of [Resolver.Resolve].
func (r *Resolver) Created(ctx context.Context, ref string) (time.Time, error) {
	q, err := r.parse(ref)
	if err != nil {
		return time.Time{}, err
	}
	at, err := promptly(ctx, r, func(ctx context.Context) (time.Time, error) { return created(ctx, q) })
	if err != nil {
		e := failure(q, err)
		e.Ref = ref
		return time.Time{}, e
	}
	return at, nil
}

func created(ctx context.Context, q question) (time.Time, error) {
	m, err := dated(ctx, q)
	if err != nil {
		return time.Time{}, err
	}
	if text, ok := m.Annotations[annotationCreated]; ok {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return time.Time{}, fault.Text(fmt.Sprintf("annotation %s is %q, not a time of RFC 3339", annotationCreated, fault.Shorten(text)))
		}
		return at, nil
	}
	for depth := 0; m.Manifests != nil; depth++ {
		desc, ok := firstImage(*m.Manifests)
		if !ok || depth == maxDepth {
			return time.Time{}, nil
		}
		q.ref.Digest = desc.Digest.String()
		if m, err = dated(ctx, q); errors.Is(err, ErrNotFound) {
			// What ref stands for is there, so this is no answer about it.
			return time.Time{}, fault.Text("has the manifest and not the image " + q.ref.Digest + " that it names")
		} else if err != nil {
			return time.Time{}, err
		}
	}
	if m.Config == nil || !isImageConfig(m.Config.MediaType) {
		return time.Time{}, nil
	}
	var config struct{ Created v1.Time }
	err = readConfig(ctx, q.repo, *m.Config, &config)
	return config.Created.Time, err
}

// datedManifest is what says when an image or an index was built, or where to look.
type datedManifest struct {
	manifestFields
	Annotations map[string]string `json:"annotations"`
}

func dated(ctx context.Context, q question) (m datedManifest, err error) {
	data, _, err := q.manifest(ctx)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fault.Text("answered with a manifest that is not JSON of its kind")
	}
	return m, nil
}

// firstImage leaves out what stands in an index beside images, such as
// attestations. An index in the index stands for its first image.
func firstImage(descs []v1.Descriptor) (v1.Descriptor, bool) {
	for _, d := range descs {
		if (d.MediaType.IsImage() || d.MediaType.IsIndex()) && (d.Platform == nil || d.Platform.OS != "unknown") {
			return d, true
		}
	}
	return v1.Descriptor{}, false
}
