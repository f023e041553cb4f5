package verify

import (
	"crypto"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kubepromote/kubepromote/verify/internal/keys"
	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/source"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// hostile is a registry that whoever may write to it has filled, and a policy by
// which a good signature would count.
type hostile struct {
	*bench
	*sigtest.Instance
	policies []*Policy
}

func newHostile(t *testing.T, s *sigtest.Instance) *hostile {
	t.Helper()
	h := &hostile{bench: newBench(t, true), Instance: s}
	h.bench.image = h.Wire.Image(t, "cart")
	root := s.TrustedRoot(t)
	for _, attestations := range []string{"", "      attestations: [{predicateType: slsaprovenance1, cel: 'predicate.a == 1'}]\n"} {
		h.policies = append(h.policies, parse(t, fmt.Sprintf("    - name: release\n      keyless: {issuer: %s, subject: %s}\n%s"+
			"    - name: key\n      key: {data: %q}\n      transparencyLog: required\n%s",
			sigtest.TestIssuer, sigtest.TestSubject, attestations, h.good.Pem, attestations), root))
	}
	return h
}

// expect verifies with every policy. The first has to come to the outcome; none
// may verify, and none may say that there is nothing where something is.
func (h *hostile) expect(t *testing.T, want Outcome) {
	t.Helper()
	for i, p := range h.policies {
		start := time.Now()
		got := New(Options{Client: h.Client(), Timeout: 20 * time.Second}).
			Verify(t.Context(), p, h.Ref(h.bench.image))[0]
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("policy %d took %s", i, took)
		}
		if got.Outcome == Verified || i == 0 && got.Outcome != want {
			t.Errorf("policy %d: got %s: %s", i, got.Outcome, got.Reason)
		}
		if got.Outcome == Rejected && i == 0 && got.Reason == "no signature found" && want != Rejected {
			t.Errorf("policy %d: what is there is not seen", i)
		}
		if strings.ContainsAny(got.Reason, "\n\r\x1b\x00") || len(got.Reason) > 4*untrusted.MaxMessage {
			t.Errorf("policy %d: reason %q", i, got.Reason)
		}
	}
}

// badTexts are no JSON, or JSON of another shape.
func badTexts() []string {
	return []string{" ", "\x00", "null", "[]", `""`, "{", `{"a":`, "true", "1e999", strings.Repeat("[", 100_000),
		strings.Repeat(`{"a":`, 50_000), "\xff\xfe", "<html>", `{"Payload":null}`, `{"Payload":[]}`}
}

