package verify

import "context"

// For gives the same policy for what goes to one environment: approvals that an
// authority is asked for have to be for that environment. That they have not
// expired is looked at in any case. Everything else means the same.
func (p *Policy) For(environment string) *Policy {
	narrowed := *p
	narrowed.rules = nil
	for _, r := range p.rules {
		c := *r
		c.authorities = nil
		for _, a := range r.authorities {
			b := *a
			b.attestations = nil
			for _, at := range a.attestations {
				d := *at
				d.environment = environment
				b.attestations = append(b.attestations, &d)
			}
			c.authorities = append(c.authorities, &b)
		}
		narrowed.rules = append(narrowed.rules, &c)
	}
	return &narrowed
}

// approvalRule is CheckApproval as a condition on a predicate.
type approvalRule struct{ want ApprovalWant }

func (r approvalRule) eval(_ context.Context, in predicateInput) error {
	s := Statement{fields: in.statement}
	if err := s.read(); err != nil {
		return malformed("%v", err)
	}
	r.want.Digest = in.digest
	return r.want.check(s)
}

// NeedsEnvironment tells whether the policy asks for approvals and has not been told
// by [Policy.For] for which environment: one for any environment would do then.
func (p *Policy) NeedsEnvironment() bool {
	for _, r := range p.rules {
		for _, a := range r.authorities {
			for _, at := range a.attestations {
				if at.predicateType == approvalPredicateType && at.environment == "" {
					return true
				}
			}
		}
	}
	return false
}
