package verify

import (
	"context"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"google.golang.org/protobuf/encoding/protojson"
)

const (
	// bundleType begins every media type that Sigstore bundles have had.
	bundleType = "application/vnd.dev.sigstore.bundle"
	// emptyConfigType is the media type of a config that is only there because
	// a manifest has to have one.
	emptyConfigType = "application/vnd.oci.empty.v1+json"
	// predicateAnnotation is where cosign notes the predicate type outside the
	// bundle. Nobody has signed it.
	predicateAnnotation = "dev.sigstore.bundle.predicateType"

	maxReferrers  = 64
	maxBundleSize = 8 << 20
)

// The types of what cosign makes refer to an image besides bundles, in its
// experimental modes: manifests like those under the tags.
const (
	signatureArtifact   = "application/vnd.dev.cosign.artifact.sig.v1+json"
	attestationArtifact = "application/vnd.dev.cosign.artifact.att.v1+json"
	statementArtifact   = "application/vnd.in-toto+json"
)

// readReferrers takes in what refers to the image.
func readReferrers(ctx context.Context, r source, j *judge, p place) {
	list, err := r.referrers(ctx, j.digest)
	if err != nil {
		// What was listed before the error is still worth a look.
		j.missed(err)
	}
	list = slices.DeleteFunc(list, func(d v1.Descriptor) bool { return !mayBeSignature(d) })
	// An image can have many bundles: SBOMs, provenance, scans. The note beside
	// the bundle decides which are read first, and nothing else.
	slices.SortStableFunc(list, func(a, b v1.Descriptor) int { return j.readingOrder(a) - j.readingOrder(b) })
	if n := len(list) - maxReferrers; n > 0 {
		j.ignored += n
		list = list[:maxReferrers]
	}
	for _, d := range list {
		if j.done() || ctx.Err() != nil {
			return
		}
		readReferrer(ctx, r, j, p, d)
	}
}

// mayBeSignature is also true for a referrer without a type: a list under the
// fallback tag is written by clients, and not all of them note it there.
func mayBeSignature(d v1.Descriptor) bool {
	return strings.HasPrefix(d.ArtifactType, bundleType) || layerType(d.ArtifactType) != "" || untyped(d) && (d.MediaType.IsImage() || d.MediaType == "")
}

// layerType is the type of the layers of an artifact that is like the manifest
// under a tag, or "".
func layerType(artifactType string) types.MediaType {
	switch artifactType {
	case signatureArtifact:
		return simpleSigning
	case attestationArtifact, statementArtifact:
		return dsseEnvelope
	}
	return ""
}

// untyped is true if only the manifest can tell what a referrer is. Some
// registries list the type of the config instead of the artifact's, and that of
// a bundle's config says that it is empty.
func untyped(d v1.Descriptor) bool {
	return d.ArtifactType == "" || d.ArtifactType == emptyConfigType
}

// readingOrder brings to the front what is noted as something that is looked for.
func (j *judge) readingOrder(d v1.Descriptor) int {
	note := d.Annotations[predicateAnnotation]
	for _, t := range j.trials {
		for _, a := range t.rule.authorities {
			if len(a.attestations) == 0 && note == signPredicateType {
				return 0
			}
			for _, r := range a.attestations {
				if note == r.predicateType {
					return 0
				}
			}
		}
	}
	if note == "" {
		return 1
	}
	return 2
}

func readReferrer(ctx context.Context, r source, j *judge, p place, d v1.Descriptor) {
	doc, err := r.manifest(ctx, d.Digest.String())
	if err != nil {
		j.missed(err)
		return
	}
	m, err := doc.image()
	if err != nil {
		j.missed(err)
		return
	}
	kind := artifactType(d, m)
	location := r.what(doc.digest.String())
	if t := layerType(kind); t != "" {
		readLayers(ctx, r, j, doc, t, candidate{place: p, storage: StorageReferrer, location: location})
		return
	}
	if !strings.HasPrefix(kind, bundleType) {
		return
	}
	// Whether the subject of the manifest is this image does not matter: the
	// signed statement has to name the digest.
	if len(m.Layers) != 1 || !strings.HasPrefix(string(m.Layers[0].MediaType), bundleType) {
		j.malformed(malformed("manifest has not exactly one bundle"))
		return
	}
	blob, err := r.blob(ctx, m.Layers[0], maxBundleSize)
	if err != nil {
		j.missed(err)
		return
	}
	c, err := guarded(func() (*candidate, error) {
		b, err := parseBundle(blob)
		if err != nil {
			return nil, err
		}
		return fromBundle(b)
	})
	if err != nil {
		j.malformed(err)
		return
	}
	c.place, c.location = p, location
	j.consider(ctx, c)
}

// artifactType is what a referrer is, by the list or else by its manifest.
func artifactType(d v1.Descriptor, m *v1.Manifest) string {
	switch {
	case !untyped(d):
		return d.ArtifactType
	case m.ArtifactType != "" && m.ArtifactType != emptyConfigType:
		return m.ArtifactType
	}
	return string(m.Config.MediaType)
}

func parseBundle(blob []byte) (*bundle.Bundle, error) {
	if countValues(blob) > maxBundleValues {
		return nil, malformed("bundle with more than %d values", maxBundleValues)
	}
	parsed := new(protobundle.Bundle)
	if err := protojson.Unmarshal(blob, parsed); err != nil {
		return nil, malformed("bundle: %s", plainProto(err))
	}
	if err := checkParts(parsed); err != nil {
		return nil, err
	}
	b, err := bundle.NewBundle(parsed)
	if err != nil {
		return nil, malformed("bundle: %s", plainProto(err))
	}
	return b, nil
}
