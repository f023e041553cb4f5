package verify

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kubepromote/kubepromote/verify/internal/policy"
)

// Rules are met exactly where trying every choice of signers finds one.
func TestThresholdsAgainstEveryChoice(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		n := 1 + r.IntN(4)
		x := &trial{rule: &policy.Rule{Require: r.IntN(4)}}
		for i := range n {
			x.rule.Authorities = append(x.rule.Authorities, &policy.Authority{Name: fmt.Sprint(i)})
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
		want := len(distinct) >= x.rule.Require
		if x.rule.Require == policy.RequireAll {
			want = someChoice(x.found, nil)
		}
		if got := x.met(); got != want {
			t.Fatalf("require %d of %v: %v", x.rule.Require, x.found, got)
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
