package verify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// signer gives the one id of a signer that has several.
func (t *trial) signer(id string) string {
	for t.same[id] != "" {
		id = t.same[id]
	}
	return id
}

// join notes that two ids are of one signer: a key that is also in a certificate,
// a certificate with several names.
func (t *trial) join(a, b string) {
	if a, b = t.signer(a), t.signer(b); a == b {
		return
	}
	if t.same == nil {
		t.same = map[string]string{}
	}
	t.same[b] = a
}

// met says whether enough has been found for the rule.
func (t *trial) met() bool { return t.chosen() != nil }

// nobody says that nothing was found that any authority is asked for.
func (t *trial) nobody() bool {
	return !slices.ContainsFunc(t.found, func(demands [][]finding) bool {
		return slices.ContainsFunc(demands, func(f []finding) bool { return len(f) > 0 })
	})
}

// metBy says whether everything that an authority demands has been found.
func (t *trial) metBy(i int) bool {
	return !slices.ContainsFunc(t.found[i], func(f []finding) bool { return len(f) == 0 })
}

// chosen gives what meets the rule, in the order of the policy, or nil. The slice
// is not nil where the rule is met.
func (t *trial) chosen() []finding {
	if t.rule.Require == policy.RequireAll {
		return t.every()
	}
	var all []finding
	known := map[string]bool{}
	for i := range t.found {
		if !t.metBy(i) {
			continue
		}
		for _, f := range t.found[i][0] {
			// Who signs twice, or counts for two authorities, is still one.
			id := t.signer(f.id)
			if known[id] || t.rule.Require > 1 && !t.signedAll(i, id) {
				continue
			}
			known[id] = true
			all = append(all, t.findings(i, f)...)
			if len(known) == t.rule.Require {
				return all
			}
		}
	}
	return nil
}

// signedAll says whether one signer has made everything an authority demands.
// Where signers are counted, two halves are nobody.
func (t *trial) signedAll(i int, id string) bool {
	return !slices.ContainsFunc(t.found[i], func(list []finding) bool {
		return !slices.ContainsFunc(list, func(f finding) bool { return t.signer(f.id) == id })
	})
}

// findings gives what an authority demands, with the first of it given, and the
// rest by the same signer where that is possible.
func (t *trial) findings(i int, first finding) []finding {
	all := []finding{first}
	for _, list := range t.found[i][1:] {
		at := max(0, slices.IndexFunc(list, func(f finding) bool { return t.signer(f.id) == t.signer(first.id) }))
		all = append(all, list[at])
	}
	return all
}

// every chooses something of every authority. Authorities that demand the same
// have to be met by different signers, or one of two people who have to agree
// could be left out; one that demands a signature and one that demands a
// provenance may well be the same.
func (t *trial) every() []finding {
	chosen := make([]*finding, len(t.found))
	for i := range t.found {
		if !t.metBy(i) || !t.assign(i, chosen, map[string]bool{}) {
			return nil
		}
	}
	var all []finding
	for i, f := range chosen {
		all = append(all, t.findings(i, *f)...)
	}
	return all
}

// assign finds a signer for an authority, and another one for the authority that
// has to give him up.
func (t *trial) assign(i int, chosen []*finding, tried map[string]bool) bool {
	for _, f := range t.found[i][0] {
		id := t.signer(f.id)
		if tried[id] {
			continue
		}
		tried[id] = true
		taken := t.holder(chosen, i, id)
		if taken < 0 || t.assign(taken, chosen, tried) {
			chosen[i] = &f
			return true
		}
	}
	return false
}

// holder is the authority that demands the same as another and has been given a
// signer, or -1.
func (t *trial) holder(chosen []*finding, i int, id string) int {
	for k, c := range chosen {
		if c != nil && t.signer(c.id) == id && t.asks(k) == t.asks(i) {
			return k
		}
	}
	return -1
}

// asks is what an authority demands, as text to compare.
func (t *trial) asks(i int) string {
	var types []string
	for _, r := range t.rule.Authorities[i].Attestations {
		types = append(types, r.PredicateType)
	}
	slices.Sort(types)
	return strings.Join(types, " ")
}

// shortfall says how far a rule is from being met.
func (t *trial) shortfall() string {
	var met, open, all []string
	signers := map[string]bool{}
	for i, a := range t.rule.Authorities {
		name := fmt.Sprintf("%q", a.Name)
		all = append(all, name)
		if !t.metBy(i) {
			open = append(open, name)
			continue
		}
		met = append(met, name)
		for _, f := range t.found[i][0] {
			if id := t.signer(f.id); t.signedAll(i, id) {
				signers[id] = true
			}
		}
	}
	switch {
	case len(met) == 0:
		return "none by authority " + strings.Join(all, " or ")
	case t.rule.Require != policy.RequireAll:
		return fmt.Sprintf("by %s of the %d needed of authority %s", untrusted.Number(len(signers), "signer"), t.rule.Require, strings.Join(all, " or "))
	case len(open) == 0:
		return "one signer stands for more than one of authority " + strings.Join(all, ", ")
	}
	return "by authority " + strings.Join(met, ", ") + " and not by " + strings.Join(open, ", ")
}
