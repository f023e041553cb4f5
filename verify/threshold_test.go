package verify

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// Rules are met exactly where trying every choice of signers finds one.
func TestThresholdsAgainstEveryChoice(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		n := 1 + r.IntN(4)
		x := &trial{rule: &rule{require: r.IntN(4)}}
		for i := range n {
			x.rule.authorities = append(x.rule.authorities, &authority{name: fmt.Sprint(i)})
			var found []finding
			for range r.IntN(4) {
				found = append(found, finding{id: fmt.Sprint(r.IntN(4))})
			}
			x.found = append(x.found, [][]finding{found})
		}
		distinct := map[string]bool{}
		for _, f := range x.found {
			for _, one := range f[0] {
				distinct[one.id] = true
			}
		}
		want := len(distinct) >= x.rule.require
		if x.rule.require == requireAll {
			want = someChoice(x.found, nil)
		}
		if got := x.met(); got != want {
			t.Fatalf("require %d of %v: %v", x.rule.require, x.found, got)
		}
	}
}

// someChoice tries to give every authority a signer of its own.
func someChoice(found [][][]finding, taken []string) bool {
	if len(found) == 0 {
		return true
	}
	for _, f := range found[0][0] {
		if !slices.Contains(taken, f.id) && someChoice(found[1:], append(slices.Clone(taken), f.id)) {
			return true
		}
	}
	return false
}
