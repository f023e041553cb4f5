package attest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/cosign/v2/pkg/oci/static"

	"github.com/kubepromote/kubepromote/verify/internal/source"
)

const (
	// dsseMediaType is the media type of a layer that holds a signed statement.
	dsseMediaType types.MediaType = "application/vnd.dsse.envelope.v1+json"

	maxConfigSize = 1 << 20
)

// putLegacy stores the envelope of a bundle as a layer under the tag
// sha256-<hex>.att.
func (w *writer) putLegacy(ctx context.Context, subject *source.Document, a *attestation) (Stored, error) {
	if !a.byKey {
		return Stored{}, refuse("the older form is for statements signed by key, and this one is signed with a certificate")
	}
	layer := describe(dsseMediaType, a.envelope)
	layer.Annotations = map[string]string{static.SignatureAnnotationKey: "", "predicateType": a.predicateType}
	if err := w.upload(ctx, a.envelope); err != nil {
		return Stored{}, err
	}
	var stored Stored
	tag := subject.Digest.Algorithm + "-" + subject.Digest.Hex + ".att"
	var err error
	stored.Written, err = w.settle(ctx, func() (bool, error) {
		written, digest, err := w.addLayer(ctx, tag, layer)
		stored.Digest = digest
		return written, err
	})
	return stored, err
}

// addLayer adds a layer to the image under a tag, and says what digest that
// image has when nothing had to be added.
func (w *writer) addLayer(ctx context.Context, tag string, layer v1.Descriptor) (written bool, digest string, err error) {
	m := &v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	config := &v1.ConfigFile{RootFS: v1.RootFS{Type: "layers"}}
	doc, err := w.tagged(ctx, tag)
	if err == nil {
		m, config, err = w.legacyImage(ctx, doc)
		digest = doc.Digest.String()
	} else if source.IsNotFound(err) {
		err = nil
	}
	if err != nil {
		return false, "", err
	}
	if slices.ContainsFunc(m.Layers, func(d v1.Descriptor) bool { return d.Digest == layer.Digest }) {
		return false, digest, nil
	}
	// Readers of the image match its layers with these, one by one.
	config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, layer.Digest)
	config.History = append(config.History, v1.History{})
	text, err := json.Marshal(config)
	if err != nil {
		return false, "", err
	}
	if err := w.upload(ctx, text); err != nil {
		return false, "", err
	}
	m.Config = describe(cmp.Or(m.Config.MediaType, types.OCIConfigJSON), text)
	m.Layers = append(m.Layers, layer)
	written, err = w.putTag(ctx, tag, m.MediaType, m)
	return written, "", err
}

// legacyImage reads the manifest and the config of the image under a tag.
func (w *writer) legacyImage(ctx context.Context, doc *source.Document) (*v1.Manifest, *v1.ConfigFile, error) {
	m, err := doc.Image()
	if err != nil {
		return nil, nil, &refusal{err.Error()}
	}
	m.MediaType = doc.MediaType
	text, err := w.Blob(ctx, m.Config, maxConfigSize)
	if err != nil {
		return nil, nil, err
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(text))
	if err != nil || len(config.RootFS.DiffIDs) != len(m.Layers) {
		return nil, nil, refuse("cannot change %s: its config does not fit its layers", doc.What)
	}
	return m, config, nil
}
