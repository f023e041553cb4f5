package verify

import (
	"slices"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
)

const (
	// maxBundleValues bounds the JSON values of a bundle, and those of the body
	// of a log entry in it. A bundle has some dozens: what is large in it stands
	// in texts.
	maxBundleValues = 20_000
	// maxTimestamp bounds a timestamp, which may bring certificates along.
	maxTimestamp = 64 << 10
)

// countValues gives an upper bound of the values in a JSON text, without making
// any: a value that takes two bytes there takes up to two hundred when the
// libraries have parsed it.
func countValues(data []byte) int {
	n, inText, escaped := 1, false, false
	for _, c := range data {
		switch {
		case escaped:
			escaped = false
		case inText && c == '\\':
			escaped = true
		case c == '"':
			inText = !inText
		case !inText && (c == ',' || c == '[' || c == '{'):
			n++
		}
	}
	return n
}

// checkParts bounds what a bundle has in its bytes, before it is parsed.
func checkParts(b *protobundle.Bundle) error {
	m := b.GetVerificationMaterial()
	certificates := append(slices.Clip(m.GetX509CertificateChain().GetCertificates()), m.GetCertificate())
	if len(certificates) > maxCertificates {
		return malformed("%d certificates", len(certificates))
	}
	for _, c := range certificates {
		if n := len(c.GetRawBytes()); n > maxCertificate {
			return malformed("certificate of %d bytes", n)
		}
	}
	for _, e := range m.GetTlogEntries() {
		if countValues(e.GetCanonicalizedBody()) > maxBundleValues {
			return malformed("log entry with more than %d values", maxBundleValues)
		}
	}
	for _, s := range m.GetTimestampVerificationData().GetRfc3161Timestamps() {
		if n := len(s.GetSignedTimestamp()); n > maxTimestamp {
			return malformed("timestamp of %d bytes", n)
		}
	}
	return nil
}
