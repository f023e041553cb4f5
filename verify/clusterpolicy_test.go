package verify

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore-go/pkg/root"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// cluster is a ClusterImagePolicy with the authorities given.
func cluster(authorities string) string {
	return "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata:\n  name: images\n  labels: {a: b}\n" +
		"spec:\n  images:\n  - glob: '**/shop/*'\n  authorities:\n" + authorities
}

func parseCluster(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := ParsePolicy("cip.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(withHints(err))
	}
	return p
}

// trustRoot is the instance as a TrustRoot brings it.
func (s *instance) trustRoot(t testing.TB, name string) string {
	t.Helper()
	chain := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.middle.Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.root.Raw})...)
	tsa := s.logs[0].TimestampingAuthorities()[0].(*root.SigstoreTimestampingAuthority)
	var stamps []byte
	for _, raw := range [][]byte{tsa.Leaf.Raw, tsa.Intermediates[0].Raw, tsa.Root.Raw} {
		stamps = append(stamps, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
	}
	b64 := base64.StdEncoding.EncodeToString
	text := fmt.Sprintf("---\napiVersion: policy.sigstore.dev/v1alpha1\nkind: TrustRoot\nmetadata: {name: %s}\nspec:\n  sigstoreKeys:\n"+
		"    certificateAuthorities:\n    - {uri: 'https://f.localhost', subject: {organization: o, commonName: c}, certChain: %s}\n"+
		"    timestampAuthorities:\n    - {uri: 'https://t.localhost', subject: {organization: o, commonName: c}, certChain: %s}\n"+
		"    ctLogs:\n    - {baseURL: 'https://c.localhost', hashAlgorithm: sha-256, publicKey: %s}\n    tLogs:\n",
		name, b64(chain), b64(stamps), b64([]byte(publicPEM(t, &s.ctKey.PublicKey))))
	for _, vs := range s.logs {
		for _, l := range vs.RekorLogs() {
			text += fmt.Sprintf("    - {baseURL: 'https://rekor.localhost', hashAlgorithm: sha-256, publicKey: %s}\n", b64([]byte(publicPEM(t, l.PublicKey))))
		}
	}
	return text
}

func clusterKeyLine(k signer) string { return fmt.Sprintf("  - key: {data: %q}\n", k.pem) }

func TestClusterImagePolicy(t *testing.T) {
	b := newBench(t, true)
	b.image = b.wire.image(t, "cart")
	b.tag(t, b.image, b.layer(t, b.good, claim(b.image.Digest)))
	tests := []struct {
		name    string
		text    string
		outcome Outcome
		reason  string
		warned  bool
	}{
		{"key", cluster(clusterKeyLine(b.good)), Verified, `signed by "authority-0"`, false},
		{"any of two", cluster(clusterKeyLine(b.bad) + clusterKeyLine(b.good)), Verified, `signed by "authority-1"`, false},
		{"another key", cluster(clusterKeyLine(b.bad)), Rejected, `1 signature, none by authority "authority-0": made with another key`, false},
		{"all policies", cluster(clusterKeyLine(b.good)) + "---\n" + cluster(clusterKeyLine(b.bad)), Rejected,
			`1 signature, none by authority "authority-0": made with another key`, false},
		{"older version", strings.Replace(cluster(clusterKeyLine(b.good)), "v1beta1", "v1alpha1", 1), Verified, `signed by "authority-0"`, false},
		{"warn", cluster(clusterKeyLine(b.bad)) + "  mode: warn\n", Rejected, `1 signature, none by authority "authority-0": made with another key`, true},
		{"static pass", cluster("  - static: {action: pass}\n"), Verified, `signed by "authority-0"`, false},
		{"static fail", cluster("  - static: {action: fail, message: not this one}\n"), Rejected, "the policy says that it fails: not this one", false},
		{"other images", strings.Replace(cluster(clusterKeyLine(b.good)), "**/shop/*", "a.io/**", 1), Rejected, "no rule of the policy matches", false},
		{"any tag", strings.Replace(cluster(clusterKeyLine(b.good)), "**/shop/*", "**/shop/cart:**", 1), Verified, `signed by "authority-0"`, false},
		{"status", cluster(clusterKeyLine(b.good)) + "status: {conditions: [{type: Ready}]}\n", Verified, `signed by "authority-0"`, false},
	}
	for _, tt := range tests {
		got := b.with(t, parseCluster(t, tt.text))
		if got.Outcome != tt.outcome || !strings.HasSuffix(got.Reason, tt.reason) || got.Warned != tt.warned {
			t.Errorf("%s: got %s: %s", tt.name, got.Outcome, got.Reason)
		}
	}
	if p := parseCluster(t, cluster(clusterKeyLine(b.good))); p.Name() != "images" {
		t.Errorf("name %q", p.Name())
	}
}

