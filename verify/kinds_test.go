package verify

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/verify/attest"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

// With a reusable workflow the subject is the same for every caller: which
// repository was built stands in the claims alone, and no policy could demand it.
func TestClaims(t *testing.T) {
	der, err := asn1.Marshal("https://github.com/acme/cart")
	sigtest.Must(t, err)
	for _, tt := range []struct {
		extra   string
		outcome Outcome
		reason  string
	}{
		{"githubWorkflowRepository: acme/cart", Verified, `signed by "release"`},
		{"githubWorkflowRepositoryRegexp: acme/.*, sourceRepositoryURI: https://github.com/acme/cart", Verified, `signed by "release"`},
		{"githubWorkflowRepository: acme/other", Rejected, `the githubWorkflowRepository in its certificate is "acme/cart", not "acme/other"`},
		{"githubWorkflowRepositoryRegexp: acme", Rejected, `the githubWorkflowRepository in its certificate is "acme/cart"`},
		{"githubWorkflowRepository: acme/cart, githubWorkflowRef: refs/heads/main", Rejected, `its certificate has no githubWorkflowRef, not "refs/heads/main"`},
		{"sourceRepositoryURI: https://github.com/acme/Cart", Rejected, `the sourceRepositoryURI in its certificate is "https://github.com/acme/cart", not "https://github.com/acme/Cart"`},
		{"buildTriggerRegexp: '.*'", Rejected, "its certificate has no buildTrigger"},
	} {
		s := sigtest.NewInstance(t)
		s.Extensions = []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 5}, Value: []byte("acme/cart")},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 12}, Value: der},
		}
		b := newBench(t, true)
		b.image = b.Wire.Image(t, "cart")
		b.signedTag(t, s, s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer), sigtest.Signing{}, sigtest.Claim(b.image.Digest))
		p := parse(t, fmt.Sprintf("    - name: release\n      keyless: {issuer: %s, subject: %s, %s}\n", sigtest.TestIssuer, sigtest.TestSubject, tt.extra), s.TrustedRoot(t))
		if got := b.with(t, p); got.Outcome != tt.outcome || !strings.HasSuffix(got.Reason, tt.reason) {
			t.Errorf("%s: %s: %s", tt.extra, got.Outcome, got.Reason)
		}
	}
}

// Signatures of COSIGN_REPOSITORY are in another repository, and where they were
// looked for is said.
func TestSource(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.Tag(t, b.image, b.Layer(t, b.good, sigtest.Claim(b.image.Digest)))
	line := strings.TrimSuffix(sigtest.KeyLine("release", b.good), "}\n")
	here := b.Host + "/" + sigtest.Repo
	for source, want := range map[string]string{
		"{oci: " + here + "}":                 `verified: signed by "release"`,
		"{oci: " + here + "}, {tagPrefix: x}": `verified: signed by "release"`,
		"{tagPrefix: x}":                      "rejected: no signature found in tags that begin with x",
		"{oci: " + b.Host + "/else/where}":    "rejected: no signature found in " + b.Host + "/else/where",
	} {
		p := rulePolicy(t, "", line+", source: ["+source+"]}\n")
		if got := b.with(t, p); string(got.Outcome)+": "+got.Reason != want {
			t.Errorf("%s: %s: %s, want %s", source, got.Outcome, got.Reason, want)
		}
		cluster := strings.TrimSuffix(sigtest.ClusterKeyLine(b.good), "\n")
		if got := b.with(t, parseCluster(t, sigtest.Cluster(cluster+"\n    source: ["+source+"]\n"))); string(got.Outcome) != strings.SplitN(want, ":", 2)[0] {
			t.Errorf("%s in a ClusterImagePolicy: %s: %s", source, got.Outcome, got.Reason)
		}
	}
}

