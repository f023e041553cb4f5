package signing

import (
	"cmp"
	"context"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/verify/attest"
)

// StateSource is what statements say about where the desired state is kept.
type StateSource struct {
	Repository string // URL, empty where it has none
	policy     attest.Resource
}

// NewStateSource asks the repository where it comes from.
func NewStateSource(ctx context.Context, s *cli.Session, repo *git.Repo, p *pipeline.Pipeline) (StateSource, error) {
	remote, err := repo.Remote(ctx)
	if err != nil {
		return StateSource{}, err
	}
	source := StateSource{Repository: remote, policy: attest.Resource{URI: "urn:kubepromote:pipeline:" + cmp.Or(p.Metadata.Name, "default")}}
	if remote != "" && s.Pipeline == "" {
		source.policy.URI = "git+" + remote + "#" + pipeline.FileName
	}
	return source, nil
}

// Summary makes the statement that an image has come to an environment. Of the
// summary, the caller says what has come where, by which commit and under which
// verdicts; the rest is the same for all of a command line.
func (source StateSource) Summary(v attest.VSA) (Statement, error) {
	v.Version, v.Time = map[string]string{"kubectl-promote": cli.Version()}, time.Now()
	v.Policy, v.Repository, v.Passed = source.policy, source.Repository, true
	for _, g := range v.Gates {
		v.Passed = v.Passed && (g.Verdict == string(promote.Pass) || g.Override != "")
	}
	s, err := attest.NewVSA(v)
	if err != nil {
		return Statement{}, &promote.Error{Msg: v.Service + " in " + v.Environment, Err: err}
	}
	return Statement{Service: v.Service, Image: v.Image, Statement: s}, nil
}

// Gates gives verdicts as a summary has them: one that was overruled with what the
// gate had said.
func Gates(verdicts []promote.Verdict) []attest.GateVerdict {
	var gates []attest.GateVerdict
	for _, v := range verdicts {
		given := attest.GateVerdict{Gate: v.Gate, Verdict: string(v.Answer), Reason: v.Reason, Override: v.Override}
		if v.Override != "" {
			given.Verdict = string(promote.Fail)
		}
		gates = append(gates, given)
	}
	return gates
}

// DefaultVerifierID is who has verified, for a summary, where nobody says otherwise.
const DefaultVerifierID = "https://github.com/kubepromote/kubepromote"
