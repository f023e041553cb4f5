package verify

import (
	"context"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/source"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

// readReferrers takes in what refers to the image.
func readReferrers(ctx context.Context, r source.Source, j *judge, in policy.Repository) {
	list, err := r.Referrers(ctx, j.digest)
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
		readReferrer(ctx, r, j, in, d)
	}
}

// mayBeSignature is also true for a referrer without a type: a list under the
// fallback tag is written by clients, and not all of them note it there.
func mayBeSignature(d v1.Descriptor) bool {
	return strings.HasPrefix(d.ArtifactType, sigbundle.TypePrefix) || layerType(d.ArtifactType) != "" || untyped(d) && (d.MediaType.IsImage() || d.MediaType == "")
}

// layerType is the type of the layers of an artifact that is like the manifest
// under a tag, or "".
func layerType(artifactType string) types.MediaType {
	switch artifactType {
	case signatureArtifact:
		return signature.SimpleSigning
	case attestationArtifact, statementArtifact:
		return signature.DSSEEnvelope
	}
	return ""
}

// untyped is true if only the manifest can tell what a referrer is. Some
// registries list the type of the config instead of the artifact's, and that of
// a bundle's config says that it is empty.
func untyped(d v1.Descriptor) bool {
	return d.ArtifactType == "" || d.ArtifactType == sigbundle.EmptyConfig
}

// readingOrder brings to the front what is noted as something that is looked for.
func (j *judge) readingOrder(d v1.Descriptor) int {
	note := d.Annotations[sigbundle.PredicateAnnotation]
	for _, t := range j.trials {
		for _, a := range t.rule.Authorities {
			if len(a.Attestations) == 0 && note == statement.SignType {
				return 0
			}
			for _, r := range a.Attestations {
				if note == r.PredicateType {
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

func readReferrer(ctx context.Context, r source.Source, j *judge, in policy.Repository, d v1.Descriptor) {
	doc, err := r.Manifest(ctx, d.Digest.String())
	if err != nil {
		j.missed(err)
		return
	}
	m, err := doc.Image()
	if err != nil {
		j.missed(err)
		return
	}
	kind := artifactType(d, m)
	location := r.What(doc.Digest.String())
	if t := layerType(kind); t != "" {
		readLayers(ctx, r, j, doc, t, signature.Signature{Repository: in, Storage: StorageReferrer, Location: location})
		return
	}
	if !strings.HasPrefix(kind, sigbundle.TypePrefix) {
		return
	}
	// Whether the subject of the manifest is this image does not matter: the
	// signed statement has to name the digest.
	if len(m.Layers) != 1 || !strings.HasPrefix(string(m.Layers[0].MediaType), sigbundle.TypePrefix) {
		j.malformed(mismatch.Malformed("manifest has not exactly one bundle"))
		return
	}
	blob, err := r.Blob(ctx, m.Layers[0], sigbundle.MaxSize)
	if err != nil {
		j.missed(err)
		return
	}
	c, err := signature.ParseBundle(blob)
	if err != nil {
		j.malformed(err)
		return
	}
	c.Repository, c.Location, c.Storage = in, location, StorageBundle
	j.consider(ctx, c)
}

// artifactType is what a referrer is, by the list or else by its manifest.
func artifactType(d v1.Descriptor, m *v1.Manifest) string {
	switch {
	case !untyped(d):
		return d.ArtifactType
	case m.ArtifactType != "" && m.ArtifactType != sigbundle.EmptyConfig:
		return m.ArtifactType
	}
	return string(m.Config.MediaType)
}

// The types of what cosign makes refer to an image besides bundles, in its
// experimental modes: manifests like those under the tags.
const (
	signatureArtifact   = "application/vnd.dev.cosign.artifact.sig.v1+json"
	attestationArtifact = "application/vnd.dev.cosign.artifact.att.v1+json"
	statementArtifact   = "application/vnd.in-toto+json"
)

// maxReferrers bounds the referrers of an image that are read.
const maxReferrers = 64
