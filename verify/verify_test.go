package verify

import (
	"crypto"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/kubepromote/kubepromote/verify/internal/keys"
	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/source"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

// bench is a registry with an image, and three keys of which the policy knows
// the first as "release".
type bench struct {
	*sigtest.Wire
	image           v1.Descriptor
	good, bad, more sigtest.Signer
}

func newBench(t *testing.T, referrers bool) *bench {
	return &bench{sigtest.NewWire(t, referrers), v1.Descriptor{}, sigtest.NewSigner(t, "p256"), sigtest.NewSigner(t, "p256"), sigtest.NewSigner(t, "p256")}
}

func (b *bench) verify(t *testing.T) Result {
	t.Helper()
	return newVerifier(b.Wire, 10*time.Second).Verify(t.Context(), policyFor(t, "release", b.good.Pem), b.Ref(b.image))[0]
}

const sigKey = "dev.cosignproject.cosign/signature"

// annotate makes a good signature under the tag and changes an annotation.
func (b *bench) annotate(t *testing.T, key, value string) {
	l := b.Layer(t, b.good, sigtest.Claim(b.image.Digest))
	l.Annotations[key] = value
	b.Tag(t, b.image, l)
}

// tagCase is something under the signature tag, and what comes of it.
type tagCase struct {
	name    string
	prepare func(*bench, *testing.T)
	outcome Outcome
	reason  string
}

func TestSignatureTag(t *testing.T) {
	checkTags(t, []tagCase{
		{"right key", func(b *bench, t *testing.T) {
			b.Tag(t, b.image, b.Layer(t, b.good, sigtest.Claim(b.image.Digest)))
		}, Verified, `signed by "release"`},
		{"right key among others", func(b *bench, t *testing.T) {
			b.Tag(t, b.image, b.Layer(t, b.bad, sigtest.Claim(b.image.Digest)), b.Layer(t, b.good, sigtest.Claim(b.image.Digest)))
		}, Verified, `signed by "release"`},
		{"wrong key", func(b *bench, t *testing.T) {
			b.Tag(t, b.image, b.Layer(t, b.bad, sigtest.Claim(b.image.Digest)), b.Layer(t, b.more, sigtest.Claim(b.image.Digest)))
		}, Rejected, `2 signatures, none by authority "release": made with another key`},
		{"none", func(*bench, *testing.T) {}, Rejected, "no signature found"},
		{"no layers", func(b *bench, t *testing.T) { b.Tag(t, b.image) }, Rejected, "no signature found"},
		{"another digest", func(b *bench, t *testing.T) {
			b.Tag(t, b.image, b.Layer(t, b.good, sigtest.Claim(sigtest.HashOf([]byte("other")))))
		}, Rejected, `1 signature, none by authority "release": made for another digest`},
		{"signature of another layer", func(b *bench, t *testing.T) {
			l := b.Layer(t, b.good, sigtest.Claim(sigtest.HashOf([]byte("other"))))
			b.annotate(t, sigKey, l.Annotations[sigKey])
		}, Rejected, `1 signature, none by authority "release": made with another key`},
		{"another type", func(b *bench, t *testing.T) {
			p := strings.Replace(string(sigtest.Claim(b.image.Digest)), "cosign container", "atomic container", 1)
			b.Tag(t, b.image, b.Layer(t, b.good, []byte(p)))
		}, Rejected, `1 signature, none by authority "release": malformed: payload is of type "atomic container image signature"`},
		{"more that is critical", func(b *bench, t *testing.T) {
			p := strings.Replace(string(sigtest.Claim(b.image.Digest)), `"type"`, `"until":"2020","type"`, 1)
			b.Tag(t, b.image, b.Layer(t, b.good, []byte(p)))
		}, Rejected, `1 signature, none by authority "release": malformed: payload has the unknown field "until"`},
		{"two values", func(b *bench, t *testing.T) {
			b.Tag(t, b.image, b.Layer(t, b.good, append(sigtest.Claim(b.image.Digest), "{}"...)))
		}, Rejected, `1 signature, none by authority "release": malformed: payload is no JSON object: something follows after the JSON value`},
		{"another media type", func(b *bench, t *testing.T) {
			l := b.Layer(t, b.good, sigtest.Claim(b.image.Digest))
			l.MediaType = types.OCILayer
			b.Tag(t, b.image, l)
		}, Rejected, "no signature found"},
	})
}

// Whoever may write to a repository may put this there.
func TestHostileSignatureTag(t *testing.T) {
	checkTags(t, []tagCase{
		{"no base64", func(b *bench, t *testing.T) { b.annotate(t, sigKey, "%%%") },
			Rejected, `1 signature, none by authority "release": malformed: signature is no base64`},
		{"empty signature", func(b *bench, t *testing.T) { b.annotate(t, sigKey, "") },
			Rejected, `1 signature, none by authority "release": malformed: no signature in the annotations`},
		{"huge signature", func(b *bench, t *testing.T) { b.annotate(t, sigKey, strings.Repeat("QUFB", 20000)) },
			Rejected, `1 signature, none by authority "release": malformed: signature of 80000 bytes`},
		// The next three have ended processes that used cosign for all of it.
		{"hostile certificate", func(b *bench, t *testing.T) { b.annotate(t, "dev.sigstore.cosign/certificate", " ") },
			Verified, `signed by "release"`},
		{"hostile chain", func(b *bench, t *testing.T) { b.annotate(t, "dev.sigstore.cosign/chain", "\x00") },
			Verified, `signed by "release"`},
		{"hostile bundle", func(b *bench, t *testing.T) {
			b.annotate(t, "dev.sigstore.cosign/bundle", `{"SignedEntryTimestamp":"AA==","Payload":{"body":{"a":1}}}`)
		}, Verified, `signed by "release"`},
		{"blob too large", func(b *bench, t *testing.T) {
			b.Tag(t, b.image, b.Layer(t, b.good, make([]byte, signature.MaxPayloadSize+1)))
		}, Unknown, "cannot read HOST/shop/cart@sha256:2cb74edba754a81d121c9db6833704a8e7d417e5b13d1a19f4a52f007d644264: size is 1048577 bytes, the limit is 1048576"},
		{"too many layers", func(b *bench, t *testing.T) {
			l := b.Layer(t, b.bad, sigtest.Claim(b.image.Digest))
			var all []v1.Descriptor
			for range maxLayers + 6 {
				all = append(all, l)
			}
			b.Tag(t, b.image, all...)
		}, Unknown, `64 signatures, none by authority "release": made with another key, and 6 more beyond the limit`},
		{"index under the tag", func(b *bench, t *testing.T) {
			b.Put(t, "sha256-"+b.image.Digest.Hex+".sig", types.OCIImageIndex, []byte(`{"schemaVersion":2}`))
		}, Unknown, `cannot read HOST/shop/cart:sha256-DIGEST.sig: it is "application/vnd.oci.image.index.v1+json" and no image manifest`},
	})
}

func checkTags(t *testing.T, tests []tagCase) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.Wire.Image(t, "cart")
			tt.prepare(b, t)
			check(t, b, b.verify(t), tt.outcome, tt.reason)
		})
	}
}

