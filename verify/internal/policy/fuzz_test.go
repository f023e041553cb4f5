package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

// FuzzClusterImagePolicy reads resources of the policy-controller: there is a
// policy or there are errors with their places, and every rule asks somebody.
func FuzzClusterImagePolicy(f *testing.F) {
	s := sigtest.NewInstance(f)
	k := sigtest.NewSigner(f, "p256")
	f.Add([]byte(sigtest.Cluster(sigtest.ClusterKeyLine(k))))
	f.Add([]byte(sigtest.Cluster("  - static: {action: fail, message: m}\n") + "  mode: warn\n"))
	f.Add([]byte(sigtest.Cluster("  - keyless: {trustRootRef: mine, identities: [{issuer: a, subjectRegExp: '^b$'}]}\n    ctlog: {trustRootRef: mine}\n") + s.TrustRoot(f, "mine")))
	f.Add([]byte(sigtest.Cluster("  - keyless: {identities: [{issuer: a}]}\n    source: [{oci: a.io/b, tagPrefix: c}]\n    ctlog: {}\n")))
	f.Add([]byte("apiVersion: policy.sigstore.dev/v1beta1\nkind: TrustRoot\nspec: &a {sigstoreKeys: *a}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parse("cip.yaml", data, nil)
		if err != nil {
			checkPolicyError(t, p, err)
			return
		}
		for _, r := range p.Rules {
			if len(r.images) == 0 || len(r.Authorities) == 0 {
				t.Fatalf("rule %+v", r)
			}
			for _, a := range r.Authorities {
				if a.Name == "" || len(a.Signers) == 0 && !a.Always && a.Never == "" {
					t.Fatalf("authority %+v", a)
				}
				for _, party := range a.Signers {
					if id, ok := party.(*IdentitySigner); ok && (a.Trust == nil || a.Logs+a.Timestamps == 0 || id.Issuer.Match("")) {
						t.Fatalf("identity %+v of %+v", id, a)
					}
				}
			}
		}
	})
}

func checkPolicyError(t *testing.T, p *Policy, err error) {
	t.Helper()
	if p != nil {
		t.Fatal("policy and error")
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%T", err)
	}
	for _, e := range joined.Unwrap() {
		pe, ok := errors.AsType[*problemError](e)
		if !ok || pe.Line < 1 || pe.Col < 1 || pe.Msg == "" || strings.Contains(pe.Msg, "\n") {
			t.Fatalf("%#v", e)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	keys := sigtest.TestKeys(f)
	f.Add([]byte(withKey("{file: good.pub}")))
	f.Add([]byte(withKey("{data: '" + strings.ReplaceAll(keys["good.pub"], "\n", "\n\n") + "'}")))
	f.Add(sigtest.PolicyText("a", keys["good.pub"], "b", keys["weak.pub"]))
	f.Add([]byte("a: &a [*a]\n---\nb"))
	f.Add([]byte(everything))
	f.Add([]byte(everySigner))
	f.Add([]byte(strings.Replace(sigtest.RuleText("    require: 2\n    maxAge: 1h\n    checkName: true\n    names: [{from: 'a.io/*', to: 'b.io/*'}]\n",
		"    - {name: a, keyless: {issuer: b, subjectRegexp: '.*'}, timestamp: 1, attestations: [{predicateType: vsa, cel: 'true'}]}\n"),
		"{file: root.json}", "{publicGood: true}", 1)))
	f.Add([]byte("spec: &s {rules: [&r {images: *r, authorities: *s}]}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parse("p.yaml", data, readKeys(keys))
		if err == nil {
			for _, r := range p.Rules {
				if len(r.images) == 0 || len(r.Authorities) == 0 {
					t.Fatalf("rule %+v", r)
				}
				for _, a := range r.Authorities {
					if a.Name == "" || len(a.Signers) == 0 {
						t.Fatalf("authority %+v", a)
					}
				}
			}
			return
		}
		checkPolicyError(t, p, err)
	})
}
