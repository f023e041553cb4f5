// Package sigbundle parses Sigstore bundles, within limits.
package sigbundle

import (
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const (
	// TypePrefix begins every media type that Sigstore bundles have had.
	TypePrefix = "application/vnd.dev.sigstore.bundle"
	// EmptyConfig is the media type of a config that is only there because
	// a manifest has to have one.
	EmptyConfig = "application/vnd.oci.empty.v1+json"
	// PredicateAnnotation is where cosign notes the predicate type outside the
	// bundle. Nobody has signed it.
	PredicateAnnotation = "dev.sigstore.bundle.predicateType"

	MaxSize = 8 << 20
)

// Parse reads a bundle and checks that all its parts are there.
func Parse(blob []byte) (*bundle.Bundle, error) {
	if untrusted.CountValues(blob) > MaxValues {
		return nil, mismatch.Malformed("bundle with more than %d values", MaxValues)
	}
	parsed := new(protobundle.Bundle)
	if err := protojson.Unmarshal(blob, parsed); err != nil {
		return nil, mismatch.Malformed("bundle: %s", untrusted.PlainProto(err))
	}
	if err := checkParts(parsed); err != nil {
		return nil, err
	}
	b, err := bundle.NewBundle(parsed)
	if err != nil {
		return nil, mismatch.Malformed("bundle: %s", untrusted.PlainProto(err))
	}
	return b, nil
}
