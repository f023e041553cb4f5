package verify

import "context"

// Promoted gives a policy that asks the same authorities for something else: a
// verification summary that says that the image has passed the gates of an
// environment, as [CheckPromotion] looks at it, in place of a signature or of
// other attestations. Conditions that an authority has on verification summaries
// stay, and so do ages, names, logs and the number of distinct signers. An
// authority that is met by every image, as a ClusterImagePolicy may have one,
// attests nothing and is met by none.
func (p *Policy) Promoted(environment string) *Policy {
	promoted := &Policy{name: p.name, allow: p.allow, warnings: p.warnings}
	for _, r := range p.rules {
		c := *r
		c.authorities = nil
		for _, a := range r.authorities {
			c.authorities = append(c.authorities, a.promoted(environment))
		}
		promoted.rules = append(promoted.rules, &c)
	}
	return promoted
}

func (a *authority) promoted(environment string) *authority {
	b := *a
	b.annotations = nil // of signatures
	if b.always {
		b.always, b.never = false, "it attests nothing"
	}
	demand := &attestationRule{
		predicateType: vsaPredicateType,
		conditions:    []predicateRule{promotionRule{PromotionWant{Environment: environment}}},
	}
	b.attestations = []*attestationRule{demand}
	for _, r := range a.attestations {
		if r.predicateType == vsaPredicateType {
			c := *r
			c.conditions = append(demand.conditions[:1:1], r.conditions...)
			b.attestations = []*attestationRule{&c}
		}
	}
	return &b
}

// promotionRule is CheckPromotion as a condition on a predicate.
type promotionRule struct{ want PromotionWant }

func (r promotionRule) eval(_ context.Context, in predicateInput) error {
	s := Statement{fields: in.statement}
	if err := s.read(); err != nil {
		return malformed("%v", err)
	}
	r.want.Digest = in.digest
	return CheckPromotion(s, r.want)
}
