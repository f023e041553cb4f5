package textdiff

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What differs is shown as far as a person can read it.
func TestUnified(t *testing.T) {
	for _, tc := range []struct {
		name     string
		old, now []byte
		want     string
	}{
		{"text", []byte("a\nb\n"), []byte("a\nc\n"), "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"},
		{"not text", []byte("a\n"), []byte("a\x00\n"), "Binary files a/f and b/f differ\n"},
		{"not UTF-8", []byte("a\n"), []byte("\xff\n"), "Binary files a/f and b/f differ\n"},
		{"large", bytes.Repeat([]byte("a\n"), 1<<19), []byte("b\n"), "Binary files a/f and b/f differ\n"},
	} {
		if d := cmp.Diff(tc.want, Unified("f", tc.old, tc.now)); d != "" {
			t.Errorf("%s:\n%s", tc.name, d)
		}
	}
}
