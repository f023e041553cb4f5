package verify

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"strings"
	"testing"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/testing/data"

	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

// The versions of bundles, with what each of them can hold.
func TestVerifyBundleVersions(t *testing.T) {
	s := sigtest.NewInstance(t)
	l := s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer)
	artifact := []byte("artifact")
	for name, o := range map[string]sigtest.Signing{
		"0.1":                        {Version: "0.1", NoProof: true},
		"0.1 with proof":             {Version: "0.1"},
		"0.2":                        {Version: "0.2"},
		"0.2 with timestamp":         {Version: "0.2", Stamp: true},
		"0.3":                        {},
		"0.3 with timestamp":         {Stamp: true},
		"0.3 timestamp, no promise":  {Stamp: true, NoPromise: true},
		"0.3 with version parameter": {},
	} {
		for kind, b := range map[string]*protobundle.Bundle{
			"message": s.Messaged(t, l, artifact, o),
			"DSSE":    s.Attested(t, l, sigtest.Statement(sigtest.HashOf(artifact), "https://example.com/any"), o),
		} {
			if strings.Contains(name, "parameter") {
				b.MediaType = sigbundle.TypePrefix + "+json;version=0.3"
			}
			r := BundleRequest{Bundle: sigtest.BundleJSON(t, b), Digest: sigtest.HashOf(artifact).String(),
				Identity: sigtest.TestSubject, Issuer: sigtest.TestIssuer, TrustedRoot: s.TrustedRoot(t)}
			byDigest, err := VerifyBundle(t.Context(), r)
			sigtest.Must(t, err)
			r.Digest, r.Artifact = "", bytes.NewReader(artifact)
			byArtifact, err := VerifyBundle(t.Context(), r)
			sigtest.Must(t, err)
			for _, got := range []Result{byDigest, byArtifact} {
				if got.Outcome != Verified || got.Reason != `signed by "release@example.com"` || len(got.Evidence) != 1 {
					t.Errorf("%s %s: %s: %s", name, kind, got.Outcome, got.Reason)
				}
			}
			r.Artifact = strings.NewReader("another artifact")
			got, err := VerifyBundle(t.Context(), r)
			sigtest.Must(t, err)
			if got.Outcome != Rejected || got.Reason != "made for another digest" {
				t.Errorf("%s %s, another artifact: %s: %s", name, kind, got.Outcome, got.Reason)
			}
			r.Artifact, r.Identity = bytes.NewReader(artifact), "other@example.com"
			got, err = VerifyBundle(t.Context(), r)
			sigtest.Must(t, err)
			if got.Outcome != Rejected || !strings.HasPrefix(got.Reason, `made by "release@example.com"`) {
				t.Errorf("%s %s, another identity: %s: %s", name, kind, got.Outcome, got.Reason)
			}
		}
	}
}

