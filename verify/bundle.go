package verify

import (
	"context"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
)

const (
	// bundleType begins every media type that Sigstore bundles have had.
	bundleType = "application/vnd.dev.sigstore.bundle"
	// emptyConfigType is the media type of a config that is only there because
	// a manifest has to have one.
	emptyConfigType = "application/vnd.oci.empty.v1+json"
	// signPredicateType marks the statement that an image is signed.
	signPredicateType = "https://sigstore.dev/cosign/sign/v1"
	// predicateAnnotation is where cosign notes the predicate type outside the
	// bundle. Nobody has signed it.
	predicateAnnotation = "dev.sigstore.bundle.predicateType"

	maxReferrers  = 64
	maxBundleSize = 8 << 20
)

// statementTypes are the versions of in-toto statements that are understood.
func statementTypes() []string {
	return []string{"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"}
}

// readReferrers takes in the bundles that refer to the image.
func readReferrers(ctx context.Context, r *repository, j *judge) {
	list, err := r.referrers(ctx, j.digest)
	if err != nil {
		// What was listed before the error is still worth a look.
		j.missed(err)
	}
	list = slices.DeleteFunc(list, func(d v1.Descriptor) bool { return !mayBeBundle(d) })
	// An image can have many bundles: SBOMs, provenance, scans. The note beside
	// the bundle decides which are read first, and nothing else.
	slices.SortStableFunc(list, func(a, b v1.Descriptor) int { return readingOrder(a) - readingOrder(b) })
	if n := len(list) - maxReferrers; n > 0 {
		j.ignored += n
		list = list[:maxReferrers]
	}
	for _, d := range list {
		if j.done() || ctx.Err() != nil {
			return
		}
		readBundle(ctx, r, j, d)
	}
}

// mayBeBundle is also true for a referrer without a type: a list under the
// fallback tag is written by clients, and not all of them note it there.
func mayBeBundle(d v1.Descriptor) bool {
	return strings.HasPrefix(d.ArtifactType, bundleType) || untyped(d) && d.MediaType.IsImage()
}

// untyped is true if only the manifest can tell what a referrer is. Some
// registries list the type of the config instead of the artifact's, and that of
// a bundle's config says that it is empty.
func untyped(d v1.Descriptor) bool {
	return d.ArtifactType == "" || d.ArtifactType == emptyConfigType
}

func readingOrder(d v1.Descriptor) int {
	switch d.Annotations[predicateAnnotation] {
	case signPredicateType:
		return 0
	case "":
		return 1
	}
	return 2
}

func readBundle(ctx context.Context, r *repository, j *judge, d v1.Descriptor) {
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
	if untyped(d) && !strings.HasPrefix(m.ArtifactType, bundleType) &&
		!strings.HasPrefix(string(m.Config.MediaType), bundleType) {
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
	b, err := parseBundle(blob)
	if err != nil {
		j.malformed(err)
		return
	}
	j.consider(candidate{location: r.name.Name() + "@" + doc.digest.String(), bundle: b})
}

func parseBundle(blob []byte) (*bundle.Bundle, error) {
	return guarded(func() (*bundle.Bundle, error) {
		b := new(bundle.Bundle)
		if err := b.UnmarshalJSON(blob); err != nil {
			return nil, malformed("bundle: %v", err)
		}
		return b, nil
	})
}