// check compares outcome and reason; HOST and DIGEST stand for those of the bench.
func check(t *testing.T, b *bench, got Result, outcome Outcome, reason string) {
	t.Helper()
	reason = strings.NewReplacer("HOST", b.Host, "DIGEST", b.image.Digest.Hex).Replace(reason)
	if got.Outcome != outcome || got.Reason != reason {
		t.Errorf("got  %s: %s\nwant %s: %s", got.Outcome, got.Reason, outcome, reason)
	}
	if (len(got.Evidence) > 0) != (outcome == Verified) {
		t.Errorf("%s with %d pieces of evidence", got.Outcome, len(got.Evidence))
	}
	if strings.ContainsAny(got.Reason, "\n\r\x1b") {
		t.Errorf("reason is not one line: %q", got.Reason)
	}
}

// TestBundle has everything that can refer to an image.
func TestBundle(t *testing.T) {
	dsse := func(s func(*bench) sigtest.Signer, subject func(*bench) v1.Hash, predicate string) func(*bench, *testing.T) []byte {
		return func(b *bench, t *testing.T) []byte {
			return sigtest.BundleJSON(t, sigtest.DsseBundle(t, s(b), crypto.SHA256, sigtest.Statement(subject(b), predicate)))
		}
	}
	good := func(b *bench) sigtest.Signer { return b.good }
	bad := func(b *bench) sigtest.Signer { return b.bad }
	this := func(b *bench) v1.Hash { return b.image.Digest }
	other := func(*bench) v1.Hash { return sigtest.HashOf([]byte("other")) }
	changed := func(f func(*protobundle.Bundle)) func(*bench, *testing.T) []byte {
		return func(b *bench, t *testing.T) []byte {
			p := sigtest.DsseBundle(t, b.good, crypto.SHA256, sigtest.Statement(b.image.Digest, statement.SignType))
			f(p)
			return sigtest.BundleJSON(t, p)
		}
	}
	const none = `1 signature, none by authority "release": `
	tests := []struct {
		name    string
		bundle  func(*bench, *testing.T) []byte
		outcome Outcome
		reason  string
	}{
		{"right key", dsse(good, this, statement.SignType), Verified, `signed by "release"`},
		{"wrong key", dsse(bad, this, statement.SignType), Rejected, none + "made with another key"},
		{"another digest", dsse(good, other, statement.SignType), Rejected, none + "made for another digest"},
		{"SBOM", dsse(good, this, "https://cyclonedx.org/bom"), Rejected,
			none + `it states "https://cyclonedx.org/bom", which is no signature of an image`},
		{"no predicate type", dsse(good, this, ""), Rejected, none + `malformed: statement: predicateType is missing`},
		{"another statement", func(b *bench, t *testing.T) []byte {
			st := strings.Replace(string(sigtest.Statement(b.image.Digest, statement.SignType)), "Statement/v1", "Statement/v9", 1)
			return sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.good, crypto.SHA256, []byte(st)))
		}, Rejected, none + "statement of an unknown type"},
		{"no statement", func(b *bench, t *testing.T) []byte {
			return sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.good, crypto.SHA256, []byte("[]")))
		}, Rejected, none + "malformed: statement: validation error: invalid attestation: decoding json"},
		{"certificate", changed(func(p *protobundle.Bundle) {
			p.VerificationMaterial.Content = &protobundle.VerificationMaterial_Certificate{
				Certificate: &protocommon.X509Certificate{RawBytes: []byte(" ")}}
		}), Rejected, none + "made with a certificate, not with a key"},
		{"two signatures", changed(func(p *protobundle.Bundle) {
			e := p.GetDsseEnvelope()
			e.Signatures = append(e.Signatures, e.Signatures[0])
		}), Rejected, none + "made with another key"},
		{"unknown version", changed(func(p *protobundle.Bundle) {
			p.MediaType = "application/vnd.dev.sigstore.bundle.v9.0+json"
		}), Rejected, none + "malformed: bundle: validation error: unsupported media type: bundle version v9.0 is not yet supported"},
		{"no bundle", func(*bench, *testing.T) []byte { return []byte("{}") }, Rejected,
			none + "malformed: bundle: error getting bundle version: validation error: unsupported media type:"},
		{"message", func(b *bench, t *testing.T) []byte {
			return sigtest.BundleJSON(t, sigtest.MessageBundle(t, b.good, b.manifest(t)))
		}, Verified, `signed by "release"`},
		{"message of another", func(b *bench, t *testing.T) []byte {
			return sigtest.BundleJSON(t, sigtest.MessageBundle(t, b.good, []byte("other")))
		}, Rejected, none + "made for another digest"},
		{"message by another", func(b *bench, t *testing.T) []byte {
			return sigtest.BundleJSON(t, sigtest.MessageBundle(t, b.bad, b.manifest(t)))
		}, Rejected, none + "made with another key"},
		{"message with a label that is not true", func(b *bench, t *testing.T) []byte {
			p := sigtest.MessageBundle(t, b.good, b.manifest(t))
			p.GetMessageSignature().MessageDigest.Algorithm = protocommon.HashAlgorithm_SHA2_512
			return sigtest.BundleJSON(t, p)
		}, Rejected, none + "malformed: message digest is not SHA-256"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.Wire.Image(t, "cart")
			b.Attach(t, b.image, tt.bundle(b, t))
			check(t, b, b.verify(t), tt.outcome, tt.reason)
		})
	}
}

