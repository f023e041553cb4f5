package verify

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// summary is the payload of a verification summary of the image of a bench.
func (b *bench) summary(t *testing.T, environment string, passed bool, verdict string) []byte {
	t.Helper()
	s, err := NewVSA(VSA{
		Image: b.ref(b.image), Verifier: "https://example.com/promoter", Time: time.Now(),
		Policy: Resource{URI: "https://example.com/infra/promotion.yaml"}, Passed: passed, Environment: environment,
		Gates: []GateVerdict{{Gate: "verify", Verdict: verdict}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.Payload()
}

func TestPromotedPolicy(t *testing.T) {
	for _, tt := range []struct {
		name, environment string
		passed            bool
		verdict, demand   string
		outcome           Outcome
		reason            string
	}{
		{"there", "staging", true, "pass", "", Verified, `signed by "builder"`},
		{"elsewhere", "dev", true, "pass", "", Rejected, `1 attestation, none by authority "builder": the environment is "dev", not "staging"`},
		{"failed", "staging", false, "fail", "", Rejected, `1 attestation, none by authority "builder": the result is "FAILED", not "PASSED"`},
		{"own condition", "staging", true, "pass", `{predicateType: vsa, cel: 'predicate.verifier.id == "https://example.com/promoter"'}`, Verified, `signed by "builder"`},
		{"own condition not met", "staging", true, "pass", `{predicateType: vsa, cel: 'predicate.verifier.id == "me"'}`, Rejected, `1 attestation, none by authority "builder": `},
		{"other demands do not count", "staging", true, "pass", `{predicateType: slsaprovenance1}`, Verified, `signed by "builder"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.wire.image(t, "cart")
			b.attestTag(t, b.summary(t, tt.environment, tt.passed, tt.verdict))
			line := keyLine("builder", b.good)
			if tt.demand != "" {
				line = demanding(b, tt.demand)
			}
			p := rulePolicy(t, "", line)
			got := b.with(t, p.Promoted("staging"))
			if got.Outcome != tt.outcome || !strings.HasPrefix(got.Reason, tt.reason) {
				t.Errorf("got  %s: %s\nwant %s: %s", got.Outcome, got.Reason, tt.outcome, tt.reason)
			}
		})
	}
}

// A signature of the image says nothing about a promotion, and somebody else's
// summary nothing at all.
func TestPromotedPolicyByOthers(t *testing.T) {
	b := newBench(t, true)
	b.image = b.wire.image(t, "cart")
	b.tag(t, b.image, b.layer(t, b.good, claim(b.image.Digest)))
	p := rulePolicy(t, "", keyLine("builder", b.good))
	if got := b.with(t, p); got.Outcome != Verified {
		t.Fatalf("%s: %s", got.Outcome, got.Reason)
	}
	if got := b.with(t, p.Promoted("staging")); got.Outcome != Rejected {
		t.Errorf("a signature: %s: %s", got.Outcome, got.Reason)
	}
	b.attestTag(t, b.summary(t, "staging", true, "pass"))
	other := rulePolicy(t, "", keyLine("other", b.bad))
	if got := b.with(t, other.Promoted("staging")); got.Outcome != Rejected {
		t.Errorf("another key: %s: %s", got.Outcome, fmt.Sprint(got.Reason))
	}
}