// A log of the second version has no time of its own, so a timestamp is needed.
func TestVerifyBundleRekorV2(t *testing.T) {
	vs, err := ca.NewVirtualSigstore()
	sigtest.Must(t, err)
	st := sigtest.Statement(sigtest.HashOf([]byte("artifact")), "https://example.com/any")
	entity, err := vs.AttestHashedRekordV2(sigtest.TestSubject, sigtest.TestIssuer, st)
	sigtest.Must(t, err)
	content, err := entity.VerificationContent()
	sigtest.Must(t, err)
	sig, err := entity.SignatureContent()
	sigtest.Must(t, err)
	entries, err := entity.TlogEntries()
	sigtest.Must(t, err)
	stamps, err := entity.Timestamps()
	sigtest.Must(t, err)
	b := &protobundle.Bundle{MediaType: sigtest.BundleV03,
		VerificationMaterial: &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_Certificate{
			Certificate: &protocommon.X509Certificate{RawBytes: content.Certificate().Raw}}},
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: st, PayloadType: sigtest.InTotoType, Signatures: []*protodsse.Signature{{Sig: sig.Signature()}}}}}
	for _, e := range entries {
		b.VerificationMaterial.TlogEntries = append(b.VerificationMaterial.TlogEntries, e.TransparencyLogEntry())
	}
	logs := vs.RekorLogs()
	for k, l := range logs {
		l.ID = sigtest.RawID(t, k)
	}
	trusted := sigtest.MarshalRoot(t, vs.FulcioCertificateAuthorities(), map[string]*root.TransparencyLog{}, vs.TimestampingAuthorities(), logs)
	verify := func() Result {
		got, err := VerifyBundle(t.Context(), BundleRequest{Bundle: sigtest.BundleJSON(t, b), Digest: sigtest.HashOf([]byte("artifact")).String(),
			Identity: sigtest.TestSubject, Issuer: sigtest.TestIssuer, TrustedRoot: trusted})
		sigtest.Must(t, err)
		return got
	}
	if got := verify(); got.Outcome != Rejected || got.Reason != "nothing says when it was made" {
		t.Errorf("without timestamp: %s: %s", got.Outcome, got.Reason)
	}
	b.VerificationMaterial.TimestampVerificationData = &protobundle.TimestampVerificationData{
		Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamps[0]}}}
	got := verify()
	if got.Outcome != Verified || len(got.Evidence[0].Logs) != 1 || got.Evidence[0].Time.IsZero() {
		t.Errorf("%+v", got)
	}
	b.GetDsseEnvelope().Payload = sigtest.Statement(sigtest.HashOf([]byte("artifact")), "https://example.com/other")
	if got := verify(); got.Outcome != Rejected || !strings.HasPrefix(got.Reason, "its log entry does not hold") {
		t.Errorf("changed: %s: %s", got.Outcome, got.Reason)
	}
}

// A bundle of the public good instance, with the root that is part of the program.
func TestVerifyBundlePublicGood(t *testing.T) {
	raw, err := data.Bundle(t, "sigstore.js@2.0.0-provenance.sigstore.json").MarshalJSON()
	sigtest.Must(t, err)
	r := BundleRequest{
		Bundle:   raw,
		Digest:   "sha512:46d4e2f74c4877316640000a6fdf8a8b59f1e0847667973e9859f774dd31b8f1e0937813b777fb66a2ac67d50540fe34640966eee9fc2ccca387082b4c85cd3c",
		Issuer:   "https://token.actions.githubusercontent.com",
		Identity: "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main",
	}
	got, err := VerifyBundle(t.Context(), r)
	sigtest.Must(t, err)
	if got.Outcome != Verified || got.Evidence[0].TimeSource != "https://rekor.sigstore.dev" ||
		got.Evidence[0].PredicateType != "https://slsa.dev/provenance/v1" {
		t.Errorf("%+v", got)
	}
	r.TrustedRoot = sigtest.NewInstance(t).TrustedRoot(t)
	got, err = VerifyBundle(t.Context(), r)
	sigtest.Must(t, err)
	if got.Outcome != Rejected || got.Reason != "its log entry is of a log that is not trusted" {
		t.Errorf("%+v", got)
	}
}