// Manifest is the image's manifest itself.
func (b *bench) manifest(t *testing.T) []byte {
	t.Helper()
	r := source.Repository{Repository: b.Client().Repository(mustRepo(t, b.Host+"/"+sigtest.Repo))}
	d, err := r.Manifest(t.Context(), b.image.Digest.String())
	sigtest.Must(t, err)
	return d.Body
}

func TestReferrersWithoutAPI(t *testing.T) {
	// A list that clients write does not always note the type.
	for _, artifactType := range []string{"", sigbundle.EmptyConfig, "application/vnd.dev.sigstore.bundle+json;version=0.3"} {
		t.Run(artifactType, func(t *testing.T) {
			b := newBench(t, false)
			b.image = b.Wire.Image(t, "cart")
			d := b.Attach(t, b.image, sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.good, crypto.SHA256, sigtest.Statement(b.image.Digest, statement.SignType))))
			d.ArtifactType = artifactType
			other := b.Wire.Image(t, "not a bundle")
			b.Index(t, b.image, other, d)
			check(t, b, b.verify(t), Verified, `signed by "release"`)
		})
	}
	for _, code := range []int{http.StatusNotFound, http.StatusBadRequest, http.StatusNotAcceptable} {
		b := newBench(t, true)
		b.image = b.Wire.Image(t, "cart")
		b.On("/referrers/", sigtest.Status(code))
		check(t, b, b.verify(t), Rejected, "no signature found")
	}
}

