package syntax

import (
	"regexp"
	"strings"
	"testing"
)

// What the scan finds is what the expression found that it stands for.
func TestMayBeLax(t *testing.T) {
	lax := regexp.MustCompile(`\\'|[|>][-+0-9]*#`)
	for _, text := range []string{
		"", "#", "a: b # c", "a: |# c", "a: |-# c", "a: >+2# c", "a: | # c", "a: 1# b", "1#", "-2#\n|#", `a: "it\'s"`, `a: 'it'`, "a: |\n# b",
		"a: # b\nc: |2-# d", strings.Repeat("#", 100) + "|", strings.Repeat("a: b # c\n", 100) + ">#",
	} {
		if got, want := mayBeLax([]byte(text)), lax.MatchString(text); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
	if !mayBeLax([]byte("|" + strings.Repeat("1", maxHeader) + "#")) {
		t.Error("a long header was passed over")
	}
}
