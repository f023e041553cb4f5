package sigbundle

import (
	"slices"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"

	"github.com/kubepromote/kubepromote/verify/internal/keys"
	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const (
	// MaxValues bounds the JSON values of a bundle, and those of the body
	// of a log entry in it. A bundle has some dozens: what is large in it stands
	// in texts.
	MaxValues = 20_000
	// MaxTimestamp bounds a timestamp, which may bring certificates along.
	MaxTimestamp = 64 << 10
)

// checkParts bounds what a bundle has in its bytes, before it is parsed.
func checkParts(b *protobundle.Bundle) error {
	m := b.GetVerificationMaterial()
	certificates := append(slices.Clip(m.GetX509CertificateChain().GetCertificates()), m.GetCertificate())
	if len(certificates) > keys.MaxCertificates {
		return mismatch.Malformed("%d certificates", len(certificates))
	}
	for _, c := range certificates {
		if n := len(c.GetRawBytes()); n > keys.MaxCertificate {
			return mismatch.Malformed("certificate of %d bytes", n)
		}
	}
	for _, e := range m.GetTlogEntries() {
		if untrusted.CountValues(e.GetCanonicalizedBody()) > MaxValues {
			return mismatch.Malformed("log entry with more than %d values", MaxValues)
		}
	}
	for _, s := range m.GetTimestampVerificationData().GetRfc3161Timestamps() {
		if n := len(s.GetSignedTimestamp()); n > MaxTimestamp {
			return mismatch.Malformed("timestamp of %d bytes", n)
		}
	}
	return nil
}
