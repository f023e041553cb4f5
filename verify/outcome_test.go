package verify

import (
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

// TestWithoutNetwork has the outcomes for which nothing has to be read.
func TestWithoutNetwork(t *testing.T) {
	text := strings.Replace(string(sigtest.PolicyText("release", sigtest.NewSigner(t, "p256").Pem)), "**/shop/*", "a.io/*", 1)
	reject, err := ParsePolicy("p.yaml", []byte(text), nil)
	sigtest.Must(t, err)
	allow, err := ParsePolicy("p.yaml", []byte(strings.Replace(text, "reject", "allow", 1)), nil)
	sigtest.Must(t, err)
	digest := "@" + sigtest.HashOf(nil).String()
	tests := []struct {
		policy  *Policy
		image   string
		outcome Outcome
		reason  string
	}{
		{reject, "b.io/x" + digest, Rejected, "no rule of the policy matches"},
		{allow, "b.io/x:1" + digest, Verified, "no rule of the policy matches, and the policy allows that"},
		{&Policy{}, "b.io/x" + digest, Rejected, "no rule of the policy matches"},
		{nil, "b.io/x" + digest, Rejected, "there is no policy"},
		{allow, "b.io/x:1", Rejected, `"b.io/x:1" is no image with a digest (repository@sha256:...)`},
		{allow, "b.io/x@sha256:12", Rejected, `"b.io/x@sha256:12" is no image with a digest (repository@sha256:...)`},
		{allow, "b.io/x@sha512:" + strings.Repeat("a", 128), Rejected, ""},
		{allow, "a.io/b/../c@" + sigtest.HashOf(nil).String(), Rejected, ""},
		{allow, "a.io/b//c@" + sigtest.HashOf(nil).String(), Rejected, ""},
		{allow, "ａ.io/x" + digest, Rejected, `"ａ.io/x@` + digest[1:] + `" is no image with a digest (repository@sha256:...)`},
		{allow, "\x1b[2J", Rejected, `"[2J" is no image with a digest (repository@sha256:...)`},
	}
	for _, tt := range tests {
		got := New(Options{}).Verify(t.Context(), tt.policy, tt.image)[0]
		if got.Image != tt.image || got.Outcome != tt.outcome || tt.reason != "" && got.Reason != tt.reason || got.Evidence != nil {
			t.Errorf("%q: %+v", tt.image, got)
		}
	}
	if got := New(Options{}).Verify(t.Context(), reject); len(got) != 0 {
		t.Errorf("no images: %v", got)
	}
}
