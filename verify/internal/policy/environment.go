package policy

import (
	"slices"

	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

// For gives the same policy for what goes to one environment: approvals that an
// authority is asked for have to be for that environment. Everything else means
// the same.
func (p *Policy) For(environment string) *Policy {
	narrowed := *p
	narrowed.Rules = nil
	for _, r := range p.Rules {
		narrowed.Rules = append(narrowed.Rules, r.with(func(a Authority) *Authority {
			attestations := a.Attestations
			a.Attestations = nil
			for _, at := range attestations {
				d := *at
				d.Environment = environment
				a.Attestations = append(a.Attestations, &d)
			}
			return &a
		}))
	}
	return &narrowed
}

// AsksService is true if the answer of the rule depends on the service that an image
// is for: approvals and summaries of promotions may name one.
func (r *Rule) AsksService() bool {
	return slices.ContainsFunc(r.Authorities, func(a *Authority) bool {
		return slices.ContainsFunc(a.Attestations, func(at *Attestation) bool { return at.Passed || at.PredicateType == statement.ApprovalType })
	})
}

// with gives a copy of the rule with other authorities, each made of a copy.
func (r *Rule) with(other func(Authority) *Authority) *Rule {
	c := *r
	c.Authorities = nil
	for _, a := range r.Authorities {
		c.Authorities = append(c.Authorities, other(*a))
	}
	return &c
}

// LacksEnvironment is true if the answer of the rule depends on an environment, and
// none is given: an approval for staging must not count for production because
// somebody has forgotten For.
func (r *Rule) LacksEnvironment() bool {
	return slices.ContainsFunc(r.Authorities, func(a *Authority) bool {
		return slices.ContainsFunc(a.Attestations, (*Attestation).LacksEnvironment)
	})
}