func TestVerifyBundleKey(t *testing.T) {
	s := sigtest.NewInstance(t)
	artifact := []byte("artifact")
	for _, kind := range []string{"p256", "p384", "rsa", "ed25519"} {
		k := sigtest.NewSigner(t, kind)
		plain := sigtest.BundleJSON(t, sigtest.DsseBundle(t, k, crypto.SHA256, sigtest.Statement(sigtest.HashOf(artifact), "https://example.com/any")))
		r := BundleRequest{Bundle: plain, Artifact: bytes.NewReader(artifact), Key: []byte(k.Pem), TrustedRoot: s.TrustedRoot(t)}
		got, err := VerifyBundle(t.Context(), r)
		sigtest.Must(t, err)
		if got.Outcome != Rejected || got.Reason != "it has no log entry" {
			t.Errorf("%s: %s: %s", kind, got.Outcome, got.Reason)
		}
		r.WithoutTransparencyLog = true
		if got, err = VerifyBundle(t.Context(), r); err != nil || got.Outcome != Verified {
			t.Errorf("%s: %v %+v", kind, err, got)
		}
		r.Key = []byte(sigtest.NewSigner(t, kind).Pem)
		if got, err = VerifyBundle(t.Context(), r); err != nil || got.Outcome != Rejected || got.Reason != "made with another key" {
			t.Errorf("%s: %v %+v", kind, err, got)
		}
		r.Identity, r.Issuer, r.Key = sigtest.TestSubject, sigtest.TestIssuer, nil
		if got, err = VerifyBundle(t.Context(), r); err != nil || got.Outcome != Rejected || got.Reason != "made with a key, not with a certificate" {
			t.Errorf("%s: %v %+v", kind, err, got)
		}
	}
	// Ed25519 signs the artifact itself, which is at hand here.
	k := sigtest.NewSigner(t, "ed25519")
	b := sigtest.MessageBundle(t, k, artifact)
	r := BundleRequest{Bundle: sigtest.BundleJSON(t, b), Artifact: bytes.NewReader(artifact), Key: []byte(k.Pem), WithoutTransparencyLog: true}
	if got, err := VerifyBundle(t.Context(), r); err != nil || got.Outcome != Verified {
		t.Errorf("%v %+v", err, got)
	}
	// A log entry of the key's signature.
	k = sigtest.NewSigner(t, "p256")
	b = sigtest.MessageBundle(t, k, artifact)
	b.VerificationMaterial.TlogEntries = append(b.VerificationMaterial.TlogEntries, s.Entry(t, 0,
		sigtest.HashedRekord(t, artifact, b.GetMessageSignature().Signature, []byte(k.Pem)), "hashedrekord", sigtest.Signing{}))
	r = BundleRequest{Bundle: sigtest.BundleJSON(t, b), Digest: sigtest.HashOf(artifact).String(), Key: []byte(k.Pem), TrustedRoot: s.TrustedRoot(t)}
	if got, err := VerifyBundle(t.Context(), r); err != nil || got.Outcome != Verified || len(got.Evidence[0].Logs) != 1 {
		t.Errorf("%v %+v", err, got)
	}
}

func TestVerifyBundleRequests(t *testing.T) {
	k := sigtest.NewSigner(t, "p256")
	digest := sigtest.HashOf(nil).String()
	for want, r := range map[string]BundleRequest{
		"one of artifact and digest is needed":                                  {Key: []byte(k.Pem)},
		"a key, or an identity with its issuer, is needed":                      {Digest: digest, Identity: "x"},
		"a key and an identity stand side by side":                              {Digest: digest, Identity: "x", Key: []byte(k.Pem)},
		`digest "sha256:12" is not sha256:<hex>`:                                {Digest: "sha256:12", Key: []byte(k.Pem)},
		"key is not in PEM form":                                                {Digest: digest, Key: []byte("x")},
		"trusted root cannot be parsed: syntax error (line 1:1): invalid value": {Digest: digest, Key: []byte(k.Pem), TrustedRoot: []byte("x")},
		"the artifact cannot be read: broken":                                   {Artifact: brokenReader{}, Key: []byte(k.Pem)},
	} {
		got, err := VerifyBundle(t.Context(), r)
		if err == nil || !strings.HasPrefix(err.Error(), want) || got.Outcome != "" {
			t.Errorf("%s: got %v, %+v", want, err, got)
		}
	}
	for _, text := range []string{"", "{}", "[]", "x", `{"mediaType":"` + sigtest.BundleV03 + `"}`, strings.Repeat("[", 1<<20)} {
		got, err := VerifyBundle(t.Context(), BundleRequest{Bundle: []byte(text), Digest: digest, Key: []byte(k.Pem)})
		if err != nil || got.Outcome != Rejected || !strings.HasPrefix(got.Reason, "malformed: ") {
			t.Errorf("%.20q: %v %+v", text, err, got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := VerifyBundle(ctx, BundleRequest{Bundle: []byte("x"), Digest: digest, Key: []byte(k.Pem)})
	if err != nil || got.Outcome == Verified {
		t.Errorf("%v %+v", err, got)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error)       { return 0, errors.New("broken") }
func (brokenReader) Seek(int64, int) (int64, error) { return 0, nil }