func TestEvidence(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	payload := sigtest.Claim(b.image.Digest)
	layer := b.Layer(t, b.good, payload)
	b.Tag(t, b.image, layer)
	st := sigtest.Statement(b.image.Digest, statement.SignType)
	at := b.Attach(t, b.image, sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.more, crypto.SHA256, st)))
	text := sigtest.PolicyText("release", b.good.Pem)
	text = append(text, strings.Replace(string(sigtest.PolicyText("nobody", b.bad.Pem, "qa", b.more.Pem))[len("apiVersion: kubepromote.dev/v1alpha1\nkind: VerificationPolicy\nspec:\n  unmatched: reject\n  rules:\n"):], "'**/shop/*'", "'**'", 1)...)
	p, err := ParsePolicy("policy.yaml", text, nil)
	sigtest.Must(t, err)
	got := newVerifier(b.Wire, 0).Verify(t.Context(), p, b.Ref(b.image))[0]

	key := func(s sigtest.Signer) string {
		k, err := keys.Parse([]byte(s.Pem))
		sigtest.Must(t, err)
		return k.ID
	}
	base := b.Host + "/" + sigtest.Repo
	tag := base + ":sha256-" + b.image.Digest.Hex + ".sig@"
	if len(got.Evidence) == 2 && strings.HasPrefix(got.Evidence[0].Location, tag+"sha256:") {
		got.Evidence[0].Location = tag
	}
	want := Result{
		Image: b.Ref(b.image), Outcome: Verified, Reason: `signed by "release", "qa"`,
		Evidence: []Evidence{
			{Authority: "release", Kind: KindKey, KeyID: key(b.good), Storage: StorageTag,
				Payload: sigtest.HashOf(payload).String(), Location: tag},
			{Authority: "qa", Kind: KindKey, KeyID: key(b.more), Storage: StorageBundle,
				Payload: sigtest.HashOf(st).String(), PredicateType: statement.SignType, Location: base + "@" + at.Digest.String()},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestKeyTypes(t *testing.T) {
	for _, kind := range []string{"p256", "p384", "rsa", "ed25519"} {
		for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
			if h == crypto.SHA384 && kind != "p384" {
				continue
			}
			t.Run(kind+" "+h.String(), func(t *testing.T) {
				b := newBench(t, true)
				b.good = sigtest.NewSigner(t, kind)
				b.image = b.Wire.Image(t, "cart")
				b.Attach(t, b.image, sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.good, h, sigtest.Statement(b.image.Digest, statement.SignType))))
				check(t, b, b.verify(t), Verified, `signed by "release"`)

				b.image = b.Wire.Image(t, "till")
				b.Tag(t, b.image, b.Layer(t, b.good, sigtest.Claim(b.image.Digest)))
				check(t, b, b.verify(t), Verified, `signed by "release"`)
			})
		}
	}
}

// An Ed25519 signature of the empty message must not pass as one of any digest.
func TestEd25519Message(t *testing.T) {
	b := newBench(t, true)
	b.good = sigtest.NewSigner(t, "ed25519")
	b.image = b.Wire.Image(t, "cart")
	p := sigtest.MessageBundle(t, b.good, b.manifest(t))
	p.GetMessageSignature().Signature = b.good.Sign(t, 0, nil)
	b.Attach(t, b.image, sigtest.BundleJSON(t, p))
	check(t, b, b.verify(t), Rejected,
		`1 signature, none by authority "release": message signature that no Ed25519 key can make`)
}
