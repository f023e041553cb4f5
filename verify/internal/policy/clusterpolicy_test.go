package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

// What cannot be honoured is refused, with its place.
func TestClusterErrors(t *testing.T) {
	k := sigtest.NewSigner(t, "p256")
	good := sigtest.ClusterKeyLine(k)
	const empty = "---\napiVersion: policy.sigstore.dev/v1alpha1\nkind: TrustRoot\nmetadata: {name: x}\nspec: {sigstoreKeys: {}}\n"
	identity := "  - keyless: {identities: [{issuer: a, subject: b}]%s}\n"
	for name, tt := range map[string]struct{ text, want string }{
		"secretRef":      {sigtest.Cluster("  - key: {secretRef: {name: x}}\n"), `cip.yaml:10:22: secretRef in key cannot be honoured outside a cluster`},
		"match":          {sigtest.Cluster(good) + "  match: [{resource: pods}]\n", "match in spec cannot be honoured outside a cluster"},
		"policy":         {sigtest.Cluster(good) + "  policy: {type: cue, data: x}\n", "policy in spec cannot be honoured outside a cluster"},
		"configMapRef":   {sigtest.Cluster(good + "    attestations: [{name: a, predicateType: vuln, policy: {type: rego, configMapRef: {name: x}}}]\n"), "configMapRef in policy cannot be honoured outside a cluster"},
		"remote":         {sigtest.Cluster(good + "    attestations: [{name: a, predicateType: vuln, policy: {type: rego, remote: {url: x}}}]\n"), "remote in policy cannot be honoured outside a cluster"},
		"CUE":            {sigtest.Cluster(good + "    attestations: [{name: a, predicateType: vuln, policy: {type: cue, data: x}}]\n"), "policies in CUE cannot be evaluated here"},
		"pull secrets":   {sigtest.Cluster(good + "    source: [{oci: a.io/x, signaturePullSecrets: [{name: x}]}]\n"), "signaturePullSecrets in a source cannot be honoured outside a cluster"},
		"unknown field":  {sigtest.Cluster(good + "    ctLog: {}\n"), `unknown field "ctLog" in an authority`},
		"no identities":  {sigtest.Cluster("  - keyless: {url: https://fulcio.sigstore.dev}\n"), `keyless has no field "identities"`},
		"empty":          {sigtest.Cluster("  - keyless: {identities: []}\n"), "identities is an empty list"},
		"other Fulcio":   {sigtest.Cluster(fmt.Sprintf(identity, ", url: https://f.example.com")), `the keys of "https://f.example.com" are not known`},
		"other Rekor":    {sigtest.Cluster(good + "    ctlog: {url: https://r.example.com}\n"), `the keys of "https://r.example.com" are not known`},
		"no TrustRoot":   {sigtest.Cluster(fmt.Sprintf(identity, ", trustRootRef: x")), `there is no TrustRoot "x"`},
		"ca-cert":        {sigtest.Cluster(fmt.Sprintf(identity, ", ca-cert: {data: x}")), "ca-cert in keyless cannot be honoured outside a cluster"},
		"no time":        {sigtest.Cluster(fmt.Sprintf(identity, "") + "    ctlog: {}\n"), "a keyless signature needs a time"},
		"tag":            {strings.Replace(sigtest.Cluster(good), "**/shop/*", "a.io/x:v1", 1), "does not name a repository"},
		"two kinds":      {sigtest.Cluster("  - {static: {action: pass}, key: {data: x}}\n"), "an authority needs one of key, keyless and static"},
		"hash":           {sigtest.Cluster("  - key: {data: x, hashAlgorithm: sha512}\n"), `hashAlgorithm is "sha512", and must be sha256`},
		"remote root":    {sigtest.Cluster(good) + "---\napiVersion: policy.sigstore.dev/v1alpha1\nkind: TrustRoot\nspec: {remote: {root: x, mirror: y}}\n", "TrustRoot with remote is not read"},
		"other resource": {sigtest.Cluster(good) + "---\napiVersion: v1\nkind: Pod\n", `apiVersion is "v1"`},
		"only a root":    {"apiVersion: policy.sigstore.dev/v1alpha1\nkind: TrustRoot\nspec: {sigstoreKeys: {}}\n", "file has no ClusterImagePolicy"},
		"everybody":      {sigtest.Cluster("  - keyless: {identities: [{}]}\n"), "an identity without issuer and subject is everybody"},
		// Each half of an identity that was missing stood for everybody.
		"no subject":              {sigtest.Cluster("  - keyless: {identities: [{issuer: a}]}\n"), "cip.yaml:10:28: an identity has neither subject nor subjectRegExp"},
		"no issuer":               {sigtest.Cluster("  - keyless: {identities: [{subject: a}]}\n"), "cip.yaml:10:28: an identity has neither issuer nor issuerRegExp"},
		"no place":                {sigtest.Cluster(good + "    source: [{}]\n"), `a source has neither field "oci" nor "tagPrefix"`},
		"root without log":        {sigtest.Cluster(fmt.Sprintf(identity, "")+"    ctlog: {trustRootRef: x}\n") + empty, "cip.yaml:11:27: the TrustRoot has no log"},
		"root without timestamps": {sigtest.Cluster(fmt.Sprintf(identity, "")+"    rfc3161timestamp: {trustRootRef: x}\n") + empty, "the TrustRoot has no timestamp authority"},
		"root twice":              {sigtest.Cluster(good) + empty + empty, `TrustRoot "x" is in the file already`},
		"bad regexp":              {sigtest.Cluster("  - keyless: {identities: [{issuer: a, subjectRegExp: '('}]}\n"), "subjectRegExp: error parsing regexp"},
	} {
		_, err := parse("cip.yaml", []byte(tt.text), nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestClusterWarnings(t *testing.T) {
	p, problems := Parse("cip.yaml", []byte(sigtest.Cluster("  - static: {action: pass}\n  - keyless: {identities: [{issuer: a, subjectRegExp: '.*'}, {issuerRegExp: 'https://x/', subject: b}]}\n")), nil)
	if problems != nil {
		t.Fatal(problems)
	}
	var got []string
	for _, w := range p.Warnings {
		got = append(got, w.Msg)
	}
	want := "static with action pass lets every image pass, signed or not|" +
		`subjectRegExp ".*" matches everything|issuerRegExp has to match the whole issuer here`
	if strings.Join(got, "|") != want {
		t.Errorf("got %s", strings.Join(got, "|"))
	}
}
