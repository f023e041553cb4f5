package pipeline

import (
	"slices"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/internal/yamlfile"
)

// Gate is one condition on what comes to an environment. Just one field is set.
type Gate struct {
	// Promoted demands a signed record of an earlier promotion.
	Promoted *PromotedGate `yaml:"promoted" json:"promoted,omitempty"`
}

// PromotedGate lets those digests pass for which somebody whom the policy names
// has attested that they were promoted to another environment. It stands beside
// the proof from the repository's history: whoever can write to the repository
// can write its history, but cannot sign.
type PromotedGate struct {
	// Environment is where the digest must have been promoted to.
	Environment string `yaml:"environment" json:"environment"`
	// Policy is the path of a VerificationPolicy file in the repository. Its
	// authorities are those whose attestations count.
	Policy string `yaml:"policy" json:"policy"`
}

func (g Gate) check(f *yamlfile.File, path, environment string, names []string) {
	if g.Promoted == nil {
		f.At(path, "promoted: {environment: staging, policy: policies/promotions.yaml}", "the gate says nothing")
		return
	}
	p := g.Promoted
	switch {
	case p.Environment == "":
		f.At(path+".promoted", "environment: staging", "the gate names no environment")
	case !slices.Contains(names, p.Environment):
		f.At(path+".promoted.environment", spelling.Hint(p.Environment, names), "environment %q is not listed", p.Environment)
	case p.Environment == environment:
		f.At(path+".promoted.environment", "", "environment %q waits for a promotion to itself", environment)
	}
	if p.Policy == "" {
		f.At(path+".promoted", "policy: policies/promotions.yaml", "the gate names no policy")
	}
}
