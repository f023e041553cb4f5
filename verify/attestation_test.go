package verify

import (
	"crypto"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

const provenanceType = "https://slsa.dev/provenance/v1"

// stated is a statement with a predicate.
func stated(subject v1.Hash, predicateType, predicate string) []byte {
	return []byte(strings.Replace(string(sigtest.Statement(subject, predicateType)), `"predicate":{}`, `"predicate":`+predicate, 1))
}

// attestTag puts attestations of the older form under the tag of an image.
func (b *bench) attestTag(t *testing.T, payloads ...[]byte) {
	t.Helper()
	var layers []v1.Descriptor
	for _, p := range payloads {
		layers = append(layers, b.Blob(t, signature.DSSEEnvelope, b.envelope(t, b.good, p)))
	}
	b.Put(t, "sha256-"+b.image.Digest.Hex+".att", types.OCIManifestSchema1, sigtest.Marshal(t, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: b.Blob(t, types.OCIConfigJSON, []byte("{}")), Layers: layers}))
}

func (b *bench) envelope(t *testing.T, s sigtest.Signer, payload []byte) []byte {
	t.Helper()
	return sigtest.Marshal(t, map[string]any{"payloadType": sigtest.InTotoType, "payload": payload,
		"signatures": []any{map[string]any{"keyid": "", "sig": base64.StdEncoding.EncodeToString(s.Sign(t, crypto.SHA256, sigtest.Pae(payload)))}}})
}

// demanding is an authority of a key with the attestations given.
func demanding(b *bench, attestations string) string {
	return strings.Replace(sigtest.KeyLine("builder", b.good), "}}\n", "}, attestations: ["+attestations+"]}\n", 1)
}

func TestAttestations(t *testing.T) {
	const builder = `{predicateType: slsaprovenance1, cel: 'predicate.builder == "ci"'}`
	deny := `{predicateType: slsaprovenance1, rego: {data: "package main\nimport rego.v1\ndeny contains msg if { input.predicate.builder != \"ci\"; msg := \"not built by ci\" }"}}`
	tests := []struct {
		name    string
		demand  string
		put     func(*bench, *testing.T) [][]byte
		outcome Outcome
		reason  string
	}{
		{"type", `{predicateType: ` + provenanceType + `}`, one(provenanceType, `{}`), Verified, `signed by "builder"`},
		{"short name", `{predicateType: slsaprovenance1}`, one(provenanceType, `{}`), Verified, `signed by "builder"`},
		{"CEL", builder, one(provenanceType, `{"builder":"ci"}`), Verified, `signed by "builder"`},
		{"CEL not met", builder, one(provenanceType, `{"builder":"me"}`), Rejected, `1 attestation, none by authority "builder": `},
		{"CEL on something else", builder, one(provenanceType, `{}`), Rejected, `1 attestation, none by authority "builder": `},
		{"Rego", deny, one(provenanceType, `{"builder":"ci"}`), Verified, `signed by "builder"`},
		{"Rego not met", deny, one(provenanceType, `{"builder":"me"}`), Rejected, `1 attestation, none by authority "builder": rule main.deny refuses: not built by ci`},
		{"other type", builder, one("https://cyclonedx.org/bom", `{"builder":"ci"}`), Rejected,
			`1 attestation, none by authority "builder": it states "https://cyclonedx.org/bom", not "https://slsa.dev/provenance/v1"`},
		{"none", builder, func(*bench, *testing.T) [][]byte { return nil }, Rejected, "no attestation found"},
		{"other digest", builder, func(*bench, *testing.T) [][]byte {
			return [][]byte{stated(sigtest.HashOf([]byte("other")), provenanceType, `{"builder":"ci"}`)}
		}, Rejected, `1 attestation, none by authority "builder": made for another digest`},
		{"one of two", builder + `, {predicateType: vuln}`, one(provenanceType, `{"builder":"ci"}`), Rejected,
			`1 attestation, none by authority "builder": it states "https://slsa.dev/provenance/v1", not "https://cosign.sigstore.dev/attestation/vuln/v1"`},
		{"both", builder + `, {predicateType: vuln}`, func(b *bench, _ *testing.T) [][]byte {
			return [][]byte{stated(b.image.Digest, provenanceType, `{"builder":"ci"}`),
				stated(b.image.Digest, "https://cosign.sigstore.dev/attestation/vuln/v1", `{}`)}
		}, Verified, `signed by "builder"`},
		{"the second is good", builder, func(b *bench, _ *testing.T) [][]byte {
			return [][]byte{stated(b.image.Digest, provenanceType, `{"builder":"me"}`), stated(b.image.Digest, provenanceType, `{"builder":"ci"}`)}
		}, Verified, `signed by "builder"`},
	}
	for _, tt := range tests {
		for _, form := range []string{"bundle", "tag", "referrer"} {
			t.Run(tt.name+" "+form, func(t *testing.T) {
				b := newBench(t, true)
				b.image = b.Wire.Image(t, "cart")
				payloads := tt.put(b, t)
				switch {
				case form == "tag" && len(payloads) > 0:
					b.attestTag(t, payloads...)
				case form == "bundle":
					for _, p := range payloads {
						b.Attach(t, b.image, sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.good, crypto.SHA256, p)))
					}
				case form == "referrer":
					for _, p := range payloads {
						b.Put(t, "", types.OCIManifestSchema1, sigtest.Marshal(t, map[string]any{
							"schemaVersion": 2, "mediaType": types.OCIManifestSchema1, "artifactType": statementArtifact,
							"config": b.Blob(t, sigbundle.EmptyConfig, []byte("{}")), "subject": b.image,
							"layers": []v1.Descriptor{b.Blob(t, signature.DSSEEnvelope, b.envelope(t, b.good, p))}}))
					}
				}
				got := b.with(t, rulePolicy(t, "", demanding(b, tt.demand)))
				if got.Outcome != tt.outcome || !strings.HasPrefix(got.Reason, tt.reason) {
					t.Errorf("got  %s: %s\nwant %s: %s", got.Outcome, got.Reason, tt.outcome, tt.reason)
				}
				if tt.outcome == Verified && len(got.Evidence) != strings.Count(tt.demand, "predicateType") {
					t.Errorf("evidence %+v", got.Evidence)
				}
			})
		}
	}
}

