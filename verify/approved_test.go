package verify

import (
	"strings"
	"testing"
	"time"
)

// An approval counts for its environment, and until it expires.
func TestApprovals(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name        string
		approval    Approval
		environment string
		outcome     Outcome
		reason      string
	}{
		{"good", Approval{Environment: "production"}, "production", Verified, `signed by "builder"`},
		{"for any, where none is asked for", Approval{Environment: "staging"}, "", Verified, `signed by "builder"`},
		{"elsewhere", Approval{Environment: "staging"}, "production", Rejected, `1 attestation, none by authority "builder": the environment is "staging", not "production"`},
		{"not expired", Approval{Environment: "production", Time: now.Add(-time.Hour), Expires: now.Add(time.Hour)}, "production", Verified, `signed by "builder"`},
		{"expired", Approval{Environment: "production", Time: now.Add(-2 * time.Hour), Expires: now.Add(-time.Hour)}, "production", Rejected, `1 attestation, none by authority "builder": it has expired`},
		{"expired, for any", Approval{Environment: "production", Time: now.Add(-2 * time.Hour), Expires: now.Add(-time.Hour)}, "", Rejected, `1 attestation, none by authority "builder": it has expired`},
		{"of the future", Approval{Environment: "production", Time: now.Add(time.Hour)}, "production", Rejected, `1 attestation, none by authority "builder": it was made in the future`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, true)
			b.image = b.wire.image(t, "cart")
			tt.approval.Image = b.ref(b.image)
			if tt.approval.Time.IsZero() {
				tt.approval.Time = now
			}
			s, err := NewApproval(tt.approval)
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
