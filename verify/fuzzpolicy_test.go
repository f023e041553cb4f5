package verify

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

// FuzzBundle reads bundles that are near to a good one. What verifies must state
// the digest; nothing else is known of it, as a bundle can be written in many
// ways.
func FuzzBundle(f *testing.F) {
	s := sigtest.NewInstance(f)
	l := s.Issue(f, sigtest.TestSubject, sigtest.TestIssuer)
	digest, other := sigtest.HashOf([]byte("image")), sigtest.HashOf([]byte("other"))
	for _, o := range []sigtest.Signing{{}, {NoProof: true, Version: "0.1"}, {Version: "0.2"}, {Stamp: true}} {
		f.Add(sigtest.BundleJSON(f, s.Attested(f, l, sigtest.Statement(other, statement.SignType), o)))
		f.Add(sigtest.BundleJSON(f, s.Messaged(f, l, []byte("other"), o)))
	}
	trusted := s.TrustedRoot(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := VerifyBundle(t.Context(), BundleRequest{Bundle: data, Digest: digest.String(),
			Identity: sigtest.TestSubject, Issuer: sigtest.TestIssuer, TrustedRoot: trusted})
		sigtest.Must(t, err)
		// Everything signed here is another artifact.
		if got.Outcome == Verified || got.Reason == "" || strings.ContainsAny(got.Reason, "\n\r") {
			t.Fatalf("%s: %q", got.Outcome, got.Reason)
		}
	})
}

// FuzzLegacy reads layers of the older form with all their annotations.
func FuzzLegacy(f *testing.F) {
	s := sigtest.NewInstance(f)
	l := s.Issue(f, sigtest.TestSubject, sigtest.TestIssuer)
	digest, other := sigtest.HashOf([]byte("image")), sigtest.HashOf([]byte("other"))
	text := sigtest.Claim(other)
	sig := l.Sign(f, text)
	a := s.Annotations(f, l, sigtest.Signing{Stamp: true}, text, sig, false)
	f.Add(text, base64.StdEncoding.EncodeToString(sig), a[signature.CertificateAnnotation], a[signature.ChainAnnotation], a[signature.LogAnnotation], a[signature.TimestampAnnotation])
	f.Add(sigtest.Claim(digest), base64.StdEncoding.EncodeToString(sig), a[signature.CertificateAnnotation], " ", a[signature.LogAnnotation], "{}")
	f.Add([]byte(`{"payloadType":"`+sigtest.InTotoType+`","payload":"e30=","signatures":[{"sig":"AA=="}]}`), "", "", "", `{"Payload":{"body":"e30="}}`, "")
	p := keyless(f, s, "      timestamp: required\n")
	f.Fuzz(func(t *testing.T, blob []byte, sig, certificate, chain, log, stamp string) {
		annotations := map[string]string{signature.SignatureAnnotation: sig, signature.CertificateAnnotation: certificate,
			signature.ChainAnnotation: chain, signature.LogAnnotation: log, signature.TimestampAnnotation: stamp}
		j := newJudge(digest, "example.com/shop/cart", time.Now(), p.model.Rules)
		if raw, err := signature.SignatureText(annotations); err == nil {
			if c, err := signature.NewLegacy(blob, raw, annotations); err == nil {
				c.Chain()
				j.consider(t.Context(), c)
			}
		}
		if c, err := signature.NewAttestation(blob, annotations); err == nil {
			j.consider(t.Context(), c)
		}
		if j.done() {
			t.Fatal("verified")
		}
	})
}
