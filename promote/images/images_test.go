package images_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/images"
	"github.com/kubepromote/kubepromote/verify"
)

// tree reads a repository in memory; nobody lists it here.
type tree struct {
	promote.Tree
	files fstest.MapFS
}

func (t tree) ReadFile(name string) ([]byte, error) { return t.files.ReadFile(name) }

const key = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJxXYCd2qiyUXfpbv4ffYlmFB1E6d
/zhKsieSzjO2wQ8Roa31xQZKu+2ZRO7heXQU1+w+mdfm1d/5/HylejHM7w==
-----END PUBLIC KEY-----
`

func policy(attestations string) string {
	return `apiVersion: kubepromote.dev/v1alpha1
kind: VerificationPolicy
spec:
  unmatched: allow
  rules:
  - images: ["registry.example.com/**"]
    authorities:
    - {name: release, key: {file: release.pub}` + attestations + `}
`
}

// An approval for any environment would do if none were named. That is not known to
// be enough, so that the answer is neither yes nor no. That it is the environment
// which is missing is tried in package verify, with signatures.
func TestApprovalWithoutEnvironment(t *testing.T) {
	files := tree{files: fstest.MapFS{
		"policies/approvals.yaml": {Data: []byte(policy(", attestations: [{predicateType: approval}]"))},
		"policies/release.pub":    {Data: []byte(key)},
	}}
	v := images.NewVerifier(verify.New(verify.Options{Client: registry.New(registry.Options{Base: unreachable{}})}), images.PoliciesIn(files))
	asked := []string{"registry.example.com/cart@sha256:" + strings.Repeat("a", 64), "registry.example.com/web@sha256:" + strings.Repeat("b", 64)}
	done := 0
	got, err := v.Verify(t.Context(), promote.VerifyRequest{Policy: "policies/approvals.yaml", Images: asked}, func() { done++ })
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v.Image != asked[i] || v.Answer != promote.Unknown {
			t.Errorf("%+v", v)
		}
	}
	if done != len(asked) || len(got) != len(asked) {
		t.Errorf("told %d times of %d", done, len(got))
	}
}

// unreachable is a network without a registry.
type unreachable struct{}

// RoundTrip implements [http.RoundTripper].
func (unreachable) RoundTrip(*http.Request) (*http.Response, error) { return nil, syscall.ECONNREFUSED }

func TestPoliciesIn(t *testing.T) {
	read := images.PoliciesIn(tree{files: fstest.MapFS{
		"policies/keys.yaml":   {Data: []byte(policy(""))},
		"policies/release.pub": {Data: []byte(key)},
		"keys.yaml":            {Data: []byte(policy(""))},
	}})
	if p, err := read("policies/keys.yaml"); err != nil {
		t.Errorf("a policy with its key beside it: %v, %v", p, err)
	}
	for file, want := range map[string]string{
		"none.yaml": "the verification policy none.yaml cannot be read",
		"keys.yaml": "release.pub", // is in another folder
	} {
		if _, err := read(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v does not say %q", file, err, want)
		}
	}
}

func TestVerification(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   verify.Result
		want promote.Verification
	}{
		{"verified", verify.Result{Outcome: verify.Verified}, promote.Verification{Answer: promote.Pass}},
		{"rejected", verify.Result{Outcome: verify.Rejected, Reason: "no signature"}, promote.Verification{Answer: promote.Fail, Reason: "no signature"}},
		{"rejected in warn mode", verify.Result{Outcome: verify.Rejected, Warned: true, Reason: "no signature"},
			promote.Verification{Answer: promote.Pass, Reason: "no signature", Override: "let through by a rule in warn mode"}},
		{"unknown", verify.Result{Outcome: verify.Unknown, Reason: "timeout"}, promote.Verification{Answer: promote.Unknown, Reason: "timeout"}},
		{"nothing said", verify.Result{}, promote.Verification{Answer: promote.Unknown}},
		{"logged", verify.Result{Outcome: verify.Verified, Evidence: []verify.Evidence{{Kind: "key", Logs: []verify.LogEntry{{LogID: "c0d2", Index: 7}}}}},
			promote.Verification{Answer: promote.Pass, Evidence: []promote.Evidence{{Kind: "key", Logs: []string{"c0d2/7"}}}}},
	} {
		if diff := cmp.Diff(tc.want, images.Verification(tc.in)); diff != "" {
			t.Errorf("%s\n%s", tc.name, diff)
		}
	}
}
