package policy

import "slices"

// For gives the same policy for what goes to one environment: approvals that an
// authority is asked for have to be for that environment. Everything else means
// the same.
func (p *Policy) For(environment string) *Policy {
	narrowed := *p
	narrowed.Rules = nil
	for _, r := range p.Rules {
		c := *r
		c.Authorities = nil
		for _, a := range r.Authorities {
			b := *a
			b.Attestations = nil
			for _, at := range a.Attestations {
				d := *at
				d.Environment = environment
				b.Attestations = append(b.Attestations, &d)
			}
			c.Authorities = append(c.Authorities, &b)
		}
		narrowed.Rules = append(narrowed.Rules, &c)
	}
	return &narrowed
}

// LacksEnvironment is true if the answer of the rule depends on an environment, and
// none is given: an approval for staging must not count for production because
// somebody has forgotten For.
func (r *Rule) LacksEnvironment() bool {
	return slices.ContainsFunc(r.Authorities, func(a *Authority) bool {
		return slices.ContainsFunc(a.Attestations, (*Attestation).LacksEnvironment)
	})
}
