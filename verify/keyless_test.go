package verify

import (
	"crypto"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"

	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

// with verifies the image of a bench against a policy.
func (b *bench) with(t *testing.T, p *Policy) Result {
	t.Helper()
	return newVerifier(b.Wire, 10*time.Second).Verify(t.Context(), p, b.Ref(b.image))[0]
}

// signedTag puts a keyless signature of the older form under the tag.
func (b *bench) signedTag(t *testing.T, s *sigtest.Instance, l sigtest.Leaf, o sigtest.Signing, text []byte) v1.Descriptor {
	t.Helper()
	sig := l.Sign(t, text)
	d := b.Blob(t, signature.SimpleSigning, text)
	d.Annotations = s.Annotations(t, l, o, text, sig, false)
	d.Annotations[signature.SignatureAnnotation] = base64.StdEncoding.EncodeToString(sig)
	b.Tag(t, b.image, d)
	return d
}

func TestKeyless(t *testing.T) {
	const none = `1 signature, none by authority "release": `
	stranger := sigtest.NewInstance(t)
	other := stranger.Issue(t, sigtest.TestSubject, sigtest.TestIssuer)
	tests := []struct {
		name    string
		leaf    func(*testing.T, *sigtest.Instance) sigtest.Leaf
		sign    sigtest.Signing
		extra   string // of the policy
		outcome Outcome
		reason  string // begins so
	}{
		{"log", nil, sigtest.Signing{}, "", Verified, `signed by "release"`},
		{"promise alone", nil, sigtest.Signing{NoProof: true, Version: "0.1"}, "", Verified, `signed by "release"`},
		{"log and timestamp", nil, sigtest.Signing{Stamp: true}, "      timestamp: required\n", Verified, `signed by "release"`},
		{"timestamp alone", nil, sigtest.Signing{Stamp: true, NoLog: true}, "      timestamp: required\n      transparencyLog: optional\n",
			Verified, `signed by "release"`},
		{"proof and timestamp", nil, sigtest.Signing{Stamp: true, NoPromise: true}, "", Verified, `signed by "release"`},
		{"proof alone", nil, sigtest.Signing{NoPromise: true}, "", Rejected, none + "nothing says when it was made"},
		{"no log", nil, sigtest.Signing{NoLog: true}, "", Rejected, none + "it has no log entry"},
		{"no timestamp", nil, sigtest.Signing{}, "      timestamp: required\n", Rejected, none + "it has no timestamp"},
		{"timestamp of another", nil, sigtest.Signing{Stamp: true, StampedBy: stranger}, "      timestamp: required\n",
			Rejected, none + "its timestamp is of no trusted authority, or does not hold"},
		{"one log of two", nil, sigtest.Signing{}, "      transparencyLog: 2\n", Rejected, none + "it is in 1 log of the 2 logs demanded"},
		{"two logs", nil, sigtest.Signing{AlsoIn: []int{1}}, "      transparencyLog: 2\n", Verified, `signed by "release"`},
		{"unknown log", nil, sigtest.Signing{Log: 2}, "", Rejected, none + "its log entry is of a log that is not trusted"},
		{"log entry of another signature", nil, sigtest.Signing{EntryBy: &other}, "", Rejected,
			none + "its log entry does not hold: transparency log signature does not match"},
		{"another subject", func(t *testing.T, s *sigtest.Instance) sigtest.Leaf {
			return s.Issue(t, "x"+sigtest.TestSubject, sigtest.TestIssuer)
		}, sigtest.Signing{}, "",
			Rejected, none + `made by "xrelease@example.com" of issuer "https://accounts.example.com"`},
		{"another issuer", func(t *testing.T, s *sigtest.Instance) sigtest.Leaf {
			return s.Issue(t, sigtest.TestSubject, "https://evil.example.com")
		}, sigtest.Signing{}, "",
			Rejected, none + `made by "release@example.com" of issuer "https://evil.example.com"`},
		{"expired leaf", func(t *testing.T, s *sigtest.Instance) sigtest.Leaf {
			return s.IssueAt(t, sigtest.TestSubject, sigtest.TestIssuer, time.Now().Add(-40*time.Minute))
		}, sigtest.Signing{}, "", Rejected, none + "its log entry does not hold: integrated time outside certificate validity"},
		{"expired leaf by timestamp", func(t *testing.T, s *sigtest.Instance) sigtest.Leaf {
			return s.IssueAt(t, sigtest.TestSubject, sigtest.TestIssuer, time.Now().Add(-40*time.Minute))
		}, sigtest.Signing{NoLog: true, Stamp: true}, "      timestamp: required\n      transparencyLog: optional\n",
			Rejected, none + "its certificate was not valid, or is of no trusted authority, at "},
		{"expired leaf that was good", func(t *testing.T, s *sigtest.Instance) sigtest.Leaf {
			return s.IssueAt(t, sigtest.TestSubject, sigtest.TestIssuer, time.Now().Add(-40*time.Minute))
		}, sigtest.Signing{At: time.Now().Add(-35 * time.Minute)}, "", Verified, `signed by "release"`},
		{"expired intermediate", func(t *testing.T, s *sigtest.Instance) sigtest.Leaf {
			s.Renew(t, time.Now().Add(-4*time.Hour), time.Now().Add(-2*time.Hour))
			return s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer)
		}, sigtest.Signing{}, "", Rejected, none + "its certificate was not valid, or is of no trusted authority, at "},
		{"another authority", func(t *testing.T, _ *sigtest.Instance) sigtest.Leaf {
			return stranger.Issue(t, sigtest.TestSubject, sigtest.TestIssuer)
		}, sigtest.Signing{}, "",
			Rejected, none + "its certificate was not valid, or is of no trusted authority, at "},
		{"no certificate log", func(t *testing.T, s *sigtest.Instance) sigtest.Leaf {
			s.WithoutCT = true
			defer func() { s.WithoutCT = false }()
			return s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer)
		}, sigtest.Signing{}, "", Rejected, none + "its certificate is in no trusted certificate log"},
		{"unknown certificate log", func(t *testing.T, s *sigtest.Instance) sigtest.Leaf {
			s.StrangerCT = true
			return s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer)
		}, sigtest.Signing{}, "", Rejected, none + "its certificate is in no trusted certificate log"},
		{"too old", nil, sigtest.Signing{At: time.Now().Add(-2 * time.Minute)}, "maxAge", Rejected, none + "made at "},
		{"of the future", func(t *testing.T, s *sigtest.Instance) sigtest.Leaf {
			return s.IssueAt(t, sigtest.TestSubject, sigtest.TestIssuer, time.Now().Add(25*time.Minute))
		}, sigtest.Signing{At: time.Now().Add(30 * time.Minute)}, "maxAge", Rejected, none + "made in the future, at "},
		{"young enough", nil, sigtest.Signing{}, "maxAge", Verified, `signed by "release"`},
	}
	for _, tt := range tests {
		for _, form := range []string{"bundle", "tag"} {
			legacy := form == "tag"
			if legacy && (tt.sign.NoPromise || len(tt.sign.AlsoIn) > 0) {
				continue // the older form has room for one entry, with its promise
			}
			t.Run(tt.name+" "+form, func(t *testing.T) {
				t.Parallel()
				s := sigtest.NewInstance(t)
				for range 2 {
					vs, err := ca.NewVirtualSigstore()
					sigtest.Must(t, err)
					s.Logs = append(s.Logs, vs)
				}
				var l sigtest.Leaf
				if tt.leaf != nil {
					l = tt.leaf(t, s)
				} else {
					l = s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer)
				}
				b := newBench(t, true)
				b.image = b.Wire.Image(t, "cart")
				if legacy {
					b.signedTag(t, s, l, tt.sign, sigtest.Claim(b.image.Digest))
				} else {
					b.Attach(t, b.image, sigtest.BundleJSON(t, s.Attested(t, l, sigtest.Statement(b.image.Digest, statement.SignType), tt.sign)))
				}
				known := *s
				known.Logs = s.Logs[:2]
				var p *Policy
				if tt.extra == "maxAge" {
					p = parseRule(t, "    maxAge: 90s\n", "    - {name: release, keyless: {issuer: "+sigtest.TestIssuer+", subject: "+sigtest.TestSubject+"}}\n", known.TrustedRoot(t))
				} else {
					p = keyless(t, &known, tt.extra)
				}
				got := b.with(t, p)
				if got.Outcome != tt.outcome || !strings.HasPrefix(got.Reason, tt.reason) {
					t.Errorf("got  %s: %s\nwant %s: %s", got.Outcome, got.Reason, tt.outcome, tt.reason)
				}
			})
		}
	}
}

