package kubectl

import (
	"context"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/verify"
)

// stateSource is what statements say about where the desired state is kept.
type stateSource struct {
	repository string // URL, empty where it has none
	policy     verify.Resource
}

func newStateSource(ctx context.Context, s *session, repo *git.Repo, pipeline *promote.Pipeline) (stateSource, error) {
	remote, err := repo.Remote(ctx)
	if err != nil {
		return stateSource{}, err
	}
	name := pipeline.Metadata.Name
	if name == "" {
		name = "default"
	}
	source := stateSource{repository: remote, policy: verify.Resource{URI: "urn:kubepromote:pipeline:" + name}}
	if remote != "" && s.pipeline == "" {
		source.policy.URI = "git+" + remote + "#" + promote.PipelineFile
	}
	return source, nil
}

// summary makes the statement that an image has come to an environment.
func summary(verifier, service, image, environment, commit string, verdicts []verify.GateVerdict, source stateSource) (statement, error) {
	passed := true
	for _, v := range verdicts {
		passed = passed && (v.Verdict == string(promote.Pass) || v.Override != "")
	}
	s, err := verify.NewVSA(verify.VSA{
		Image: image, Verifier: verifier, Version: map[string]string{"kubectl-promote": buildVersion()}, Time: time.Now(),
		Policy: source.policy, Passed: passed, Environment: environment, Service: service,
		Repository: source.repository, Commit: commit, Gates: verdicts,
	})
	if err != nil {
		return statement{}, &promote.Error{Msg: service + " in " + environment, Err: err}
	}
	return statement{service: service, image: image, statement: s}, nil
}

const defaultVerifierID = "https://github.com/kubepromote/kubepromote"
