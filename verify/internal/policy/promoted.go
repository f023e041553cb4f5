package policy

import (
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

// Promoted gives a policy that asks the same authorities for something else: a
// verification summary that says that the image has passed the gates of an
// environment, in place of a signature or of
// other attestations. Conditions that an authority has on verification summaries
// stay, and so do ages, names, logs and the number of distinct signers. An
// authority that is met by every image, as a ClusterImagePolicy may have one,
// attests nothing and is met by none. An image that no rule matches is rejected,
// whatever the policy says of those: nobody is named whose word would count for
// it. It is the digest itself that has been promoted, so the summary has to be
// about it, also where signatures of the images in an index would do. A summary
// in which a gate was overruled does not count. A rule in warn mode stays one.
func (p *Policy) Promoted(environment string) *Policy {
	promoted := &Policy{Name: p.Name, Warnings: p.Warnings}
	for _, r := range p.Rules {
		c := *r
		c.Authorities, c.Manifest = nil, ManifestItself
		for _, a := range r.Authorities {
			c.Authorities = append(c.Authorities, a.promoted(environment))
		}
		promoted.Rules = append(promoted.Rules, &c)
	}
	return promoted
}

func (a *Authority) promoted(environment string) *Authority {
	b := *a
	b.Annotations = nil // of signatures
	if b.Always {
		b.Always, b.Never = false, "it attests nothing"
	}
	b.Attestations = nil
	for _, r := range a.Attestations {
		if r.PredicateType == statement.VSAType {
			c := *r
			c.Environment, c.Passed = environment, true
			b.Attestations = append(b.Attestations, &c)
		}
	}
	if b.Attestations == nil {
		b.Attestations = []*Attestation{{PredicateType: statement.VSAType, Environment: environment, Passed: true}}
	}
	return &b
}