// A keyless authority without own roots means the public instance; with a
// timestamp the log is not asked.
func TestClusterKeyless(t *testing.T) {
	s := newInstance(t)
	identity := "    keyless: {trustRootRef: mine, identities: [{issuer: " + testIssuer + ", subjectRegExp: '^.*@example\\.com$'}]}\n"
	public := strings.Replace(identity, "trustRootRef: mine", "url: https://fulcio.sigstore.dev", 1)
	tests := []struct {
		name      string
		authority string
		sign      signing
		want      Outcome
		reason    string
	}{
		{"own root", "  - name: a\n" + identity + "    ctlog: {trustRootRef: mine}\n", signing{}, Verified, ""},
		{"own root, no log", "  - name: a\n" + identity + "    ctlog: {trustRootRef: mine}\n", signing{noLog: true}, Rejected, "it has no log entry"},
		{"timestamp", "  - name: a\n" + identity + "    rfc3161timestamp: {trustRootRef: mine}\n", signing{stamp: true, noLog: true}, Verified, ""},
		{"no timestamp", "  - name: a\n" + identity + "    rfc3161timestamp: {trustRootRef: mine}\n", signing{}, Rejected, "it has no timestamp"},
		{"public", "  - name: a\n" + public, signing{}, Rejected, "its log entry is of a log that is not trusted"},
		{"public log", "  - name: a\n" + public + "    ctlog: {url: https://rekor.sigstore.dev}\n", signing{}, Rejected, "its log entry is of a log that is not trusted"},
	}
	for _, tt := range tests {
		b := newBench(t, true)
		b.image = b.wire.image(t, "cart")
		b.signedTag(t, s, s.issue(t, testSubject, testIssuer), tt.sign, claim(b.image.Digest))
		got := b.with(t, parseCluster(t, cluster(tt.authority)+s.trustRoot(t, "mine")))
		if got.Outcome != tt.want || !strings.HasSuffix(got.Reason, tt.reason) {
			t.Errorf("%s: got %s: %s", tt.name, got.Outcome, got.Reason)
		}
	}
	b := newBench(t, true)
	b.image = b.wire.image(t, "cart")
	s.strangerCT = true
	b.signedTag(t, s, s.issue(t, testSubject, testIssuer), signing{at: time.Now().Add(-time.Minute)}, claim(b.image.Digest))
	strict := cluster("  - name: a\n"+identity) + s.trustRoot(t, "mine")
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
	b.image = b.wire.image(t, "cart")
	l := b.layer(t, b.good, claim(b.image.Digest))
	b.put(t, "ci-sha256-"+b.image.Digest.Hex+".sig", types.OCIManifestSchema1, marshal(t, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: b.blob(t, types.OCIConfigJSON, []byte("{}")), Layers: []v1.Descriptor{l}}))
	from := fmt.Sprintf("    source: [{oci: %s/%s, tagPrefix: ci-}]\n", b.host, repo)
	if got := b.with(t, parseCluster(t, cluster(clusterKeyLine(b.good)+from))); got.Outcome != Verified {
		t.Errorf("got %s: %s", got.Outcome, got.Reason)
	}
	if got := b.with(t, parseCluster(t, cluster(clusterKeyLine(b.good)))); got.Outcome != Rejected || got.Reason != "no signature found" {
		t.Errorf("got %s: %s", got.Outcome, got.Reason)
	}
	elsewhere := "    source: [{oci: 'localhost:1/x'}]\n"
	if got := b.with(t, parseCluster(t, cluster(clusterKeyLine(b.good)+elsewhere))); got.Outcome != Unknown {
		t.Errorf("got %s: %s", got.Outcome, got.Reason)
	}
}