// What is signed has to be the image, in the repository where it is used.
func TestKeylessContent(t *testing.T) {
	const none = `1 signature, none by authority "release": `
	s := sigtest.NewInstance(t)
	p := keyless(t, s, "")
	other := sigtest.HashOf([]byte("other"))
	tests := []struct {
		name   string
		bundle func(*testing.T, sigtest.Leaf, v1.Hash) *protobundle.Bundle
		want   string
	}{
		{"other digest", func(t *testing.T, l sigtest.Leaf, _ v1.Hash) *protobundle.Bundle {
			return s.Attested(t, l, sigtest.Statement(other, statement.SignType), sigtest.Signing{})
		}, none + "made for another digest"},
		{"SBOM", func(t *testing.T, l sigtest.Leaf, d v1.Hash) *protobundle.Bundle {
			return s.Attested(t, l, sigtest.Statement(d, "https://cyclonedx.org/bom"), sigtest.Signing{})
		}, none + `it states "https://cyclonedx.org/bom", which is no signature of an image`},
		{"other message", func(t *testing.T, l sigtest.Leaf, _ v1.Hash) *protobundle.Bundle {
			return s.Messaged(t, l, []byte("other"), sigtest.Signing{})
		}, none + "made for another digest"},
		{"changed statement", func(t *testing.T, l sigtest.Leaf, d v1.Hash) *protobundle.Bundle {
			b := s.Attested(t, l, sigtest.Statement(other, statement.SignType), sigtest.Signing{})
			b.GetDsseEnvelope().Payload = sigtest.Statement(d, statement.SignType)
			return b
		}, none + "its log entry does not hold: transparency log dsse/intoto entry payload hash"},
		{"exchanged certificate", func(t *testing.T, l sigtest.Leaf, d v1.Hash) *protobundle.Bundle {
			b := s.Attested(t, l, sigtest.Statement(d, statement.SignType), sigtest.Signing{})
			b.GetVerificationMaterial().GetCertificate().RawBytes = s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer).Cert.Raw
			return b
		}, none + "its log entry does not hold: transparency log certificate does not match"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.Wire.Image(t, "cart")
			l := s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer)
			b.Attach(t, b.image, sigtest.BundleJSON(t, tt.bundle(t, l, b.image.Digest)))
			if got := b.with(t, p); got.Outcome != Rejected || !strings.HasPrefix(got.Reason, tt.want) {
				t.Errorf("got %s: %s", got.Outcome, got.Reason)
			}
		})
	}
}