// What is said where an approval is missing: nobody has given one, whatever else is
// beside the image; and one that has expired is nearer than one for elsewhere.
func TestWordsOfApprovals(t *testing.T) {
	now := time.Now()
	approval := func(b *bench, environment string, expires time.Time) []byte {
		s, err := attest.NewApproval(attest.Approval{Image: b.Ref(b.image), Environment: environment, Time: now.Add(-2 * time.Hour), Expires: expires})
		sigtest.Must(t, err)
		return s.Payload()
	}
	for name, tt := range map[string]struct {
		payloads func(b *bench) [][]byte
		want     string
	}{
		"signed alone": {func(*bench) [][]byte { return nil }, `nobody has approved it for "production"`},
		// A provenance or a summary of a promotion is no approval.
		"attested": {func(b *bench) [][]byte {
			return [][]byte{b.summary(t, "staging", true, "pass"), stated(b.image.Digest, "https://spdx.dev/Document", "{}")}
		}, `nobody has approved it for "production"`},
		"expired": {func(b *bench) [][]byte {
			return [][]byte{approval(b, "staging", time.Time{}), approval(b, "production", now.Add(-time.Hour)), approval(b, "dev", time.Time{})}
		}, `3 attestations, none by authority "builder": it has expired, ` + now.Add(-time.Hour).UTC().Format(time.RFC3339)},
	} {
		b := newBench(t, true)
		b.image = b.Wire.Image(t, "cart")
		b.signBy(t, b.good)
		b.Tag(t, b.image, b.Layer(t, b.good, sigtest.Claim(b.image.Digest)))
		if p := tt.payloads(b); p != nil {
			b.attestTag(t, p...)
		}
		p := rulePolicy(t, "", demanding(b, `{predicateType: approval}`)).For("production")
		if got := b.with(t, p); got.Outcome != Rejected || got.Reason != tt.want {
			t.Errorf("%s: %s: %s", name, got.Outcome, got.Reason)
		}
	}
}

// SBOMs often stand beside the images of the platforms: the reason says that the
// index alone was asked, also where the index is signed.
func TestAttestationsAtThePlatforms(t *testing.T) {
	b := newBench(t, true)
	index, platforms := b.multi(t)
	for _, b.image = range platforms {
		b.attestTag(t, stated(b.image.Digest, "https://spdx.dev/Document", "{}"))
	}
	b.image = index
	b.signBy(t, b.good)
	demand := demanding(b, `{predicateType: spdxjson}`)
	check(t, b, b.with(t, rulePolicy(t, "", demand)), Rejected,
		"no attestation found beside the index; manifest: platforms in the rule asks its images")
	check(t, b, b.with(t, rulePolicy(t, "    manifest: platforms\n", demand)), Verified, `signed by "builder"`)
	b.image = platforms[0]
	b.image.Digest = b.Wire.Image(t, "alone").Digest
	check(t, b, b.with(t, rulePolicy(t, "", demand)), Rejected, "no attestation found")
}

// The decoder of the standard library takes "Critical" for "critical" and the last of
// two: another reader sees another digest.
func TestExactKeys(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	claim := string(sigtest.Claim(b.image.Digest))
	statementOf := string(stated(b.image.Digest, "https://spdx.dev/Document", `{"a": 1}`))
	for name, text := range map[string]string{
		"critical":  strings.Replace(claim, `"critical"`, `"Critical"`, 1),
		"digest":    strings.Replace(claim, `"docker-manifest-digest"`, `"Docker-Manifest-Digest"`, 1),
		"long s":    strings.Replace(claim, `"docker-manifest-digest"`, `"docker-manifeſt-digest"`, 1),
		"twice":     strings.Replace(claim, `"critical"`, `"critical":{"type":"cosign container image signature"},"critical"`, 1),
		"type":      strings.Replace(claim, `"type"`, `"TYPE"`, 1),
		"reference": strings.Replace(claim, `"docker-reference"`, `"Docker-reference"`, 1),
	} {
		if text == claim {
			t.Fatalf("%s: nothing changed in %s", name, claim)
		}
		b.Tag(t, b.image, b.Layer(t, b.good, []byte(text)))
		if got := b.verify(t); got.Outcome != Rejected || !strings.Contains(got.Reason, "malformed: payload") {
			t.Errorf("%s: %s: %s", name, got.Outcome, got.Reason)
		}
	}
	p := rulePolicy(t, "", demanding(b, `{predicateType: spdxjson}`))
	for name, text := range map[string]string{
		"other name":    strings.Replace(statementOf, `"predicateType"`, `"predicate_type"`, 1),
		"another case":  strings.Replace(statementOf, `"predicateType"`, `"PredicateType":"x:y","predicateType"`, 1),
		"subject":       strings.Replace(statementOf, `"subject"`, `"Subject"`, 1),
		"twice in it":   strings.Replace(statementOf, `"a"`, `"a":2,"a"`, 1),
		"subject twice": strings.Replace(statementOf, `"subject"`, `"subject":[],"subject"`, 1),
	} {
		if text == statementOf {
			t.Fatalf("%s: nothing changed in %s", name, statementOf)
		}
		b.attestTag(t, []byte(text))
		if got := b.with(t, p); got.Outcome != Rejected || !strings.Contains(got.Reason, "malformed") {
			t.Errorf("%s: %s: %s", name, got.Outcome, got.Reason)
		}
	}
}