func one(predicateType, predicate string) func(*bench, *testing.T) [][]byte {
	return func(b *bench, _ *testing.T) [][]byte {
		return [][]byte{stated(b.image.Digest, predicateType, predicate)}
	}
}

// A signature is no attestation, and an attestation no signature.
func TestAttestationAndSignature(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.signBy(t, b.good)
	b.Tag(t, b.image, b.Layer(t, b.good, sigtest.Claim(b.image.Digest)))
	p := rulePolicy(t, "", demanding(b, `{predicateType: slsaprovenance1}`))
	check(t, b, b.with(t, p), Rejected, "no attestation found")
	both := rulePolicy(t, "    require: all\n", sigtest.KeyLine("release", b.good)+demanding(b, `{predicateType: slsaprovenance1}`))
	if got := b.with(t, both); got.Outcome != Rejected || !strings.Contains(got.Reason, `by authority "release" and not by "builder"`) {
		t.Errorf("%s: %s", got.Outcome, got.Reason)
	}
	b.attestTag(t, stated(b.image.Digest, provenanceType, `{}`))
	check(t, b, b.with(t, both), Verified, `signed by "release", "builder"`)
}

// A condition that cannot be decided leaves the image unknown.
func TestUndecidedCondition(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.attestTag(t, stated(b.image.Digest, provenanceType, `{"list":[`+strings.Repeat("1,", 3000)+`1]}`))
	p := rulePolicy(t, "", demanding(b, `{predicateType: slsaprovenance1, cel: 'predicate.list.all(a, predicate.list.all(b, predicate.list.all(c, a + b + c > 0.0)))'}`))
	if got := b.with(t, p); got.Outcome != Unknown {
		t.Errorf("%s: %s", got.Outcome, got.Reason)
	}
}

func TestAttestationAge(t *testing.T) {
	s := sigtest.NewInstance(t)
	for _, tt := range []struct {
		age  time.Duration
		want Outcome
	}{{time.Minute, Verified}, {4 * time.Minute, Rejected}} {
		b := newBench(t, true)
		b.image = b.Wire.Image(t, "cart")
		b.Attach(t, b.image, sigtest.BundleJSON(t, s.Attested(t, s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer),
			stated(b.image.Digest, provenanceType, `{}`), sigtest.Signing{At: time.Now().Add(-tt.age)})))
		p := keyless(t, s, "      attestations: [{predicateType: slsaprovenance1, maxAge: 3m}]\n")
		if got := b.with(t, p); got.Outcome != tt.want {
			t.Errorf("%s: %s: %s", tt.age, got.Outcome, got.Reason)
		}
	}
}

// Keyless attestations of the older form bring their log entry along.
func TestKeylessAttestationTag(t *testing.T) {
	s := sigtest.NewInstance(t)
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	l := s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer)
	payload := stated(b.image.Digest, provenanceType, `{}`)
	sig := l.Sign(t, sigtest.Pae(payload))
	env := sigtest.Marshal(t, map[string]any{"payloadType": sigtest.InTotoType, "payload": payload,
		"signatures": []any{map[string]any{"sig": base64.StdEncoding.EncodeToString(sig)}}})
	put := func(a map[string]string) {
		d := b.Blob(t, signature.DSSEEnvelope, env)
		d.Annotations = a
		b.Put(t, "sha256-"+b.image.Digest.Hex+".att", types.OCIManifestSchema1, sigtest.Marshal(t, v1.Manifest{
			SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
			Config: b.Blob(t, types.OCIConfigJSON, []byte("{}")), Layers: []v1.Descriptor{d}}))
	}
	p := keyless(t, s, "      attestations: [{predicateType: slsaprovenance1}]\n")
	put(s.Annotations(t, l, sigtest.Signing{}, payload, sig, true))
	got := b.with(t, p)
	check(t, b, got, Verified, `signed by "release"`)
	if e := got.Evidence[0]; e.Storage != StorageAttestationTag || e.PredicateType != provenanceType || len(e.Logs) != 1 {
		t.Errorf("%+v", e)
	}
	put(s.Annotations(t, l, sigtest.Signing{NoLog: true}, payload, sig, true))
	check(t, b, b.with(t, p), Rejected, `1 attestation, none by authority "release": it has no log entry`)
}

