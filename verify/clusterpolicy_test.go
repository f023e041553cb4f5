package verify

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

func parseCluster(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := ParsePolicy("cip.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(sigtest.WithHints(err))
	}
	return p
}

func TestClusterImagePolicy(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.Tag(t, b.image, b.Layer(t, b.good, sigtest.Claim(b.image.Digest)))
	tests := []struct {
		name    string
		text    string
		outcome Outcome
		reason  string
		warned  bool
	}{
		{"key", sigtest.Cluster(sigtest.ClusterKeyLine(b.good)), Verified, `signed by "authority-0"`, false},
		{"any of two", sigtest.Cluster(sigtest.ClusterKeyLine(b.bad) + sigtest.ClusterKeyLine(b.good)), Verified, `signed by "authority-1"`, false},
		{"another key", sigtest.Cluster(sigtest.ClusterKeyLine(b.bad)), Rejected, `1 signature, none by authority "authority-0": made with another key`, false},
		{"all policies", sigtest.Cluster(sigtest.ClusterKeyLine(b.good)) + "---\n" + sigtest.Cluster(sigtest.ClusterKeyLine(b.bad)), Rejected,
			`1 signature, none by authority "authority-0": made with another key`, false},
		{"older version", strings.Replace(sigtest.Cluster(sigtest.ClusterKeyLine(b.good)), "v1beta1", "v1alpha1", 1), Verified, `signed by "authority-0"`, false},
		{"warn", sigtest.Cluster(sigtest.ClusterKeyLine(b.bad)) + "  mode: warn\n", Rejected, `1 signature, none by authority "authority-0": made with another key`, true},
		{"static pass", sigtest.Cluster("  - static: {action: pass}\n"), Verified, `signed by "authority-0"`, false},
		{"static fail", sigtest.Cluster("  - static: {action: fail, message: not this one}\n"), Rejected, "the policy says that it fails: not this one", false},
		{"other images", strings.Replace(sigtest.Cluster(sigtest.ClusterKeyLine(b.good)), "**/shop/*", "a.io/**", 1), Rejected, "no rule of the policy matches", false},
		{"any tag", strings.Replace(sigtest.Cluster(sigtest.ClusterKeyLine(b.good)), "**/shop/*", "**/shop/cart:**", 1), Verified, `signed by "authority-0"`, false},
		{"status", sigtest.Cluster(sigtest.ClusterKeyLine(b.good)) + "status: {conditions: [{type: Ready}]}\n", Verified, `signed by "authority-0"`, false},
	}
	for _, tt := range tests {
		got := b.with(t, parseCluster(t, tt.text))
		if got.Outcome != tt.outcome || !strings.HasSuffix(got.Reason, tt.reason) || got.Warned != tt.warned {
			t.Errorf("%s: got %s: %s", tt.name, got.Outcome, got.Reason)
		}
	}
	if p := parseCluster(t, sigtest.Cluster(sigtest.ClusterKeyLine(b.good))); p.Name() != "images" {
		t.Errorf("name %q", p.Name())
	}
}

