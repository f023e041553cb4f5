package verify

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

// policyFor has one rule, with an authority for each name and key.
func policyFor(t testing.TB, authorities ...string) *Policy {
	t.Helper()
	p, err := ParsePolicy("policy.yaml", sigtest.PolicyText(authorities...), nil)
	sigtest.Must(t, err)
	return p
}

func newVerifier(w *sigtest.Wire, timeout time.Duration) *Verifier {
	return New(Options{Client: w.Client(), Timeout: timeout})
}

// keyless is a policy for one identity of an instance. extra are further lines of
// the authority.
func keyless(t testing.TB, s *sigtest.Instance, extra string) *Policy {
	t.Helper()
	return parse(t, fmt.Sprintf("    - name: release\n      keyless: {issuer: %s, subject: %s}\n%s", sigtest.TestIssuer, sigtest.TestSubject, extra),
		s.TrustedRoot(t))
}

// parse is a policy with the authorities given.
func parse(t testing.TB, authorities string, trusted []byte) *Policy {
	t.Helper()
	return parseRule(t, "", authorities, trusted)
}

func parseRule(t testing.TB, rule, authorities string, trusted []byte) *Policy {
	t.Helper()
	p, err := ParsePolicy("p.yaml", []byte(sigtest.RuleText(rule, authorities)), func(path string) ([]byte, error) {
		if path != "root.json" {
			return nil, fmt.Errorf("no file %s", path)
		}
		return trusted, nil
	})
	if err != nil {
		t.Fatal(sigtest.WithHints(err))
	}
	return p
}

// rulePolicy has one rule; the keys are inline.
func rulePolicy(t testing.TB, rule, authorities string) *Policy {
	t.Helper()
	p, err := ParsePolicy("p.yaml", []byte(strings.Replace(sigtest.RuleText(rule, authorities), "  trustedRoot: {file: root.json}\n", "", 1)), nil)
	if err != nil {
		t.Fatal(sigtest.WithHints(err))
	}
	return p
}
