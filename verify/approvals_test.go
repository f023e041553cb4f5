package verify

import (
	"crypto"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/verify/attest"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

// All approvals are listed: which count, and of the others which have expired, which are
// for something else, and which nobody knows who signed.
func TestListOfApprovals(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	ann, bob, eve := sigtest.NewSigner(t, "p256"), sigtest.NewSigner(t, "p256"), sigtest.NewSigner(t, "p256")
	sign := func(s sigtest.Signer, a attest.Approval) {
		t.Helper()
		a.Image = b.Ref(b.image)
		if a.Environment == "" {
			a.Environment = "production"
		}
		if a.Time.IsZero() {
			a.Time = now
		}
		st, err := attest.NewApproval(a)
		if err != nil {
			t.Fatal(err)
		}
		b.Attach(t, b.image, sigtest.BundleJSON(t, sigtest.DsseBundle(t, s, crypto.SHA256, st.Payload())))
	}
	sign(ann, attest.Approval{Approver: "Ann", Note: "good", Service: "cart"})
	sign(ann, attest.Approval{Approver: "Ann again"})
	sign(bob, attest.Approval{Approver: "Bob", Time: now.Add(-2 * time.Hour), Expires: now.Add(-time.Hour)})
	sign(bob, attest.Approval{Approver: "Bob elsewhere", Environment: "staging"})
	sign(bob, attest.Approval{Approver: "Bob for web", Service: "web"})
	sign(eve, attest.Approval{Approver: "Ann, says Eve"})
	b.signBy(t, ann) // which is no approval

	p := rulePolicy(t, "    require: 2\n", sigtest.KeyLine("ann", ann)+sigtest.KeyLine("bob", bob))
	v := newVerifier(b.Wire, 10*time.Second)
	all, err := v.Approvals(t.Context(), p, Subject{Image: b.Ref(b.image), Service: "cart"}, "production")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Approval{}
	for _, a := range all {
		got[a.Approver] = a
	}
	var lines []string
	for _, who := range []string{"Ann", "Ann again", "Bob", "Bob elsewhere", "Bob for web", "Ann, says Eve"} {
		a := got[who]
		lines = append(lines, fmt.Sprintf("%s: %s %q by %q", who, a.State, a.Reason, a.Evidence.Authority))
	}
	want := `Ann: counts "" by "ann"
Ann again: counts "" by "ann"
Bob: expired "it has expired, ` + statement.Stamp(now.Add(-time.Hour)) + `" by "bob"
Bob elsewhere: other "the environment is \"staging\", not \"production\"" by "bob"
Bob for web: other "the service is \"web\", not \"cart\"" by "bob"
Ann, says Eve: foreign "made with another key" by ""`
	if text := strings.Join(lines, "\n"); len(all) != 6 || text != want {
		t.Errorf("%d approvals\n%s\nwant\n%s", len(all), text, want)
	}
	if a := got["Ann"]; a.Signer == "" || a.Signer != got["Ann again"].Signer || a.Signer == got["Bob"].Signer || got["Ann, says Eve"].Signer != "" ||
		a.Note != "good" || a.Service != "cart" || !a.Time.Equal(now) || !got["Bob"].Expires.Equal(now.Add(-time.Hour)) {
		t.Errorf("%+v", all)
	}
}

func TestListOfApprovalsUnknown(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	p := rulePolicy(t, "", sigtest.KeyLine("ann", b.good))
	ask := func(v *Verifier, p *Policy, image, environment string) string {
		all, err := v.Approvals(t.Context(), p, Subject{Image: image}, environment)
		return fmt.Sprintf("%d, %v", len(all), err)
	}
	v := newVerifier(b.Wire, 10*time.Second)
	for _, c := range []struct {
		name, image, environment string
		p                        *Policy
		want                     string
	}{
		{"none", b.Ref(b.image), "production", p, "0, <nil>"},
		{"no environment", b.Ref(b.image), "", p, "no environment is given"},
		{"no policy", b.Ref(b.image), "production", nil, "there is no policy"},
		{"no digest", "registry.example.com/cart:v1", "production", p, "digest"},
	} {
		if got := ask(v, c.p, c.image, c.environment); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	b.Wire.Server.Close()
	if got := ask(v, p, b.Ref(b.image), "production"); !strings.HasPrefix(got, "0, ") || strings.HasSuffix(got, "<nil>") {
		t.Errorf("the registry is down: %s", got)
	}
}
