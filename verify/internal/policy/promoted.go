package policy

import (
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

// Promoted gives a policy that asks the same authorities for a verification summary
// of an environment, in place of a signature or of other attestations. That images
// which no rule matches are allowed is not taken over: nobody is named whose word
// would count for them. It is the digest itself that has been promoted, so the
// summary has to be about it, also where signatures of the images in an index would
// do.
func (p *Policy) Promoted(environment string) *Policy {
	promoted := &Policy{Name: p.Name, Warnings: p.Warnings}
	for _, r := range p.Rules {
		c := r.with(func(a Authority) *Authority { return a.promoted(environment) })
		c.Manifest = ManifestItself
		promoted.Rules = append(promoted.Rules, c)
	}
	return promoted
}

func (a Authority) promoted(environment string) *Authority {
	return a.asked(statement.VSAType, func(r *Attestation) { r.Environment, r.Passed = environment, true })
}