func TestKeylessEvidence(t *testing.T) {
	s := sigtest.NewInstance(t)
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	at := time.Now().Add(-time.Minute).Truncate(time.Second).UTC()
	st := sigtest.Statement(b.image.Digest, statement.SignType)
	d := b.Attach(t, b.image, sigtest.BundleJSON(t, s.Attested(t, s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer), st, sigtest.Signing{At: at})))
	got := b.with(t, keyless(t, s, ""))
	id, err := s.Logs[0].RekorLogID()
	sigtest.Must(t, err)
	want := Evidence{
		Authority: "release", Kind: KindKeyless, Subject: sigtest.TestSubject, Issuer: sigtest.TestIssuer, Storage: StorageBundle,
		Payload: sigtest.HashOf(st).String(), PredicateType: statement.SignType, Location: b.Host + "/" + sigtest.Repo + "@" + d.Digest.String(),
		Time: at, TimeSource: "https://rekor.localhost", Logs: []LogEntry{{id, 7}},
	}
	if len(got.Evidence) != 1 {
		t.Fatalf("%+v", got)
	}
	e := got.Evidence[0]
	if len(e.Logs) != 1 || e.Logs[0] != want.Logs[0] {
		t.Errorf("logs %v", e.Logs)
	}
	e.Logs, want.Logs = nil, nil
	if e.Time != want.Time || e.Subject != want.Subject || e.Issuer != want.Issuer || e.Payload != want.Payload ||
		e.TimeSource != want.TimeSource || e.Kind != want.Kind || e.Location != want.Location || e.PredicateType != want.PredicateType {
		t.Errorf("got  %+v\nwant %+v", e, want)
	}
}