// A trusted root whose authority has ended judges what was signed before, and says
// that it has ended. It was an error.
func TestEndedTrustedRoot(t *testing.T) {
	s := sigtest.NewInstance(t)
	s.End = time.Now().Add(-30 * time.Second)
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.signedTag(t, s, s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer), sigtest.Signing{}, sigtest.Claim(b.image.Digest)) // a minute ago
	p := keyless(t, s, "")
	check(t, b, b.with(t, p), Verified, `signed by "release"`)
	if w := p.Warnings(); len(w) != 1 || !strings.Contains(w[0].Msg, "trusted root ended on") {
		t.Errorf("%v", w)
	}
	b.image = b.Wire.Image(t, "later")
	b.signedTag(t, s, s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer), sigtest.Signing{At: time.Now()}, sigtest.Claim(b.image.Digest))
	if got := b.with(t, p); got.Outcome != Rejected {
		t.Errorf("%s: %s", got.Outcome, got.Reason)
	}
}

// What cosign and gh write besides bundles is named, and judges nothing.
func TestBundleForms(t *testing.T) {
	key := sigtest.NewSigner(t, "p256").Pem
	for text, want := range map[string]string{
		`{"base64Signature":"MEUCIQ==","cert":"","rekorBundle":null}`: "bundle is in the form that cosign 2 writes without --new-bundle-format",
		"{\"mediaType\":\"x\"}\n{\"mediaType\":\"x\"}\n":              "bundle is a file of several, one a line, and one is judged at a time",
		`[{"mediaType":"x"}]`: "bundle is a list of several, and one is judged at a time",
		`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[]}`: "bundle is a bare DSSE envelope, as cosign writes it with --output-attestation",
		`{"bundle":{"mediaType":"x"},"repository_id":1}`:                                  `bundle stands in the field "bundle" of what GitHub answers`,
		strings.Repeat("QUJD", 24) + "\n":                                                 "bundle is a bare signature, as cosign writes it with --output-signature",
	} {
		r, err := VerifyBundle(t.Context(), BundleRequest{Bundle: []byte(text), Key: []byte(key), Digest: "sha256:" + sigtest.SomeHex})
		if bad, ok := errors.AsType[*FormError](err); !ok || bad.Msg != want || bad.Hint == "" || r.Outcome != "" {
			t.Errorf("%s: %v %v", text, r, err)
		}
	}
	for _, text := range []string{"", "{", "nothing", "{}", `{"mediaType":"x"}`} {
		r, err := VerifyBundle(t.Context(), BundleRequest{Bundle: []byte(text), Key: []byte(key), Digest: "sha256:" + sigtest.SomeHex})
		if err != nil || r.Outcome != Rejected {
			t.Errorf("%q: %v %v", text, r, err)
		}
	}
}

// A registry may be an IPv6 address, however it is spelt.
func TestIPv6Registry(t *testing.T) {
	key := sigtest.KeyLine("a", sigtest.NewSigner(t, "p256"))
	parsed := func(pattern string) (*Policy, error) {
		text := strings.Replace(sigtest.RuleText("", key), "'**/shop/*'", "'"+pattern+"'", 1)
		return ParsePolicy("p.yaml", []byte(strings.Replace(text, "  trustedRoot: {file: root.json}\n", "", 1)), nil)
	}
	for pattern, want := range map[string]Outcome{
		"[fd00::5]:5000/shop/*": Unknown, "[FD00:0::5]:05000/shop/*": Unknown, "[fd00::5]:5001/shop/*": Rejected, "[fd00::6]:5000/shop/*": Rejected,
	} {
		p, err := parsed(pattern)
		if err != nil {
			t.Fatal(sigtest.WithHints(err))
		}
		got := newVerifier(sigtest.NewWire(t, true), time.Nanosecond).Verify(t.Context(), p, "[fd00::5]:5000/shop/cart@sha256:"+sigtest.SomeHex)[0]
		if got.Outcome != want {
			t.Errorf("%s: %s: %s", pattern, got.Outcome, got.Reason)
		}
	}
	for _, pattern := range []string{"a.io/shop/../shop/**", "a.io/./x", "a.io/.x/*", "../shop/**", "a..io/x", "[fd00::5", "[fd00::5]5/x", "[x]/y", "[1.2.3.4]/y"} {
		if _, err := parsed(pattern); err == nil || !strings.Contains(err.Error(), "pattern \""+pattern) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}
