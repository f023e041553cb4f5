package policy

import "github.com/kubepromote/kubepromote/verify/internal/statement"

// Approved gives a policy that asks the same authorities for approvals of an environment,
// in place of a signature or of other attestations. It is the digest itself that is
// approved.
func (p *Policy) Approved(environment string) *Policy {
	approved := &Policy{Name: p.Name, Warnings: p.Warnings}
	for _, r := range p.Rules {
		c := r.with(func(a Authority) *Authority { return a.approved(environment) })
		c.Manifest = ManifestItself
		approved.Rules = append(approved.Rules, c)
	}
	return approved
}

func (a Authority) approved(environment string) *Authority {
	return a.asked(statement.ApprovalType, func(r *Attestation) { r.Environment = environment })
}

// asked gives an authority that attests one type alone: what the policy demands of it
// stays.
func (a Authority) asked(predicateType string, demand func(*Attestation)) *Authority {
	attestations := a.Attestations
	a.Annotations, a.Attestations = nil, nil // the former are of signatures
	if a.Always {
		a.Always, a.Never = false, "it attests nothing"
	}
	for _, r := range attestations {
		if r.PredicateType == predicateType {
			c := *r
			demand(&c)
			a.Attestations = append(a.Attestations, &c)
		}
	}
	if a.Attestations == nil {
		r := &Attestation{PredicateType: predicateType}
		demand(r)
		a.Attestations = []*Attestation{r}
	}
	return &a
}
