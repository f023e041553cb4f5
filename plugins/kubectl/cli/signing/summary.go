package signing

import (
	"context"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/verify/attest"
)

// StateSource is what statements say about where the desired state is kept.
type StateSource struct {
	Repository string // URL, empty where it has none
	policy     attest.Resource
}

func NewStateSource(ctx context.Context, s *cli.Session, repo *git.Repo, pipeline *promote.Pipeline) (StateSource, error) {
	remote, err := repo.Remote(ctx)
	if err != nil {
		return StateSource{}, err
	}
	name := pipeline.Metadata.Name
	if name == "" {
		name = "default"
	}
	source := StateSource{Repository: remote, policy: attest.Resource{URI: "urn:kubepromote:pipeline:" + name}}
	if remote != "" && s.Pipeline == "" {
		source.policy.URI = "git+" + remote + "#" + promote.PipelineFile
	}
	return source, nil
}

// Summary makes the statement that an image has come to an environment.
func Summary(verifier, service, image, environment, commit string, verdicts []attest.GateVerdict, source StateSource) (Statement, error) {
	passed := true
	for _, v := range verdicts {
		passed = passed && (v.Verdict == string(promote.Pass) || v.Override != "")
	}
	s, err := attest.NewVSA(attest.VSA{
		Image: image, Verifier: verifier, Version: map[string]string{"kubectl-promote": cli.Version()}, Time: time.Now(),
		Policy: source.policy, Passed: passed, Environment: environment, Service: service,
		Repository: source.Repository, Commit: commit, Gates: verdicts,
	})
	if err != nil {
		return Statement{}, &promote.Error{Msg: service + " in " + environment, Err: err}
	}
	return Statement{Service: service, Image: image, Statement: s}, nil
}

const DefaultVerifierID = "https://github.com/kubepromote/kubepromote"
