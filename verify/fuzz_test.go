package verify

import (
	"crypto"
	"encoding/base64"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

// FuzzSignature hands over what a registry may hold, none of it signed by the
// key of the policy for this digest.
func FuzzSignature(f *testing.F) {
	good, bad := sigtest.NewSigner(f, "p256"), sigtest.NewSigner(f, "p256")
	digest, other := sigtest.HashOf([]byte("image")), sigtest.HashOf([]byte("other"))
	policy := policyFor(f, "release", good.Pem)
	b64 := func(s sigtest.Signer, b []byte) string {
		return base64.StdEncoding.EncodeToString(s.Sign(f, crypto.SHA256, b))
	}
	f.Add(sigtest.Claim(digest), b64(bad, sigtest.Claim(digest)))
	f.Add(sigtest.Claim(digest), b64(good, sigtest.Claim(other)))
	f.Add(sigtest.Claim(other), b64(good, sigtest.Claim(other)))
	f.Add([]byte(`{"critical":null}`), "")
	f.Add(sigtest.BundleJSON(f, sigtest.DsseBundle(f, bad, crypto.SHA256, sigtest.Statement(digest, statement.SignType))), "")
	f.Add(sigtest.BundleJSON(f, sigtest.DsseBundle(f, good, crypto.SHA256, sigtest.Statement(other, statement.SignType))), "")
	f.Add(sigtest.BundleJSON(f, sigtest.DsseBundle(f, good, crypto.SHA256, sigtest.Statement(digest, "https://cyclonedx.org/bom"))), "")
	f.Add(sigtest.BundleJSON(f, sigtest.MessageBundle(f, good, []byte("other"))), "")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		j := newJudge(digest, "example.com/shop/cart", time.Now(), policy.model.Rules)
		sig, err := signature.SignatureText(map[string]string{signature.SignatureAnnotation: text})
		if err == nil {
			if c, err := signature.NewLegacy(data, sig, nil); err == nil {
				j.consider(t.Context(), c)
			}
		}
		if c, err := signature.NewAttestation(data, nil); err == nil {
			j.consider(t.Context(), c)
		}
		if b, err := sigbundle.Parse(data); err == nil {
			if c, err := signature.FromBundle(b); err == nil {
				j.consider(t.Context(), c)
			}
		}
		if j.done() {
			t.Fatalf("verified %q %q", data, text)
		}
	})
}
