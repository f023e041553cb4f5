package attest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/source"
)

// emptyBlob is the config of a manifest that needs none.
const emptyBlob = "{}"

// writer writes to one repository.
type writer struct {
	source.Repository
	pause time.Duration
}

// referrerManifest is the manifest of a bundle. v1.Manifest has no artifactType.
type referrerManifest struct {
	SchemaVersion int64             `json:"schemaVersion"`
	MediaType     types.MediaType   `json:"mediaType"`
	ArtifactType  types.MediaType   `json:"artifactType"`
	Config        v1.Descriptor     `json:"config"`
	Layers        []v1.Descriptor   `json:"layers"`
	Subject       v1.Descriptor     `json:"subject"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// putReferrer stores a bundle as a referrer of the subject.
func (w *writer) putReferrer(ctx context.Context, subject *source.Document, a *attestation) (Stored, error) {
	m := referrerManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  bundleMediaType,
		Config:        describe(sigbundle.EmptyConfig, []byte(emptyBlob)),
		Layers:        []v1.Descriptor{describe(bundleMediaType, a.data)},
		Subject:       v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: int64(len(subject.Body))},
		Annotations:   a.Annotations(),
	}
	body, err := json.Marshal(m)
	if err != nil {
		return Stored{}, err
	}
	entry := describe(types.OCIManifestSchema1, body)
	entry.ArtifactType, entry.Annotations = string(bundleMediaType), m.Annotations
	stored := Stored{Digest: entry.Digest.String()}
	there, err := w.Exists(ctx, entry.Digest)
	if isHidden(err) {
		err = nil // the PUT decides
	}
	if err != nil {
		return stored, err
	}
	if !there {
		stored.Written = true
		listed, err := w.putBundle(ctx, a.data, entry.Digest, body)
		if listed || err != nil {
			return stored, err
		}
	}
	added, err := w.List(ctx, subject.Digest, entry)
	if err != nil {
		return stored, fmt.Errorf("the bundle is there, but not listed: %w", err)
	}
	stored.Written = stored.Written || added
	return stored, nil
}

// putBundle writes a bundle and the manifest that leads to it. listed is true
// if the registry says that it lists referrers by itself.
func (w *writer) putBundle(ctx context.Context, data []byte, digest v1.Hash, manifest []byte) (listed bool, err error) {
	for _, blob := range [][]byte{[]byte(emptyBlob), data} {
		if err := w.upload(ctx, blob); err != nil {
			return false, err
		}
	}
	return w.putManifest(ctx, digest.String(), types.OCIManifestSchema1, manifest)
}

// isHidden tells a 401 or 403 for something that may not be there at all.
func isHidden(err error) bool {
	var e *registry.Error
	return errors.As(err, &e) && e.Hidden()
}

// tagged reads what is under a tag; its error is a definite no where the registry
// answers 403 for the tag and does not list it. A list that others have written must
// not be written over because it may not be read.
func (w *writer) tagged(ctx context.Context, tag string) (*source.Document, error) {
	doc, err := w.Manifest(ctx, tag)
	if !isHidden(err) {
		return doc, err
	}
	if there, listErr := w.HasTag(ctx, tag); listErr != nil || there {
		return nil, err
	}
	return nil, registry.ErrNotFound
}

func describe(mediaType types.MediaType, body []byte) v1.Descriptor {
	digest, size, _ := v1.SHA256(bytes.NewReader(body)) // a bytes.Reader does not fail
	return v1.Descriptor{MediaType: mediaType, Size: size, Digest: digest}
}

// upload stores a blob if it is not there.
func (w *writer) upload(ctx context.Context, blob []byte) error {
	return w.unwritten(w.PutBlob(ctx, blob))
}

// putManifest writes a manifest under a tag or digest. listed is true if the
// registry says that it lists referrers by itself.
func (w *writer) putManifest(ctx context.Context, id string, mediaType types.MediaType, body []byte) (listed bool, err error) {
	listed, err = w.PutManifest(ctx, id, mediaType, body)
	return listed, w.unwritten(err)
}

func (w *writer) unwritten(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot write to %s: %w", w.Name().Name(), err)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