func badEntries(t *testing.T, s *sigtest.Instance) map[string]string {
	good := func(change func(*protorekor.TransparencyLogEntry)) string {
		e := s.Entry(t, 0, []byte(`{}`), "hashedrekord", sigtest.Signing{})
		change(e)
		return sigtest.LogText(t, e)
	}
	body := func(b string) string {
		return good(func(e *protorekor.TransparencyLogEntry) { e.CanonicalizedBody = []byte(b) })
	}
	return map[string]string{
		"body number":       `{"SignedEntryTimestamp":"AA==","Payload":{"body":1}}`,
		"body object":       `{"SignedEntryTimestamp":"AA==","Payload":{"body":{"a":1}}}`,
		"body no base64":    `{"SignedEntryTimestamp":"AA==","Payload":{"body":"%%%"}}`,
		"time string":       `{"SignedEntryTimestamp":"AA==","Payload":{"body":"e30=","integratedTime":"x"}}`,
		"body empty":        body(""),
		"body text":         body("hello"),
		"body null":         body("null"),
		"kind unknown":      body(`{"apiVersion":"0.0.1","kind":"zzz","spec":{}}`),
		"kind rpm":          body(`{"apiVersion":"0.0.1","kind":"rpm","spec":{}}`),
		"hashedrekord bare": body(`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{}}`),
		"hashedrekord null": body(`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":null}`),
		"no public key":     body(`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":"00"}},"signature":{"content":"AA=="}}}`),
		"dsse bare":         body(`{"apiVersion":"0.0.1","kind":"dsse","spec":{}}`),
		"dsse no signature": body(`{"apiVersion":"0.0.1","kind":"dsse","spec":{"signatures":[],"payloadHash":{"algorithm":"sha256","value":"` + strings.Repeat("0", 64) + `"}}}`),
		"intoto bare":       body(`{"apiVersion":"0.0.2","kind":"intoto","spec":{}}`),
		"intoto no content": body(`{"apiVersion":"0.0.2","kind":"intoto","spec":{"content":{}}}`),
		"intoto no sigs":    body(`{"apiVersion":"0.0.2","kind":"intoto","spec":{"content":{"envelope":{"payloadType":"x","signatures":[]},"payloadHash":{"algorithm":"sha256","value":"` + strings.Repeat("0", 64) + `"}}}}`),
		"intoto 0.0.1":      body(`{"apiVersion":"0.0.1","kind":"intoto","spec":{"content":{}}}`),
		"version 2":         body(`{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{}}}`),
		"version 2 null":    body(`{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"signature":{"verifier":{}}}}}`),
		"deep body":         body(strings.Repeat("[", 100_000)),
		"negative index":    good(func(e *protorekor.TransparencyLogEntry) { e.LogIndex = -1 }),
		"no time":           good(func(e *protorekor.TransparencyLogEntry) { e.IntegratedTime = 0 }),
		"far time":          good(func(e *protorekor.TransparencyLogEntry) { e.IntegratedTime = 1 << 62 }),
		"no promise":        good(func(e *protorekor.TransparencyLogEntry) { e.InclusionPromise = nil }),
		"empty log":         good(func(e *protorekor.TransparencyLogEntry) { e.LogId.KeyId = nil }),
		"odd log":           strings.Replace(good(func(*protorekor.TransparencyLogEntry) {}), `"logID":"`, `"logID":"z`, 1),
		"huge":              good(func(*protorekor.TransparencyLogEntry) {}) + strings.Repeat(" ", signature.MaxLogText),
	}
}

// Annotations beside a signature that is good but for them.
func TestHostileAnnotations(t *testing.T) {
	s := sigtest.NewInstance(t)
	type badValue struct{ key, name, value string }
	var all []badValue
	for i, text := range badTexts() {
		all = append(all, badValue{signature.LogAnnotation, fmt.Sprintf("text %d", i), text})
	}
	for name, text := range badEntries(t, s) {
		all = append(all, badValue{signature.LogAnnotation, name, text})
	}
	l := s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer)
	block := func(kind, content string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(content)}))
	}
	for name, text := range map[string]string{
		"missing": "", "space": " ", "null": "\x00", "begin": "-----BEGIN CERTIFICATE-----", "cut": string(l.Pem()[:200]),
		"empty block": block("CERTIFICATE", ""), "text block": block("CERTIFICATE", "hello"), "key": block("PUBLIC KEY", "x"),
		"DER": string(l.Cert.Raw), "many": strings.Repeat(string(l.Pem()), keys.MaxCertificates+1), "huge": strings.Repeat("A", keys.MaxChainSize+1),
		"authority": block("CERTIFICATE", string(s.Middle.Raw)), "bytes behind": string(l.Pem()) + "x",
	} {
		all = append(all, badValue{signature.CertificateAnnotation, name, text})
	}
	for _, v := range all {
		t.Run(v.key+" "+v.name, func(t *testing.T) {
			h := newHostile(t, s)
			text := sigtest.Claim(h.bench.image.Digest)
			sig := l.Sign(t, text)
			d := h.Blob(t, signature.SimpleSigning, text)
			d.Annotations = s.Annotations(t, l, sigtest.Signing{}, text, sig, false)
			d.Annotations[signature.SignatureAnnotation] = base64.StdEncoding.EncodeToString(sig)
			d.Annotations[v.key] = v.value
			h.Tag(t, h.bench.image, d)
			h.expect(t, Rejected)
		})
	}
}

