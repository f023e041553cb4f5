package verify

import (
	"context"
	"slices"
)

// Promoted gives a policy that asks the same authorities for something else: a
// verification summary that says that the image has passed the gates of an
// environment, as [CheckPromotion] looks at it, in place of a signature or of
// other attestations. Conditions that an authority has on verification summaries
// stay, and so do ages, names, logs and the number of distinct signers. An
// authority that is met by every image, as a ClusterImagePolicy may have one,
// attests nothing and is met by none. An image that no rule matches is rejected,
// whatever the policy says of those: nobody is named whose word would count for
// it. It is the digest itself that has been promoted, so the summary has to be
// about it, also where signatures of the images in an index would do. A summary
// in which a gate was overruled does not count. A rule in warn mode stays one.
func (p *Policy) Promoted(environment string) *Policy {
	promoted := &Policy{name: p.name, warnings: p.warnings}
	for _, r := range p.rules {
		c := *r
		c.authorities, c.manifest = nil, manifestIndex
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
	passed := []predicateRule{promotionRule{PromotionWant{Environment: environment, NoOverride: true}}}
	b.attestations = nil
	for _, r := range a.attestations {
		if r.predicateType == vsaPredicateType {
			c := *r
			c.conditions = append(slices.Clip(passed), r.conditions...)
			b.attestations = append(b.attestations, &c)
		}
	}
	if b.attestations == nil {
		b.attestations = []*attestationRule{{predicateType: vsaPredicateType, conditions: passed}}
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
