package globs

import (
	"slices"
	"testing"
)

func TestTake(t *testing.T) {
	names := []string{"cart", "catalog", "web"}
	for glob, want := range map[string][]string{"ca*": {"cart", "catalog"}, "web": {"web"}, "none": {"none"}, "x*": {}, "[wc]*": names, "[": {}} {
		if got := Take(glob, names); !slices.Equal(got, want) {
			t.Errorf("%s means %q, want %q", glob, got, want)
		}
	}
	if Any(nil, "cart") || !Any([]string{"web", "c?rt"}, "cart") {
		t.Error("one of several")
	}
}