// An own authority needs nothing that Fulcio has.
func TestOwnAuthority(t *testing.T) {
	s := sigtest.NewInstance(t)
	s.WithoutCT = true
	chain := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Root.Raw}))
	policy := func(chain, subject, extra string) *Policy {
		return parse(t, fmt.Sprintf("    - name: release\n      certificate: {chain: {data: %q}, %s}\n%s", chain, subject, extra), s.TrustedRoot(t))
	}
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.signedTag(t, s, s.Issue(t, sigtest.TestSubject, "x"), sigtest.Signing{}, sigtest.Claim(b.image.Digest))
	const none = `1 signature, none by authority "release": `
	// The certificate in the middle comes along with the signature.
	got := b.with(t, policy(chain, "subject: "+sigtest.TestSubject, ""))
	check(t, b, got, Verified, `signed by "release"`)
	if e := got.Evidence[0]; e.Kind != KindCertificate || e.Subject != sigtest.TestSubject || e.Issuer != "CN=middle" {
		t.Errorf("%+v", e)
	}
	check(t, b, b.with(t, policy(chain, `subjectRegexp: '.*@example\.com'`, "      transparencyLog: required\n")), Verified, `signed by "release"`)
	check(t, b, b.with(t, policy(chain, "subject: other@example.com", "")), Rejected, none+`made by "release@example.com"`)
	check(t, b, b.with(t, policy(chain, "subject: "+sigtest.TestSubject, "      timestamp: required\n")), Rejected, none+"it has no timestamp")
	stranger := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sigtest.NewInstance(t).Root.Raw}))
	if got := b.with(t, policy(stranger, "subject: "+sigtest.TestSubject, "")); got.Outcome != Rejected ||
		!strings.HasPrefix(got.Reason, none+"its certificate was not valid, or is of no trusted authority") {
		t.Errorf("%s: %s", got.Outcome, got.Reason)
	}
	// Without anything that says when it was made, the certificate counts while
	// it is valid.
	b.image = b.Wire.Image(t, "till")
	old := s.IssueAt(t, sigtest.TestSubject, "x", time.Now().Add(-30*time.Minute))
	b.signedTag(t, s, old, sigtest.Signing{At: time.Now().Add(-25 * time.Minute)}, sigtest.Claim(b.image.Digest))
	if got := b.with(t, policy(chain, "subject: "+sigtest.TestSubject, "")); got.Outcome != Rejected {
		t.Errorf("%s: %s", got.Outcome, got.Reason)
	}
	check(t, b, b.with(t, policy(chain, "subject: "+sigtest.TestSubject, "      transparencyLog: required\n")), Verified, `signed by "release"`)
}

// A key can be asked for a log entry too.
func TestKeyWithLog(t *testing.T) {
	s := sigtest.NewInstance(t)
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	text := sigtest.Claim(b.image.Digest)
	sig := b.good.Sign(t, crypto.SHA256, text)
	l := b.Blob(t, signature.SimpleSigning, text)
	l.Annotations = s.Annotations(t, sigtest.Leaf{Cert: s.Root}, sigtest.Signing{}, text, s.Issue(t, "x@y.z", "x").Sign(t, text), true)
	delete(l.Annotations, signature.CertificateAnnotation)
	l.Annotations[signature.SignatureAnnotation] = base64.StdEncoding.EncodeToString(sig)
	p := parse(t, fmt.Sprintf("    - {name: release, key: {data: %q}, transparencyLog: required}\n", b.good.Pem), s.TrustedRoot(t))
	b.Tag(t, b.image, l)
	if got := b.with(t, p); got.Outcome != Rejected || !strings.Contains(got.Reason, "its log entry does not hold: ") {
		t.Errorf("entry of another: %s: %s", got.Outcome, got.Reason)
	}
	e := s.Entry(t, 0, sigtest.HashedRekord(t, text, sig, []byte(b.good.Pem)), "hashedrekord", sigtest.Signing{})
	l.Annotations[signature.LogAnnotation] = sigtest.LogText(t, e)
	b.Tag(t, b.image, l)
	got := b.with(t, p)
	check(t, b, got, Verified, `signed by "release"`)
	if e := got.Evidence[0]; len(e.Logs) != 1 || e.Time.IsZero() || e.Kind != KindKey {
		t.Errorf("%+v", e)
	}
	delete(l.Annotations, signature.LogAnnotation)
	b.Tag(t, b.image, l)
	check(t, b, b.with(t, p), Rejected, `1 signature, none by authority "release": it has no log entry`)
}