func TestClusterAttestation(t *testing.T) {
	b := newBench(t, true)
	b.image = b.wire.image(t, "cart")
	b.attestTag(t, stated(b.image.Digest, provenanceType, `{"builder":"ci"}`))
	policy := func(builder string) string {
		return cluster(clusterKeyLine(b.good) + "    attestations:\n    - name: built\n      predicateType: " + provenanceType + "\n" +
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

// What cannot be honoured is refused, with its place.
func TestClusterErrors(t *testing.T) {
	k := newSigner(t, "p256")
	good := clusterKeyLine(k)
	const empty = "---\napiVersion: policy.sigstore.dev/v1alpha1\nkind: TrustRoot\nmetadata: {name: x}\nspec: {sigstoreKeys: {}}\n"
	identity := "  - keyless: {identities: [{issuer: a, subject: b}]%s}\n"
	for name, tt := range map[string]struct{ text, want string }{
		"secretRef":               {cluster("  - key: {secretRef: {name: x}}\n"), `cip.yaml:10:22: secretRef in key cannot be honoured outside a cluster`},
		"match":                   {cluster(good) + "  match: [{resource: pods}]\n", "match in spec cannot be honoured outside a cluster"},
		"policy":                  {cluster(good) + "  policy: {type: cue, data: x}\n", "policy in spec cannot be honoured outside a cluster"},
		"configMapRef":            {cluster(good + "    attestations: [{name: a, predicateType: vuln, policy: {type: rego, configMapRef: {name: x}}}]\n"), "configMapRef in policy cannot be honoured outside a cluster"},
		"remote":                  {cluster(good + "    attestations: [{name: a, predicateType: vuln, policy: {type: rego, remote: {url: x}}}]\n"), "remote in policy cannot be honoured outside a cluster"},
		"CUE":                     {cluster(good + "    attestations: [{name: a, predicateType: vuln, policy: {type: cue, data: x}}]\n"), "policies in CUE cannot be evaluated here"},
		"pull secrets":            {cluster(good + "    source: [{oci: a.io/x, signaturePullSecrets: [{name: x}]}]\n"), "signaturePullSecrets in a source cannot be honoured outside a cluster"},
		"unknown field":           {cluster(good + "    ctLog: {}\n"), `unknown field "ctLog" in an authority`},
		"no identities":           {cluster("  - keyless: {url: https://fulcio.sigstore.dev}\n"), `keyless has no field "identities"`},
		"empty":                   {cluster("  - keyless: {identities: []}\n"), "identities is an empty list"},
		"other Fulcio":            {cluster(fmt.Sprintf(identity, ", url: https://f.example.com")), `the keys of "https://f.example.com" are not known`},
		"other Rekor":             {cluster(good + "    ctlog: {url: https://r.example.com}\n"), `the keys of "https://r.example.com" are not known`},
		"no TrustRoot":            {cluster(fmt.Sprintf(identity, ", trustRootRef: x")), `there is no TrustRoot "x"`},
		"ca-cert":                 {cluster(fmt.Sprintf(identity, ", ca-cert: {data: x}")), "ca-cert in keyless cannot be honoured outside a cluster"},
		"no time":                 {cluster(fmt.Sprintf(identity, "") + "    ctlog: {}\n"), "a keyless signature needs a time"},
		"tag":                     {strings.Replace(cluster(good), "**/shop/*", "a.io/x:v1", 1), "does not name a repository"},
		"two kinds":               {cluster("  - {static: {action: pass}, key: {data: x}}\n"), "an authority needs one of key, keyless and static"},
		"hash":                    {cluster("  - key: {data: x, hashAlgorithm: sha512}\n"), `hashAlgorithm is "sha512", and must be sha256`},
		"remote root":             {cluster(good) + "---\napiVersion: policy.sigstore.dev/v1alpha1\nkind: TrustRoot\nspec: {remote: {root: x, mirror: y}}\n", "TrustRoot with remote is not read"},
		"other resource":          {cluster(good) + "---\napiVersion: v1\nkind: Pod\n", `apiVersion is "v1"`},
		"only a root":             {"apiVersion: policy.sigstore.dev/v1alpha1\nkind: TrustRoot\nspec: {sigstoreKeys: {}}\n", "file has no ClusterImagePolicy"},
		"everybody":               {cluster("  - keyless: {identities: [{}]}\n"), "an identity without issuer and subject is everybody"},
		"root without log":        {cluster(fmt.Sprintf(identity, "")+"    ctlog: {trustRootRef: x}\n") + empty, "cip.yaml:11:27: the TrustRoot has no log"},
		"root without timestamps": {cluster(fmt.Sprintf(identity, "")+"    rfc3161timestamp: {trustRootRef: x}\n") + empty, "the TrustRoot has no timestamp authority"},
		"root twice":              {cluster(good) + empty + empty, `TrustRoot "x" is in the file already`},
		"bad regexp":              {cluster("  - keyless: {identities: [{issuer: a, subjectRegExp: '('}]}\n"), "subjectRegExp: error parsing regexp"},
	} {
		_, err := ParsePolicy("cip.yaml", []byte(tt.text), nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestClusterWarnings(t *testing.T) {
	p := parseCluster(t, cluster("  - static: {action: pass}\n  - keyless: {identities: [{issuer: a}, {issuer: a, subjectRegExp: '.*'}, {issuerRegExp: 'https://x/', subject: b}]}\n"))
	var got []string
	for _, w := range p.Warnings() {
		got = append(got, w.Msg)
	}
	want := "static with action pass lets every image pass, signed or not|identity has no subject, so every subject is accepted|" +
		`subjectRegExp ".*" matches everything|issuerRegExp has to match the whole issuer here`
	if strings.Join(got, "|") != want {
		t.Errorf("got %s", strings.Join(got, "|"))
	}
}