// The experimental storage of cosign: a manifest like that under the tag, which
// refers to the image.
func TestSignatureReferrer(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	l := b.Layer(t, b.good, sigtest.Claim(b.image.Digest))
	b.Put(t, "", types.OCIManifestSchema1, sigtest.Marshal(t, map[string]any{
		"schemaVersion": 2, "mediaType": types.OCIManifestSchema1, "artifactType": signatureArtifact,
		"config":  b.Blob(t, signatureArtifact, []byte("{}")),
		"layers":  []v1.Descriptor{l},
		"subject": b.image,
	}))
	got := b.verify(t)
	check(t, b, got, Verified, `signed by "release"`)
	if got.Evidence[0].Storage != StorageReferrer {
		t.Errorf("%+v", got.Evidence)
	}
}

// What counts is how many logs there are, and what they have signed.
func TestEntriesOfOneLog(t *testing.T) {
	s := sigtest.NewInstance(t)
	vs, err := ca.NewVirtualSigstore()
	sigtest.Must(t, err)
	s.Logs = append(s.Logs, vs)
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	l := s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer)
	two := s.Attested(t, l, sigtest.Statement(b.image.Digest, statement.SignType), sigtest.Signing{AlsoIn: []int{0}})
	second := two.VerificationMaterial.TlogEntries[1]
	second.InclusionPromise, second.LogIndex = nil, 8 // nobody has signed the 8
	b.Attach(t, b.image, sigtest.BundleJSON(t, two))
	check(t, b, b.with(t, keyless(t, s, "      transparencyLog: 2\n")), Rejected,
		`1 signature, none by authority "release": it is in 1 log of the 2 logs demanded`)
	got := b.with(t, keyless(t, s, ""))
	check(t, b, got, Verified, `signed by "release"`)
	for i, e := range got.Evidence[0].Logs {
		if want := []int64{7, second.InclusionProof.LogIndex}[i]; e.Index != want {
			t.Errorf("entry %d has the index %d, not %d", i, e.Index, want)
		}
	}
}

// A log entry beside a signature by key has to be about that signature.
func TestKeyWithEntryOfAnother(t *testing.T) {
	s := sigtest.NewInstance(t)
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	p := parse(t, "    - {name: release, key: {data: "+strconv.Quote(b.good.Pem)+"}, transparencyLog: required}\n", s.TrustedRoot(t))
	payload := sigtest.Statement(b.image.Digest, statement.SignType)
	sig := b.good.Sign(t, crypto.SHA256, sigtest.Pae(payload))
	other := sigtest.Statement(sigtest.HashOf([]byte("other")), statement.SignType)
	for name, entry := range map[string]struct {
		body []byte
		kind string
		want Outcome
	}{
		"its own":           {sigtest.DsseRekord(t, payload, sig, []byte(b.good.Pem)), "dsse", Verified},
		"another statement": {sigtest.DsseRekord(t, other, sig, []byte(b.good.Pem)), "dsse", Rejected},
		"another signature": {sigtest.DsseRekord(t, payload, b.good.Sign(t, crypto.SHA256, sigtest.Pae(other)), []byte(b.good.Pem)), "dsse", Rejected},
		"another key":       {sigtest.DsseRekord(t, payload, sig, []byte(b.bad.Pem)), "dsse", Rejected},
		"another kind":      {sigtest.HashedRekord(t, sigtest.Pae(payload), sig, []byte(b.good.Pem)), "hashedrekord", Rejected},
	} {
		made := sigtest.DsseBundle(t, b.good, crypto.SHA256, payload)
		made.GetDsseEnvelope().Signatures[0].Sig = sig
		made.VerificationMaterial.TlogEntries = []*protorekor.TransparencyLogEntry{s.Entry(t, 0, entry.body, entry.kind, sigtest.Signing{})}
		read, err := sigbundle.Parse(sigtest.BundleJSON(t, made))
		sigtest.Must(t, err)
		c, err := signature.FromBundle(read)
		sigtest.Must(t, err)
		authority := p.model.Rules[0].Authorities[0]
		_, err = signature.Check(authority.Signers[0], c, b.image.Digest.String(), signature.Demand{Trust: authority.Trust, Logs: authority.Logs, Timestamps: authority.Timestamps})
		if (err == nil) != (entry.want == Verified) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
