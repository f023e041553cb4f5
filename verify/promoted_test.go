package verify

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/verify/attest"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

// summary is the payload of a verification summary of the image of a bench.
func (b *bench) summary(t *testing.T, environment string, passed bool, verdict string) []byte {
	t.Helper()
	s, err := attest.NewVSA(attest.VSA{
		Image: b.Ref(b.image), Verifier: "https://example.com/promoter", Time: time.Now(),
		Policy: attest.Resource{URI: "https://example.com/infra/promotion.yaml"}, Passed: passed, Environment: environment,
		Gates: []attest.GateVerdict{{Gate: "verify", Verdict: verdict}},
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
			b.image = b.Wire.Image(t, "cart")
			b.attestTag(t, b.summary(t, tt.environment, tt.passed, tt.verdict))
			line := sigtest.KeyLine("builder", b.good)
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
	b.image = b.Wire.Image(t, "cart")
	b.Tag(t, b.image, b.Layer(t, b.good, sigtest.Claim(b.image.Digest)))
	p := rulePolicy(t, "", sigtest.KeyLine("builder", b.good))
	if got := b.with(t, p); got.Outcome != Verified {
		t.Fatalf("%s: %s", got.Outcome, got.Reason)
	}
	if got := b.with(t, p.Promoted("staging")); got.Outcome != Rejected {
		t.Errorf("a signature: %s: %s", got.Outcome, got.Reason)
	}
	b.attestTag(t, b.summary(t, "staging", true, "pass"))
	other := rulePolicy(t, "", sigtest.KeyLine("other", b.bad))
	if got := b.with(t, other.Promoted("staging")); got.Outcome != Rejected {
		t.Errorf("another key: %s: %s", got.Outcome, fmt.Sprint(got.Reason))
	}
}

// What a policy lets pass without a signature has not been promoted by that.
func TestPromotedPolicyOfNobody(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.attestTag(t, b.summary(t, "staging", true, "pass"))
	rules := "  rules:\n  - images: [elsewhere.example.com/**]\n    authorities:\n" + sigtest.KeyLine("builder", b.good)
	p, err := ParsePolicy("p.yaml", []byte(sigtest.Head+"spec:\n  unmatched: allow\n"+rules), nil)
	sigtest.Must(t, err)
	if got := b.with(t, p); got.Outcome != Verified {
		t.Fatalf("%s: %s", got.Outcome, got.Reason)
	}
	check(t, b, b.with(t, p.Promoted("staging")), Rejected, "no rule of the policy matches")
	check(t, b, b.with(t, p.For("production").Promoted("staging")), Rejected, "no rule of the policy matches")
	check(t, b, b.with(t, rulePolicy(t, "", sigtest.KeyLine("builder", b.good)).Promoted("")), Unknown, "the policy asks about an environment, and none is given")
	static := parseCluster(t, sigtest.Cluster("  - static: {action: pass}\n"))
	if got := b.with(t, static.Promoted("staging")); got.Outcome != Rejected {
		t.Errorf("static: %s: %s", got.Outcome, got.Reason)
	}
}

// All conditions on summaries stay, not only those of the last.
func TestPromotedPolicyKeepsConditions(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.attestTag(t, b.summary(t, "staging", true, "pass"))
	const good, bad = `predicate.verifier.id == "https://example.com/promoter"`, `predicate.verifier.id == "me"`
	for conditions, want := range map[[2]string]Outcome{{good, good}: Verified, {bad, good}: Rejected, {good, bad}: Rejected} {
		line := demanding(b, fmt.Sprintf("{predicateType: vsa, cel: '%s'}, {predicateType: vsa, cel: '%s'}", conditions[0], conditions[1]))
		if got := b.with(t, rulePolicy(t, "", line).Promoted("staging")); got.Outcome != want {
			t.Errorf("%v: %s: %s", conditions, got.Outcome, got.Reason)
		}
	}
}

// An index is not promoted because the images in it are.
func TestPromotedPolicyOfPlatforms(t *testing.T) {
	b := newBench(t, true)
	index, platforms := b.multi(t)
	p := rulePolicy(t, "    manifest: platforms\n", sigtest.KeyLine("builder", b.good)).Promoted("staging")
	for _, b.image = range platforms {
		b.attestTag(t, b.summary(t, "staging", true, "pass"))
	}
	b.image = index
	check(t, b, b.with(t, p), Rejected, "no attestation found")
	b.attestTag(t, b.summary(t, "staging", true, "pass"))
	check(t, b, b.with(t, p), Verified, `signed by "builder"`)
}
