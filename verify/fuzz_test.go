package verify

import (
	"crypto"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

func FuzzParsePolicy(f *testing.F) {
	keys := testKeys(f)
	f.Add([]byte(withKey("{file: good.pub}")))
	f.Add([]byte(withKey("{data: '" + strings.ReplaceAll(keys["good.pub"], "\n", "\n\n") + "'}")))
	f.Add(policyText("a", keys["good.pub"], "b", keys["weak.pub"]))
	f.Add([]byte("a: &a [*a]\n---\nb"))
	f.Add([]byte("spec: &s {rules: [&r {images: *r, authorities: *s}]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePolicy("p.yaml", data, readKeys(keys))
		if err == nil {
			for _, r := range p.rules {
				if len(r.images) == 0 || len(r.authorities) == 0 {
					t.Fatalf("rule %+v", r)
				}
				for _, a := range r.authorities {
					if a.name == "" || len(a.parties) == 0 {
						t.Fatalf("authority %+v", a)
					}
				}
			}
			return
		}
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
	})
}

// FuzzSignature hands over what a registry may hold, none of it signed by the
// key of the policy for this digest.
func FuzzSignature(f *testing.F) {
	good, bad := newSigner(f, "p256"), newSigner(f, "p256")
	digest, other := hashOf([]byte("image")), hashOf([]byte("other"))
	policy := policyFor(f, "release", good.pem)
	b64 := func(s signer, b []byte) string {
		return base64.StdEncoding.EncodeToString(s.sign(f, crypto.SHA256, b))
	}
	f.Add(claim(digest), b64(bad, claim(digest)))
	f.Add(claim(digest), b64(good, claim(other)))
	f.Add(claim(other), b64(good, claim(other)))
	f.Add([]byte(`{"critical":null}`), "")
	f.Add(bundleJSON(f, dsseBundle(f, bad, crypto.SHA256, statement(digest, signPredicateType))), "")
	f.Add(bundleJSON(f, dsseBundle(f, good, crypto.SHA256, statement(other, signPredicateType))), "")
	f.Add(bundleJSON(f, dsseBundle(f, good, crypto.SHA256, statement(digest, "https://cyclonedx.org/bom"))), "")
	f.Add(bundleJSON(f, messageBundle(f, good, []byte("other"))), "")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		j := newJudge(digest, "example.com/shop/cart", time.Now(), policy.rules)
		sig, err := signatureText(map[string]string{signatureAnnotation: text})
		if err == nil {
			if c, err := newLegacy(data, sig, nil); err == nil {
				j.consider(t.Context(), c)
			}
		}
		if c, err := newAttestation(data, nil); err == nil {
			j.consider(t.Context(), c)
		}
		if b, err := parseBundle(data); err == nil {
			if c, err := fromBundle(b); err == nil {
				j.consider(t.Context(), c)
			}
		}
		if j.done() {
			t.Fatalf("verified %q %q", data, text)
		}
	})
}
