package digest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
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
	at, err := r.created(ctx, q)
	if err != nil {
		e := failure(q, err, r.keychain.tried(q.repo.RegistryStr()))
		e.Ref = ref
		return time.Time{}, e
	}
	return at, nil
}

func (r *Resolver) created(ctx context.Context, q question) (time.Time, error) {
	got, err := r.fetch(ctx, q)
	if err != nil {
		return time.Time{}, err
	}
	var manifest struct {
		Annotations map[string]string `json:"annotations"`
		Manifests   []v1.Descriptor   `json:"manifests"`
	}
	if err := json.Unmarshal(got.Manifest, &manifest); err != nil {
		return time.Time{}, fault("answered with a manifest that is not JSON")
	}
	if text, ok := manifest.Annotations[annotationCreated]; ok {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return time.Time{}, fault(fmt.Sprintf("annotation %s is %q, not a time of RFC 3339", annotationCreated, shorten(text)))
		}
		return at, nil
	}
	if !got.MediaType.IsIndex() {
		return configCreated(got)
	}
	desc, ok := firstImage(manifest.Manifests)
	if !ok {
		return time.Time{}, nil
	}
	q.ref.Digest = desc.Digest.String()
	got, err = r.fetch(ctx, q)
	switch {
	case errors.Is(err, ErrNotFound):
		// What ref stands for is there, so this is no answer about it.
		return time.Time{}, fault("answered with an index whose image " + q.ref.Digest + " is not there")
	case err != nil:
		return time.Time{}, err
	}
	return configCreated(got)
}

func configCreated(got *remote.Descriptor) (time.Time, error) {
	if !got.MediaType.IsImage() {
		return time.Time{}, nil
	}
	img, err := got.Image()
	if err != nil {
		return time.Time{}, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return time.Time{}, err
	}
	return config.Created.Time, nil
}

func (r *Resolver) fetch(ctx context.Context, q question) (*remote.Descriptor, error) {
	seen := &sighting{}
	got, err := r.puller.Get(context.WithValue(ctx, sightingKey{}, seen), q.target())
	if err != nil {
		return nil, verdict(err, seen)
	}
	return got, q.check(&got.Descriptor)
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
