package cli

import (
	"testing"

	"github.com/kubepromote/kubepromote/promote"
)

// TestEvidence wants to see who has signed, not only that somebody has.
func TestEvidence(t *testing.T) {
	for _, c := range []struct {
		want     string
		evidence []promote.Evidence
	}{
		{"-", nil},
		{"key release 0123456789ab", []promote.Evidence{{Kind: "key", Authority: "release", KeyID: "sha256:0123456789abcdef"}}},
		{"keyless ci ci@example.com (https://issuer.example.com), key release -", []promote.Evidence{
			{Kind: "keyless", Authority: "ci", Subject: "ci@example.com", Issuer: "https://issuer.example.com"},
			{Kind: "key", Authority: "release"},
		}},
	} {
		if got := Evidence(c.evidence); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
