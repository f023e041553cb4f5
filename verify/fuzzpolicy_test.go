package verify

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

// FuzzClusterImagePolicy reads resources of the policy-controller: there is a
// policy or there are errors with their places, and every rule asks somebody.
func FuzzClusterImagePolicy(f *testing.F) {
	s := newInstance(f)
	k := newSigner(f, "p256")
	f.Add([]byte(cluster(clusterKeyLine(k))))
	f.Add([]byte(cluster("  - static: {action: fail, message: m}\n") + "  mode: warn\n"))
	f.Add([]byte(cluster("  - keyless: {trustRootRef: mine, identities: [{issuer: a, subjectRegExp: '^b$'}]}\n    ctlog: {trustRootRef: mine}\n") + s.trustRoot(f, "mine")))
	f.Add([]byte(cluster("  - keyless: {identities: [{issuer: a}]}\n    source: [{oci: a.io/b, tagPrefix: c}]\n    ctlog: {}\n")))
	f.Add([]byte("apiVersion: policy.sigstore.dev/v1beta1\nkind: TrustRoot\nspec: &a {sigstoreKeys: *a}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePolicy("cip.yaml", data, nil)
		if err != nil {
			checkPolicyError(t, p, err)
			return
		}
		for _, r := range p.rules {
			if len(r.images) == 0 || len(r.authorities) == 0 {
				t.Fatalf("rule %+v", r)
			}
			for _, a := range r.authorities {
				if a.name == "" || len(a.parties) == 0 && !a.always && a.never == "" {
					t.Fatalf("authority %+v", a)
				}
				for _, party := range a.parties {
					if id, ok := party.(*identityParty); ok && (a.trust == nil || a.logs+a.timestamps == 0 || id.issuer.match("")) {
						t.Fatalf("identity %+v of %+v", id, a)
					}
				}
			}
		}
	})
}

func checkPolicyError(t *testing.T, p *Policy, err error) {
	t.Helper()
	if p != nil {
		t.Fatal("policy and error")
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%T", err)
	}
	for _, e := range joined.Unwrap() {
		pe, ok := errors.AsType[*PolicyError](e)
		if !ok || pe.Line < 1 || pe.Col < 1 || pe.Msg == "" || strings.Contains(pe.Msg, "\n") {
			t.Fatalf("%#v", e)
		}
	}
}

// FuzzBundle reads bundles that are near to a good one. What verifies must state
// the digest; nothing else is known of it, as a bundle can be written in many
// ways.
func FuzzBundle(f *testing.F) {
	s := newInstance(f)
	l := s.issue(f, testSubject, testIssuer)
	digest, other := hashOf([]byte("image")), hashOf([]byte("other"))
	for _, o := range []signing{{}, {noProof: true, version: "0.1"}, {version: "0.2"}, {stamp: true}} {
		f.Add(bundleJSON(f, s.attested(f, l, statement(other, signPredicateType), o)))
		f.Add(bundleJSON(f, s.messaged(f, l, []byte("other"), o)))
	}
	trusted := s.trustedRoot(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := VerifyBundle(t.Context(), BundleRequest{Bundle: data, Digest: digest.String(),
			Identity: testSubject, Issuer: testIssuer, TrustedRoot: trusted})
		must(t, err)
		// Everything signed here is another artifact.
		if got.Outcome == Verified || got.Reason == "" || strings.ContainsAny(got.Reason, "\n\r") {
			t.Fatalf("%s: %q", got.Outcome, got.Reason)
		}
	})
}

// FuzzLegacy reads layers of the older form with all their annotations.
func FuzzLegacy(f *testing.F) {
	s := newInstance(f)
	l := s.issue(f, testSubject, testIssuer)
	digest, other := hashOf([]byte("image")), hashOf([]byte("other"))
	text := claim(other)
	sig := l.sign(f, text)
	a := s.annotations(f, l, signing{stamp: true}, text, sig, false)
	f.Add(text, base64.StdEncoding.EncodeToString(sig), a[certificateAnnotation], a[chainAnnotation], a[logAnnotation], a[timestampAnnotation])
	f.Add(claim(digest), base64.StdEncoding.EncodeToString(sig), a[certificateAnnotation], " ", a[logAnnotation], "{}")
	f.Add([]byte(`{"payloadType":"`+inTotoType+`","payload":"e30=","signatures":[{"sig":"AA=="}]}`), "", "", "", `{"Payload":{"body":"e30="}}`, "")
	p := keyless(f, s, "      timestamp: required\n")
	f.Fuzz(func(t *testing.T, blob []byte, sig, certificate, chain, log, stamp string) {
		annotations := map[string]string{signatureAnnotation: sig, certificateAnnotation: certificate,
			chainAnnotation: chain, logAnnotation: log, timestampAnnotation: stamp}
		j := newJudge(digest, "example.com/shop/cart", time.Now(), p.rules)
		if raw, err := signatureText(annotations); err == nil {
			if c, err := newLegacy(blob, raw, annotations); err == nil {
				c.chain()
				j.consider(t.Context(), c)
			}
		}
		if c, err := newAttestation(blob, annotations); err == nil {
			j.consider(t.Context(), c)
		}
		if j.done() {
			t.Fatal("verified")
		}
	})
}
