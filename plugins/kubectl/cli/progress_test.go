package cli

import (
	"strings"
	"testing"
	"time"
)

// A bar on a terminal appears for long steps only, and goes before other output.
func TestProgress(t *testing.T) {
	for _, tc := range []struct {
		name     string
		terminal bool
		running  time.Duration
		want     string
	}{
		{"short, terminal", true, 0, ""},
		{"long, terminal", true, time.Second, "\rverifying [###############...............] 5/10\r\x1b[K"},
		{"a second, no terminal", false, time.Second, ""},
		{"long, no terminal", false, time.Minute, "verifying: 5 of 10\n"},
	} {
		var out strings.Builder
		p := &Progress{out: &out, terminal: tc.terminal}
		p.Show("verifying", 1, 10)
		p.started = p.started.Add(-tc.running)
		p.Show("verifying", 5, 10)
		p.Show("verifying", 6, 10) // too soon after the last
		p.Clear()
		if got := out.String(); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
	var quiet *Progress
	quiet.Show("verifying", 1, 1)
	quiet.Clear()
}
