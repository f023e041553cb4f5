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
)

// with verifies the image of a bench against a policy.
func (b *bench) with(t *testing.T, p *Policy) Result {
	t.Helper()
	return newVerifier(b.wire, 10*time.Second).Verify(t.Context(), p, b.ref(b.image))[0]
}

// signedTag puts a keyless signature of the older form under the tag.
func (b *bench) signedTag(t *testing.T, s *instance, l leaf, o signing, text []byte) v1.Descriptor {
	t.Helper()
	sig := l.sign(t, text)
	d := b.blob(t, simpleSigning, text)
	d.Annotations = s.annotations(t, l, o, text, sig, false)
	d.Annotations[signatureAnnotation] = base64.StdEncoding.EncodeToString(sig)
	b.tag(t, b.image, d)
	return d
}

func TestKeyless(t *testing.T) {
	const none = `1 signature, none by authority "release": `
	stranger := newInstance(t)
	other := stranger.issue(t, testSubject, testIssuer)
	tests := []struct {
		name    string
		leaf    func(*testing.T, *instance) leaf
		sign    signing
		extra   string // of the policy
		outcome Outcome
		reason  string // begins so
	}{
		{"log", nil, signing{}, "", Verified, `signed by "release"`},
		{"promise alone", nil, signing{noProof: true, version: "0.1"}, "", Verified, `signed by "release"`},
		{"log and timestamp", nil, signing{stamp: true}, "      timestamp: required\n", Verified, `signed by "release"`},
		{"timestamp alone", nil, signing{stamp: true, noLog: true}, "      timestamp: required\n      transparencyLog: optional\n",
			Verified, `signed by "release"`},
		{"proof and timestamp", nil, signing{stamp: true, noPromise: true}, "", Verified, `signed by "release"`},
		{"proof alone", nil, signing{noPromise: true}, "", Rejected, none + "nothing says when it was made"},
		{"no log", nil, signing{noLog: true}, "", Rejected, none + "it has no log entry"},
		{"no timestamp", nil, signing{}, "      timestamp: required\n", Rejected, none + "it has no timestamp"},
		{"timestamp of another", nil, signing{stamp: true, stampedBy: stranger}, "      timestamp: required\n",
			Rejected, none + "its timestamp is of no trusted authority, or does not hold"},
		{"one log of two", nil, signing{}, "      transparencyLog: 2\n", Rejected, none + "it is in 1 log of the 2 logs demanded"},
		{"two logs", nil, signing{alsoIn: []int{1}}, "      transparencyLog: 2\n", Verified, `signed by "release"`},
		{"unknown log", nil, signing{log: 2}, "", Rejected, none + "its log entry is of a log that is not trusted"},
		{"log entry of another signature", nil, signing{entryBy: &other}, "", Rejected,
			none + "its log entry does not hold: transparency log signature does not match"},
		{"another subject", func(t *testing.T, s *instance) leaf { return s.issue(t, "x"+testSubject, testIssuer) }, signing{}, "",
			Rejected, none + `made by "xrelease@example.com" of issuer "https://accounts.example.com"`},
		{"another issuer", func(t *testing.T, s *instance) leaf { return s.issue(t, testSubject, "https://evil.example.com") }, signing{}, "",
			Rejected, none + `made by "release@example.com" of issuer "https://evil.example.com"`},
		{"expired leaf", func(t *testing.T, s *instance) leaf {
			return s.issueAt(t, testSubject, testIssuer, time.Now().Add(-40*time.Minute))
		}, signing{}, "", Rejected, none + "its log entry does not hold: integrated time outside certificate validity"},
		{"expired leaf by timestamp", func(t *testing.T, s *instance) leaf {
			return s.issueAt(t, testSubject, testIssuer, time.Now().Add(-40*time.Minute))
		}, signing{noLog: true, stamp: true}, "      timestamp: required\n      transparencyLog: optional\n",
			Rejected, none + "its certificate was not valid, or is of no trusted authority, at "},
		{"expired leaf that was good", func(t *testing.T, s *instance) leaf {
			return s.issueAt(t, testSubject, testIssuer, time.Now().Add(-40*time.Minute))
		}, signing{at: time.Now().Add(-35 * time.Minute)}, "", Verified, `signed by "release"`},
		{"expired intermediate", func(t *testing.T, s *instance) leaf {
			s.renew(t, time.Now().Add(-4*time.Hour), time.Now().Add(-2*time.Hour))
			return s.issue(t, testSubject, testIssuer)
		}, signing{}, "", Rejected, none + "its certificate was not valid, or is of no trusted authority, at "},
		{"another authority", func(t *testing.T, _ *instance) leaf { return stranger.issue(t, testSubject, testIssuer) }, signing{}, "",
			Rejected, none + "its certificate was not valid, or is of no trusted authority, at "},
		{"no certificate log", func(t *testing.T, s *instance) leaf {
			s.withoutCT = true
			defer func() { s.withoutCT = false }()
			return s.issue(t, testSubject, testIssuer)
		}, signing{}, "", Rejected, none + "its certificate is in no trusted certificate log"},
		{"unknown certificate log", func(t *testing.T, s *instance) leaf {
			s.strangerCT = true
			return s.issue(t, testSubject, testIssuer)
		}, signing{}, "", Rejected, none + "its certificate is in no trusted certificate log"},
		{"too old", nil, signing{at: time.Now().Add(-2 * time.Minute)}, "maxAge", Rejected, none + "made at "},
		{"of the future", func(t *testing.T, s *instance) leaf {
			return s.issueAt(t, testSubject, testIssuer, time.Now().Add(25*time.Minute))
		}, signing{at: time.Now().Add(30 * time.Minute)}, "maxAge", Rejected, none + "made in the future, at "},
		{"young enough", nil, signing{}, "maxAge", Verified, `signed by "release"`},
	}
	for _, tt := range tests {
		for _, form := range []string{"bundle", "tag"} {
			legacy := form == "tag"
			if legacy && (tt.sign.noPromise || len(tt.sign.alsoIn) > 0) {
				continue // the older form has room for one entry, with its promise
			}
			t.Run(tt.name+" "+form, func(t *testing.T) {
				t.Parallel()
				s := newInstance(t)
				for range 2 {
					vs, err := ca.NewVirtualSigstore()
					must(t, err)
					s.logs = append(s.logs, vs)
				}
				var l leaf
				if tt.leaf != nil {
					l = tt.leaf(t, s)
				} else {
					l = s.issue(t, testSubject, testIssuer)
				}
				b := newBench(t, true)
				b.image = b.wire.image(t, "cart")
				if legacy {
					b.signedTag(t, s, l, tt.sign, claim(b.image.Digest))
				} else {
					b.attach(t, b.image, bundleJSON(t, s.attested(t, l, statement(b.image.Digest, signPredicateType), tt.sign)))
				}
				known := *s
				known.logs = s.logs[:2]
				var p *Policy
				if tt.extra == "maxAge" {
					p = parseRule(t, "    maxAge: 90s\n", "    - {name: release, keyless: {issuer: "+testIssuer+", subject: "+testSubject+"}}\n", known.trustedRoot(t))
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
	s := newInstance(t)
	p := keyless(t, s, "")
	other := hashOf([]byte("other"))
	tests := []struct {
		name   string
		bundle func(*testing.T, leaf, v1.Hash) *protobundle.Bundle
		want   string
	}{
		{"other digest", func(t *testing.T, l leaf, _ v1.Hash) *protobundle.Bundle {
			return s.attested(t, l, statement(other, signPredicateType), signing{})
		}, none + "made for another digest"},
		{"SBOM", func(t *testing.T, l leaf, d v1.Hash) *protobundle.Bundle {
			return s.attested(t, l, statement(d, "https://cyclonedx.org/bom"), signing{})
		}, none + `it states "https://cyclonedx.org/bom", which is no signature of an image`},
		{"other message", func(t *testing.T, l leaf, _ v1.Hash) *protobundle.Bundle {
			return s.messaged(t, l, []byte("other"), signing{})
		}, none + "made for another digest"},
		{"changed statement", func(t *testing.T, l leaf, d v1.Hash) *protobundle.Bundle {
			b := s.attested(t, l, statement(other, signPredicateType), signing{})
			b.GetDsseEnvelope().Payload = statement(d, signPredicateType)
			return b
		}, none + "its log entry does not hold: transparency log dsse/intoto entry payload hash"},
		{"exchanged certificate", func(t *testing.T, l leaf, d v1.Hash) *protobundle.Bundle {
			b := s.attested(t, l, statement(d, signPredicateType), signing{})
			b.GetVerificationMaterial().GetCertificate().RawBytes = s.issue(t, testSubject, testIssuer).cert.Raw
			return b
		}, none + "its log entry does not hold: transparency log certificate does not match"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.wire.image(t, "cart")
			l := s.issue(t, testSubject, testIssuer)
			b.attach(t, b.image, bundleJSON(t, tt.bundle(t, l, b.image.Digest)))
			if got := b.with(t, p); got.Outcome != Rejected || !strings.HasPrefix(got.Reason, tt.want) {
				t.Errorf("got %s: %s", got.Outcome, got.Reason)
			}
		})
	}
}

func TestKeylessEvidence(t *testing.T) {
	s := newInstance(t)
	b := newBench(t, true)
	b.image = b.wire.image(t, "cart")
	at := time.Now().Add(-time.Minute).Truncate(time.Second).UTC()
	st := statement(b.image.Digest, signPredicateType)
	d := b.attach(t, b.image, bundleJSON(t, s.attested(t, s.issue(t, testSubject, testIssuer), st, signing{at: at})))
	got := b.with(t, keyless(t, s, ""))
	id, err := s.logs[0].RekorLogID()
	must(t, err)
	want := Evidence{
		Authority: "release", Kind: KindKeyless, Subject: testSubject, Issuer: testIssuer, Storage: StorageBundle,
		Payload: hashOf(st).String(), PredicateType: signPredicateType, Location: b.host + "/" + repo + "@" + d.Digest.String(),
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
	b.image = b.wire.image(t, "cart")
	l := b.layer(t, b.good, claim(b.image.Digest))
	b.put(t, "", types.OCIManifestSchema1, marshal(t, map[string]any{
		"schemaVersion": 2, "mediaType": types.OCIManifestSchema1, "artifactType": signatureArtifact,
		"config":  b.blob(t, signatureArtifact, []byte("{}")),
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
	s := newInstance(t)
	vs, err := ca.NewVirtualSigstore()
	must(t, err)
	s.logs = append(s.logs, vs)
	b := newBench(t, true)
	b.image = b.wire.image(t, "cart")
	l := s.issue(t, testSubject, testIssuer)
	two := s.attested(t, l, statement(b.image.Digest, signPredicateType), signing{alsoIn: []int{0}})
	second := two.VerificationMaterial.TlogEntries[1]
	second.InclusionPromise, second.LogIndex = nil, 8 // nobody has signed the 8
	b.attach(t, b.image, bundleJSON(t, two))
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
	s := newInstance(t)
	b := newBench(t, true)
	b.image = b.wire.image(t, "cart")
	p := parse(t, "    - {name: release, key: {data: "+strconv.Quote(b.good.pem)+"}, transparencyLog: required}\n", s.trustedRoot(t))
	payload := statement(b.image.Digest, signPredicateType)
	sig := b.good.sign(t, crypto.SHA256, pae(payload))
	other := statement(hashOf([]byte("other")), signPredicateType)
	for name, entry := range map[string]struct {
		body []byte
		kind string
		want Outcome
	}{
		"its own":           {dsseRekord(t, payload, sig, []byte(b.good.pem)), "dsse", Verified},
		"another statement": {dsseRekord(t, other, sig, []byte(b.good.pem)), "dsse", Rejected},
		"another signature": {dsseRekord(t, payload, b.good.sign(t, crypto.SHA256, pae(other)), []byte(b.good.pem)), "dsse", Rejected},
		"another key":       {dsseRekord(t, payload, sig, []byte(b.bad.pem)), "dsse", Rejected},
		"another kind":      {hashedRekord(t, pae(payload), sig, []byte(b.good.pem)), "hashedrekord", Rejected},
	} {
		made := dsseBundle(t, b.good, crypto.SHA256, payload)
		made.GetDsseEnvelope().Signatures[0].Sig = sig
		made.VerificationMaterial.TlogEntries = []*protorekor.TransparencyLogEntry{s.entry(t, 0, entry.body, entry.kind, signing{})}
		read, err := parseBundle(bundleJSON(t, made))
		must(t, err)
		c, err := fromBundle(read)
		must(t, err)
		party := p.rules[0].authorities[0]
		_, err = party.parties[0].check(c, b.image.Digest.String(), demand{party.trust, party.logs, party.timestamps})
		if (err == nil) != (entry.want == Verified) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