// Timestamps are read where they are demanded, and chains where an own authority
// is.
func TestHostileTimestampsAndChains(t *testing.T) {
	s := sigtest.NewInstance(t)
	s.WithoutCT = true
	l := s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer)
	stamped := keyless(t, s, "      timestamp: required\n")
	own := parse(t, fmt.Sprintf("    - name: release\n      certificate: {chain: {data: %q}, subject: %s}\n",
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Root.Raw})), sigtest.TestSubject), s.TrustedRoot(t))
	bad := append(badTexts(), `{"SignedRFC3161Timestamp":""}`, `{"SignedRFC3161Timestamp":"AA=="}`, `{"SignedRFC3161Timestamp":"MIIB"}`,
		`{"SignedRFC3161Timestamp":1}`, `{"SignedRFC3161Timestamp":"`+strings.Repeat("MIAw", 10000)+`"}`)
	for i, text := range bad {
		for key, p := range map[string]*Policy{signature.TimestampAnnotation: stamped, signature.ChainAnnotation: own} {
			b := newBench(t, true)
			b.image = b.Wire.Image(t, "cart")
			payload := sigtest.Claim(b.image.Digest)
			sig := l.Sign(t, payload)
			d := b.Blob(t, signature.SimpleSigning, payload)
			d.Annotations = s.Annotations(t, l, sigtest.Signing{Stamp: true}, payload, sig, false)
			d.Annotations[signature.SignatureAnnotation] = base64.StdEncoding.EncodeToString(sig)
			d.Annotations[key] = text
			b.Tag(t, b.image, d)
			if got := b.with(t, p); got.Outcome != Rejected {
				t.Errorf("%s %d: got %s: %s", key, i, got.Outcome, got.Reason)
			}
		}
	}
}

