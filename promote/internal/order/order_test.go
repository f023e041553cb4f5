package order

import (
	"slices"
	"strconv"
	"testing"
)

// Ten thousand names that depend on one another in a row are put in order in no time.
func TestIsLinear(t *testing.T) {
	const n = 10_000
	var names []string
	on := make(map[string][]string)
	for i := range n {
		name := strconv.Itoa(i)
		if i > 0 {
			on[name] = []string{names[i-1]}
		}
		names = append(names, name)
	}
	want := slices.Clone(names)
	slices.Reverse(names)
	if !slices.Equal(Of(names, on), want) || len(Circles(names, on)) > 0 {
		t.Error("another order")
	}
}

func TestCircles(t *testing.T) {
	got := Circles([]string{"a", "b", "c"}, map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"b"}})
	if len(got) != 1 || !slices.Equal(got[0], []string{"b", "c", "b"}) {
		t.Error(got)
	}
}
