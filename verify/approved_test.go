package verify

import (
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/verify/attest"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

// An approval counts for its environment, and until it expires.
func TestApprovals(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name        string
		approval    attest.Approval
		environment string
		outcome     Outcome
		reason      string
	}{
		{"good", attest.Approval{Environment: "production"}, "production", Verified, `signed by "builder"`},
		{"for no environment", attest.Approval{Environment: "production"}, "", Unknown, "the policy asks about an environment, and none is given"},
		{"elsewhere", attest.Approval{Environment: "staging"}, "production", Rejected, `1 attestation, none by authority "builder": the environment is "staging", not "production"`},
		{"not expired", attest.Approval{Environment: "production", Time: now.Add(-time.Hour), Expires: now.Add(time.Hour)}, "production", Verified, `signed by "builder"`},
		{"expired", attest.Approval{Environment: "production", Time: now.Add(-2 * time.Hour), Expires: now.Add(-time.Hour)}, "production", Rejected, `1 attestation, none by authority "builder": it has expired`},
		{"of the future", attest.Approval{Environment: "production", Time: now.Add(time.Hour)}, "production", Rejected, `1 attestation, none by authority "builder": it was made in the future`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.Wire.Image(t, "cart")
			tt.approval.Image = b.Ref(b.image)
			if tt.approval.Time.IsZero() {
				tt.approval.Time = now
			}
			s, err := attest.NewApproval(tt.approval)
			if err != nil {
				t.Fatal(err)
			}
			b.attestTag(t, s.Payload())
			p := rulePolicy(t, "", demanding(b, `{predicateType: approval}`))
			if tt.environment != "" {
				p = p.For(tt.environment)
			}
			got := b.with(t, p)
			if got.Outcome != tt.outcome || !strings.HasPrefix(got.Reason, tt.reason) {
				t.Errorf("got  %s: %s\nwant %s: %s", got.Outcome, got.Reason, tt.outcome, tt.reason)
			}
		})
	}
}

// An approval for one service counted for another one that runs the same digest.
func TestApprovalsOfServices(t *testing.T) {
	for _, tt := range []struct {
		name            string
		approved, asked string
		platforms       bool
		outcome         Outcome
		reason, lacks   string
	}{
		{"its own", "cart", "cart", false, Verified, `signed by "builder"`, ""},
		{"another one", "cart", "web", false, Rejected, `1 attestation, none by authority "builder": the service is "cart", not "web"`, ""},
		{"for every service", "", "web", false, Verified, `signed by "builder"`, ""},
		{"nobody said which", "cart", "", false, Unknown, `the approval is for the service "cart", and none is given`, LacksService},
		{"for every service, nobody said which", "", "", false, Verified, `signed by "builder"`, ""},
		{"at the platforms", "cart", "", true, Unknown, `the approval is for the service "cart", and none is given`, LacksService},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.Wire.Image(t, "cart")
			s, err := attest.NewApproval(attest.Approval{Image: b.Ref(b.image), Environment: "production", Service: tt.approved, Time: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			b.attestTag(t, s.Payload())
			rule := ""
			if tt.platforms {
				rule = "    manifest: platforms\n"
			}
			p := rulePolicy(t, rule, demanding(b, `{predicateType: approval}`)).For("production")
			v := newVerifier(b.Wire, 0)
			// The same image for another service has an answer of its own.
			got := v.VerifySubjects(t.Context(), p, Subject{b.Ref(b.image), "other"}, Subject{b.Ref(b.image), tt.asked})[1]
			if got.Outcome != tt.outcome || got.Reason != tt.reason || got.Lacks != tt.lacks {
				t.Errorf("got  %s: %s (%s)\nwant %s: %s (%s)", got.Outcome, got.Reason, got.Lacks, tt.outcome, tt.reason, tt.lacks)
			}
		})
	}
}