// Bundles that are good but for one part.
func TestHostileBundles(t *testing.T) {
	s := sigtest.NewInstance(t)
	l := s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer)
	entry := func(f func(*protorekor.TransparencyLogEntry)) func(*protobundle.Bundle) {
		return func(b *protobundle.Bundle) { f(b.VerificationMaterial.TlogEntries[0]) }
	}
	payload := func(p string) func(*protobundle.Bundle) {
		return func(b *protobundle.Bundle) {
			*b = *s.Attested(t, l, []byte(p), sigtest.Signing{}) //nolint:govet // a fresh message, nobody holds the lock
		}
	}
	for name, change := range map[string]func(*protobundle.Bundle){
		"no material":    func(b *protobundle.Bundle) { b.VerificationMaterial = nil },
		"empty material": func(b *protobundle.Bundle) { b.VerificationMaterial = &protobundle.VerificationMaterial{} },
		"no content":     func(b *protobundle.Bundle) { b.Content = nil },
		"no envelope":    func(b *protobundle.Bundle) { b.Content = &protobundle.Bundle_DsseEnvelope{} },
		"empty envelope": func(b *protobundle.Bundle) {
			b.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{}}
		},
		"empty message": func(b *protobundle.Bundle) {
			b.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{}}
		},
		"no signature": func(b *protobundle.Bundle) { b.GetDsseEnvelope().Signatures = nil },
		"two signatures": func(b *protobundle.Bundle) {
			e := b.GetDsseEnvelope()
			e.Signatures = append(e.Signatures, e.Signatures[0])
		},
		"empty signature":    func(b *protobundle.Bundle) { b.GetDsseEnvelope().Signatures[0].Sig = nil },
		"other payload type": func(b *protobundle.Bundle) { b.GetDsseEnvelope().PayloadType = "text/plain" },
		"empty certificate":  func(b *protobundle.Bundle) { b.VerificationMaterial.GetCertificate().RawBytes = []byte{} },
		"broken certificate": func(b *protobundle.Bundle) { b.VerificationMaterial.GetCertificate().RawBytes = l.Cert.Raw[:100] },
		"empty chain": func(b *protobundle.Bundle) {
			b.MediaType = sigbundle.TypePrefix + "+json;version=0.2"
			b.VerificationMaterial.Content = &protobundle.VerificationMaterial_X509CertificateChain{X509CertificateChain: &protocommon.X509CertificateChain{}}
		},
		"version 0.9":           func(b *protobundle.Bundle) { b.MediaType = "application/vnd.dev.sigstore.bundle.v0.9+json" },
		"no version":            func(b *protobundle.Bundle) { b.MediaType = "" },
		"entry without body":    entry(func(e *protorekor.TransparencyLogEntry) { e.CanonicalizedBody = nil }),
		"entry with other body": entry(func(e *protorekor.TransparencyLogEntry) { e.CanonicalizedBody = []byte(`{"kind":"dsse"}`) }),
		"entry without kind":    entry(func(e *protorekor.TransparencyLogEntry) { e.KindVersion = nil }),
		"entry without log":     entry(func(e *protorekor.TransparencyLogEntry) { e.LogId = nil }),
		"entry, long log":       entry(func(e *protorekor.TransparencyLogEntry) { e.LogId.KeyId = make([]byte, 1<<16) }),
		"negative index":        entry(func(e *protorekor.TransparencyLogEntry) { e.LogIndex = -5 }),
		"broken promise": entry(func(e *protorekor.TransparencyLogEntry) {
			e.InclusionPromise.SignedEntryTimestamp = []byte("x")
			e.InclusionProof = nil
		}),
		"no checkpoint":     entry(func(e *protorekor.TransparencyLogEntry) { e.InclusionProof.Checkpoint = nil }),
		"empty checkpoint":  entry(func(e *protorekor.TransparencyLogEntry) { e.InclusionProof.Checkpoint.Envelope = "" }),
		"broken checkpoint": entry(func(e *protorekor.TransparencyLogEntry) { e.InclusionProof.Checkpoint.Envelope = "a - 1\nb\nc\nd\n" }),
		"long checkpoint": entry(func(e *protorekor.TransparencyLogEntry) {
			e.InclusionProof.Checkpoint.Envelope = strings.Repeat("\n", 1<<20)
		}),
		"negative tree":    entry(func(e *protorekor.TransparencyLogEntry) { e.InclusionProof.TreeSize = -1 }),
		"huge tree":        entry(func(e *protorekor.TransparencyLogEntry) { e.InclusionProof.TreeSize = 1 << 62 }),
		"proof of another": entry(func(e *protorekor.TransparencyLogEntry) { e.InclusionProof.RootHash = make([]byte, 32) }),
		"many hashes":      entry(func(e *protorekor.TransparencyLogEntry) { e.InclusionProof.Hashes = make([][]byte, 100_000) }),
		"33 entries": func(b *protobundle.Bundle) {
			for range 32 {
				b.VerificationMaterial.TlogEntries = append(b.VerificationMaterial.TlogEntries, b.VerificationMaterial.TlogEntries[0])
			}
		},
		"33 timestamps": func(b *protobundle.Bundle) {
			b.VerificationMaterial.TimestampVerificationData = &protobundle.TimestampVerificationData{
				Rfc3161Timestamps: make([]*protocommon.RFC3161SignedTimestamp, 33)}
			for i := range 33 {
				b.VerificationMaterial.TimestampVerificationData.Rfc3161Timestamps[i] = &protocommon.RFC3161SignedTimestamp{SignedTimestamp: []byte("x")}
			}
		},
		"payload text":          payload("hello"),
		"payload list":          payload("[]"),
		"payload null":          payload("null"),
		"payload deep":          payload(strings.Repeat("[", 100_000)),
		"no subject":            payload(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"` + statement.SignType + `","subject":[]}`),
		"subject without any":   payload(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"` + statement.SignType + `","subject":[{}]}`),
		"subject null":          payload(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"` + statement.SignType + `","subject":[null]}`),
		"doubled type":          payload(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"a","predicateType":"` + statement.SignType + `","subject":[]}`),
		"thousands of subjects": payload(`{"_type":"https://in-toto.io/Statement/v1","predicateType":"` + statement.SignType + `","subject":[` + strings.Repeat(`{"digest":{"sha256":"00"}},`, 5000) + `{}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t, s)
			b := s.Attested(t, l, sigtest.Statement(h.bench.image.Digest, statement.SignType), sigtest.Signing{})
			change(b)
			data, err := protojson.Marshal(b)
			sigtest.Must(t, err)
			h.Attach(t, h.bench.image, data)
			h.expect(t, Rejected)
		})
	}
	for i, text := range badTexts() {
		h := newHostile(t, s)
		h.Attach(t, h.bench.image, []byte(text))
		t.Run(fmt.Sprint("text ", i), func(t *testing.T) { h.expect(t, Rejected) })
	}
}

// Manifests and lists that are not what they should be leave open what is there.
func TestHostileManifests(t *testing.T) {
	s := sigtest.NewInstance(t)
	answer := func(mediaType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			fmt.Fprint(w, body)
		}
	}
	const image, index = string(types.OCIManifestSchema1), string(types.OCIImageIndex)
	zero := "sha256:" + strings.Repeat("0", 64)
	layer := func(fields string) string {
		return `{"schemaVersion":2,"config":{},"layers":[{"mediaType":"` + string(signature.SimpleSigning) + `",` + fields + `}]}`
	}
	const sig = `"annotations":{"` + signature.SignatureAnnotation + `":"AAAA"}`
	list := func(fields string) string { return `{"schemaVersion":2,"manifests":[{` + fields + `}]}` }
	bundleAt := `"artifactType":"` + sigtest.BundleV03 + `"`
	for name, tt := range map[string]struct {
		part   string
		answer http.HandlerFunc
		want   Outcome
	}{
		"tag: text":                {".sig", answer(image, "hello"), Unknown},
		"tag: empty":               {".sig", answer(image, ""), Unknown},
		"tag: list":                {".sig", answer(image, "[]"), Unknown},
		"tag: deep":                {".sig", answer(image, strings.Repeat("[", 1<<20)), Unknown},
		"tag: page":                {".sig", answer("text/html", "<html>"), Unknown},
		"tag: no type":             {".sig", answer("", "{}"), Unknown},
		"tag: index":               {".sig", answer(index, "{}"), Unknown},
		"tag: old manifest":        {".sig", answer("application/vnd.docker.distribution.manifest.v1+json", "{}"), Unknown},
		"tag: layers number":       {".sig", answer(image, `{"layers":1}`), Unknown},
		"tag: digest number":       {".sig", answer(image, layer(`"digest":1,"size":1,`+sig)), Unknown},
		"tag: digest text":         {".sig", answer(image, layer(`"digest":"hello","size":1,`+sig)), Unknown},
		"tag: digest path":         {".sig", answer(image, layer(`"digest":"sha256:../../../etc/passwd","size":1,`+sig)), Unknown},
		"tag: digest of nothing":   {".sig", answer(image, layer(`"digest":"`+zero+`","size":1,`+sig)), Unknown},
		"tag: negative size":       {".sig", answer(image, layer(`"digest":"`+zero+`","size":-1,`+sig)), Unknown},
		"tag: huge size":           {".sig", answer(image, layer(`"digest":"`+zero+`","size":9223372036854775807,`+sig)), Unknown},
		"tag: size text":           {".sig", answer(image, layer(`"digest":"`+zero+`","size":"x",`+sig)), Unknown},
		"tag: annotations list":    {".sig", answer(image, layer(`"digest":"`+zero+`","size":1,"annotations":[]`)), Unknown},
		"tag: no annotation":       {".sig", answer(image, layer(`"digest":"`+zero+`","size":1`)), Rejected},
		"tag: sha512 layer":        {".sig", answer(image, layer(`"digest":"sha512:`+strings.Repeat("0", 128)+`","size":1,`+sig)), Unknown},
		"referrers: text":          {"/referrers/", answer(index, "hello"), Unknown},
		"referrers: empty":         {"/referrers/", answer(index, ""), Unknown},
		"referrers: list":          {"/referrers/", answer(index, "[]"), Unknown},
		"referrers: number":        {"/referrers/", answer(index, `{"manifests":1}`), Unknown},
		"referrers: deep":          {"/referrers/", answer(index, strings.Repeat("[", 1<<20)), Unknown},
		"referrers: huge":          {"/referrers/", answer(index, strings.Repeat(" ", source.MaxManifestSize+1)), Unknown},
		"referrers: 401":           {"/referrers/", sigtest.Status(401), Unknown},
		"referrers: 418":           {"/referrers/", sigtest.Status(418), Unknown},
		"referrers: digest number": {"/referrers/", answer(index, list(`"digest":1,`+bundleAt)), Unknown},
		"referrers: digest text":   {"/referrers/", answer(index, list(`"digest":"x",`+bundleAt)), Unknown},
		"referrers: digest path":   {"/referrers/", answer(index, list(`"digest":"sha256:../../x",`+bundleAt)), Unknown},
		"referrers: no digest":     {"/referrers/", answer(index, list(bundleAt)), Unknown},
		"referrers: of nothing":    {"/referrers/", answer(index, list(`"digest":"`+zero+`","mediaType":"`+image+`",`+bundleAt)), Unknown},
		"referrers: untyped":       {"/referrers/", answer(index, list(`"digest":"`+zero+`"`)), Unknown},
		"referrers: sig artifact":  {"/referrers/", answer(index, list(`"digest":"`+zero+`","artifactType":"`+signatureArtifact+`"`)), Unknown},
		"referrers: next elsewhere": {"/referrers/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `<http://169.254.169.254/latest?x=1>; rel="next"`)
			answer(index, `{"manifests":[]}`)(w, r)
		}, Unknown},
		"image: 500":       {"/manifests/sha256:", sigtest.Status(500), Unknown},
		"image: 403":       {"/manifests/sha256:", sigtest.Status(403), Unknown},
		"everything: page": {"/manifests/", answer("text/html", "<html>"), Unknown},
		"everything: 429":  {"/manifests/", sigtest.Status(429), Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHostile(t, s)
			h.On(tt.part, tt.answer)
			h.expect(t, tt.want)
		})
	}
}

// Many signatures are bounded in number, whoever has put them there.
func TestHostileNumbers(t *testing.T) {
	s := sigtest.NewInstance(t)
	h := newHostile(t, s)
	l := h.Layer(t, h.bad, sigtest.Claim(h.bench.image.Digest))
	var layers []v1.Descriptor
	for range 3000 {
		layers = append(layers, l)
	}
	h.Tag(t, h.bench.image, layers...)
	h.expect(t, Unknown)
	data := sigtest.BundleJSON(t, sigtest.DsseBundle(t, h.bad, crypto.SHA256, sigtest.Statement(h.bench.image.Digest, statement.SignType)))
	d := h.Attach(t, h.bench.image, data)
	d.ArtifactType = sigtest.BundleV03
	var many []v1.Descriptor
	for range 5000 {
		many = append(many, d)
	}
	h = newHostile(t, s)
	h.On("/referrers/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		_, _ = w.Write(sigtest.Marshal(t, v1.IndexManifest{Manifests: many}))
	})
	before := h.Requests.Load()
	h.expect(t, Unknown)
	if n := h.Requests.Load() - before; n > 300 {
		t.Errorf("%d requests", n)
	}
}
