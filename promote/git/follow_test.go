package git

import (
	"strings"
	"testing"
)

// The branch at hand follows what was pushed only where it stood there, and nothing that
// somebody is at work on is touched.
func TestFollow(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, want string }{
		{"clean", ""}, {"changed elsewhere", ""}, {"changed there", "local changes"}, {"ahead", "branch main has other commits"},
		{"detached", "HEAD is detached"}, {"elsewhere", "branch topic has other commits"}, {"there already", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRepo(t, map[string]string{"x": "1", "y": "1"})
			dir, from := r.Root(), headOf(t, r)
			put(t, dir, map[string]string{"x": "2"})
			gitIn(t, dir, "commit", "-q", "-a", "-m", "promotion")
			to := headOf(t, r)
			if tc.name != "there already" {
				gitIn(t, dir, "reset", "-q", "--hard", from)
			}
			switch tc.name {
			case "changed elsewhere":
				put(t, dir, map[string]string{"y": "mine"})
			case "changed there":
				put(t, dir, map[string]string{"x": "mine"})
			case "ahead":
				gitIn(t, dir, "commit", "-q", "--allow-empty", "-m", "mine")
			case "detached":
				gitIn(t, dir, "switch", "-q", "--detach")
			case "elsewhere":
				gitIn(t, dir, "switch", "-q", "-c", "topic")
				gitIn(t, dir, "commit", "-q", "--allow-empty", "-m", "mine")
			}
			before := headOf(t, r)
			left, err := r.Follow(t.Context(), from, to)
			if err != nil || (left == "") != (tc.want == "") || !strings.Contains(left, tc.want) {
				t.Fatalf("%q, %v", left, err)
			}
			if now := headOf(t, r); left == "" && now != to || left != "" && now != before {
				t.Errorf("the head is %s", now)
			}
			if tc.name == "changed there" && get(t, dir, "x") != "mine" || tc.name == "changed elsewhere" && get(t, dir, "y") != "mine" {
				t.Error("a change is lost")
			}
		})
	}
}