// An approval that is no longer good, or is for another environment, is a no whether
// or not somebody has said which service it is asked for.
func TestApprovalThatCannotCount(t *testing.T) {
	for name, a := range map[string]attest.Approval{
		"the environment is": {Environment: "staging", Time: time.Now()},
		"it has expired":     {Environment: "production", Time: time.Now().Add(-2 * time.Hour), Expires: time.Now().Add(-time.Hour)},
	} {
		b := newBench(t, true)
		b.image = b.Wire.Image(t, "cart")
		a.Image, a.Service = b.Ref(b.image), "cart"
		s, err := attest.NewApproval(a)
		if err != nil {
			t.Fatal(err)
		}
		b.attestTag(t, s.Payload())
		got := b.with(t, rulePolicy(t, "", demanding(b, `{predicateType: approval}`)).For("production"))
		if got.Outcome != Rejected || !strings.Contains(got.Reason, name) {
			t.Errorf("%s: %s", got.Outcome, got.Reason)
		}
	}
}

// Whoever forgot For promoted to production with an approval for staging.
func TestEnvironmentIsNotForgotten(t *testing.T) {
	const unknown = "the policy asks about an environment, and none is given"
	for name, tt := range map[string]struct {
		promoted bool
		rule     string
		signed   bool // by a key that is good by itself
		outcome  Outcome
		reason   string
	}{
		"approval":                       {outcome: Unknown, reason: unknown},
		"promoted":                       {promoted: true, outcome: Unknown, reason: unknown},
		"the other authority is enough":  {rule: "    require: any\n", signed: true, outcome: Verified, reason: `signed by "release"`},
		"the other authority alone":      {rule: "    require: all\n", signed: true, outcome: Unknown, reason: unknown},
		"the other authority is missing": {rule: "    require: any\n", outcome: Unknown, reason: unknown},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.Wire.Image(t, "cart")
			s, err := attest.NewApproval(attest.Approval{Image: b.Ref(b.image), Environment: "staging", Time: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			b.attestTag(t, s.Payload())
			if tt.signed {
				b.signBy(t, b.bad)
			}
			authorities := demanding(b, `{predicateType: approval}`)
			if tt.rule != "" {
				authorities += sigtest.KeyLine("release", b.bad)
			}
			p := rulePolicy(t, tt.rule, authorities)
			if tt.promoted {
				p = p.Promoted("")
			}
			check(t, b, b.with(t, p), tt.outcome, tt.reason)
		})
	}
	b := newBench(t, true)
	p := rulePolicy(t, "", demanding(b, `{predicateType: approval}`))
	b.image.Digest = sigtest.HashOf([]byte("nowhere"))
	check(t, b, b.with(t, p), Rejected, "no such image in the registry")
}

// A summary says that an image was promoted as one service: for another one that runs the
// same digest it counted as well.
func TestPromotionsOfServices(t *testing.T) {
	for _, tt := range []struct {
		promoted, asked string
		outcome         Outcome
	}{
		{"cart", "cart", Verified}, {"cart", "payments", Rejected}, {"", "payments", Verified}, {"cart", "", Verified},
	} {
		b := newBench(t, true)
		b.image = b.Wire.Image(t, "cart")
		s, err := attest.NewVSA(attest.VSA{Image: b.Ref(b.image), Verifier: "https://example.com/promote", Time: time.Now(), Policy: attest.Resource{URI: "https://example.com/policy"},
			Passed: true, Environment: "staging", Service: tt.promoted})
		if err != nil {
			t.Fatal(err)
		}
		b.attestTag(t, s.Payload())
		p := rulePolicy(t, "", demanding(b, `{predicateType: approval}`)).For("production").Promoted("staging")
		got := newVerifier(b.Wire, 0).VerifySubjects(t.Context(), p, Subject{b.Ref(b.image), tt.asked})[0]
		if got.Outcome != tt.outcome {
			t.Errorf("promoted as %q, asked for %q: %s: %s", tt.promoted, tt.asked, got.Outcome, got.Reason)
		}
	}
}