// A keyless authority without own roots means the public instance; with a
// timestamp the log is not asked.
func TestClusterKeyless(t *testing.T) {
	s := sigtest.NewInstance(t)
	identity := "    keyless: {trustRootRef: mine, identities: [{issuer: " + sigtest.TestIssuer + ", subjectRegExp: '^.*@example\\.com$'}]}\n"
	public := strings.Replace(identity, "trustRootRef: mine", "url: https://fulcio.sigstore.dev", 1)
	tests := []struct {
		name      string
		authority string
		sign      sigtest.Signing
		want      Outcome
		reason    string
	}{
		{"own root", "  - name: a\n" + identity + "    ctlog: {trustRootRef: mine}\n", sigtest.Signing{}, Verified, ""},
		{"own root, no log", "  - name: a\n" + identity + "    ctlog: {trustRootRef: mine}\n", sigtest.Signing{NoLog: true}, Rejected, "it has no log entry"},
		{"timestamp", "  - name: a\n" + identity + "    rfc3161timestamp: {trustRootRef: mine}\n", sigtest.Signing{Stamp: true, NoLog: true}, Verified, ""},
		{"no timestamp", "  - name: a\n" + identity + "    rfc3161timestamp: {trustRootRef: mine}\n", sigtest.Signing{}, Rejected, "it has no timestamp"},
		{"public", "  - name: a\n" + public, sigtest.Signing{}, Rejected, "its log entry is of a log that is not trusted"},
		{"public log", "  - name: a\n" + public + "    ctlog: {url: https://rekor.sigstore.dev}\n", sigtest.Signing{}, Rejected, "its log entry is of a log that is not trusted"},
	}
	for _, tt := range tests {
		b := newBench(t, true)
		b.image = b.Wire.Image(t, "cart")
		b.signedTag(t, s, s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer), tt.sign, sigtest.Claim(b.image.Digest))
		got := b.with(t, parseCluster(t, sigtest.Cluster(tt.authority)+s.TrustRoot(t, "mine")))
		if got.Outcome != tt.want || !strings.HasSuffix(got.Reason, tt.reason) {
			t.Errorf("%s: got %s: %s", tt.name, got.Outcome, got.Reason)
		}
	}
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	s.StrangerCT = true
	b.signedTag(t, s, s.Issue(t, sigtest.TestSubject, sigtest.TestIssuer), sigtest.Signing{At: time.Now().Add(-time.Minute)}, sigtest.Claim(b.image.Digest))
	strict := sigtest.Cluster("  - name: a\n"+identity) + s.TrustRoot(t, "mine")
	if got := b.with(t, parseCluster(t, strict)); got.Outcome != Rejected || !strings.HasSuffix(got.Reason, "its certificate is in no trusted certificate log") {
		t.Errorf("got %s: %s", got.Outcome, got.Reason)
	}
	lax := strings.Replace(strict, "trustRootRef: mine,", "trustRootRef: mine, insecureIgnoreSCT: true,", 1)
	if got := b.with(t, parseCluster(t, lax)); got.Outcome != Verified {
		t.Errorf("got %s: %s", got.Outcome, got.Reason)
	}
}

func TestClusterSource(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	l := b.Layer(t, b.good, sigtest.Claim(b.image.Digest))
	b.Put(t, "ci-sha256-"+b.image.Digest.Hex+".sig", types.OCIManifestSchema1, sigtest.Marshal(t, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: b.Blob(t, types.OCIConfigJSON, []byte("{}")), Layers: []v1.Descriptor{l}}))
	from := fmt.Sprintf("    source: [{oci: %s/%s, tagPrefix: ci-}]\n", b.Host, sigtest.Repo)
	if got := b.with(t, parseCluster(t, sigtest.Cluster(sigtest.ClusterKeyLine(b.good)+from))); got.Outcome != Verified {
		t.Errorf("got %s: %s", got.Outcome, got.Reason)
	}
	if got := b.with(t, parseCluster(t, sigtest.Cluster(sigtest.ClusterKeyLine(b.good)))); got.Outcome != Rejected || got.Reason != "no signature found" {
		t.Errorf("got %s: %s", got.Outcome, got.Reason)
	}
	elsewhere := "    source: [{oci: 'localhost:1/x'}]\n"
	if got := b.with(t, parseCluster(t, sigtest.Cluster(sigtest.ClusterKeyLine(b.good)+elsewhere))); got.Outcome != Unknown {
		t.Errorf("got %s: %s", got.Outcome, got.Reason)
	}
}

func TestClusterAttestation(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.attestTag(t, stated(b.image.Digest, provenanceType, `{"builder":"ci"}`))
	policy := func(builder string) string {
		return sigtest.Cluster(sigtest.ClusterKeyLine(b.good) + "    attestations:\n    - name: built\n      predicateType: " + provenanceType + "\n" +
			"      policy:\n        type: rego\n        data: |\n          package sigstore\n          default isCompliant = false\n" +
			"          isCompliant { input.predicate.builder == \"" + builder + "\" }\n")
	}
	if got := b.with(t, parseCluster(t, policy("ci"))); got.Outcome != Verified {
		t.Errorf("got %s: %s", got.Outcome, got.Reason)
	}
	if got := b.with(t, parseCluster(t, policy("me"))); got.Outcome != Rejected {
		t.Errorf("got %s: %s", got.Outcome, got.Reason)
	}
}
