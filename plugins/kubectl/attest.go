package kubectl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/verify/attest"
	"github.com/spf13/cobra"
)

const attestLong = `Sign that images have been promoted to an environment.

For each image of the services that stands in the environment by its digest, a
verification summary (SLSA VSA) is signed and put beside the image in its
registry: this digest came to this environment, by this commit, under these
verdicts. They are taken from the promotion's record in the repository's history;
a change that has none is refused. The next environment's gate "promoted" demands
such a summary.
` + signLong

const attestExample = `  # after a promotion to staging
  kubectl promote attest cart --to staging --key cosign.key

  # show what would be signed
  kubectl promote attest cart --to staging --dry-run -o yaml`

func newAttestCommand(s *session) *cobra.Command {
	o := &attestOptions{session: s}
	cmd := &cobra.Command{
		Use:     "attest SERVICE...|--all --to ENVIRONMENT",
		Short:   "Sign that images have been promoted to an environment",
		Long:    attestLong,
		Example: attestExample,
		GroupID: groupPromote,
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,

		ValidArgsFunction: s.completeServices,
	}
	f := cmd.Flags()
	f.StringVar(&o.to, "to", "", "environment whose images are attested")
	f.BoolVar(&o.all, "all", false, "all services of the environment")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be signed and sign nothing")
	f.StringVar(&o.verifier, "verifier-id", defaultVerifierID, "URI of who has verified, for the summary")
	must(cmd.RegisterFlagCompletionFunc("to", s.completeEnvironments))
	must(cmd.RegisterFlagCompletionFunc("verifier-id", cobra.NoFileCompletions))
	o.sign.addFlags(cmd)
	o.output = addOutput(cmd)
	return cmd
}

const defaultVerifierID = "https://github.com/kubepromote/kubepromote"

// attestOptions are the flags of attest.
type attestOptions struct {
	session     *session
	sign        signOptions
	to          string
	all, dryRun bool
	verifier    string
	output      *output
}

func (o *attestOptions) run(cmd *cobra.Command, services []string) error {
	s := o.session
	switch {
	case o.to == "":
		return &usageError{msg: "--to is missing", command: cmd.CommandPath()}
	case o.all == (len(services) > 0):
		return &usageError{msg: "name services, or --all", command: cmd.CommandPath()}
	}
	printer, err := o.output.printer() // a wrong one is no reason to sign first
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	p, repo, err := s.openOffline(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	to, err := p.Pipeline.Environment(o.to)
	if err != nil {
		return err
	}
	statuses, err := p.Status(ctx, services)
	if err != nil {
		return err
	}
	if err := p.AddHistory(ctx, repo, statuses); err != nil {
		return err
	}
	source, err := s.stateSource(ctx, repo, p.Pipeline)
	if err != nil {
		return err
	}
	statements, err := o.statements(statuses, to, source)
	if err != nil {
		return err
	}
	job := signingJob{s, cmd.CommandPath(), o.to, "attested", o.dryRun}
	return o.sign.finish(ctx, job, o.output, printer, statements)
}

// openOffline opens the repository for a command that asks no registry about
// its images.
func (s *session) openOffline(ctx context.Context) (*promote.Promoter, *git.Repo, error) {
	s.offline = true
	return s.open(ctx)
}

// stateSource is what statements say about where the desired state is kept.
type stateSource struct {
	repository string // URL, empty where it has none
	policy     attest.Resource
}

func (s *session) stateSource(ctx context.Context, repo *git.Repo, pipeline *promote.Pipeline) (stateSource, error) {
	remote, err := repo.Remote(ctx)
	if err != nil {
		return stateSource{}, err
	}
	name := pipeline.Metadata.Name
	if name == "" {
		name = "default"
	}
	source := stateSource{repository: remote, policy: attest.Resource{URI: "urn:kubepromote:pipeline:" + name}}
	if remote != "" && s.pipeline == "" {
		source.policy.URI = "git+" + remote + "#" + promote.PipelineFile
	}
	return source, nil
}

// statements makes a summary for each image. All that is wrong is reported.
func (o *attestOptions) statements(statuses []promote.ServiceStatus, to *promote.Environment, source stateSource) ([]statement, error) {
	var all []statement
	var errs []error
	for _, st := range statuses {
		for _, e := range st.Environments {
			if e.Environment != to.Name {
				continue
			}
			if !e.Exists && !o.all {
				errs = append(errs, &promote.Error{Msg: fmt.Sprintf("service %q has no overlay in %s", st.Service, to.Name)})
			}
			for _, i := range e.Images {
				one, err := o.recorded(st.Service, i, to, source)
				errs = append(errs, err)
				all = append(all, one)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, &promote.Error{Msg: "no image to attest in " + to.Name}
	}
	return all, nil
}

// recorded makes the summary of an image from the record of its promotion.
func (o *attestOptions) recorded(service string, i promote.ImageStatus, to *promote.Environment, source stateSource) (statement, error) {
	refuse := func(format string, args ...any) (statement, error) {
		return statement{}, &promote.Refused{Answer: promote.Fail, Verdicts: []promote.Verdict{{
			Gate: "attest", Answer: promote.Fail, Reason: fmt.Sprintf("%s in %s: image %q ", service, to.Name, i.Name) + fmt.Sprintf(format, args...)}}}
	}
	switch {
	case i.Digest == "":
		return refuse("is not pinned by its digest")
	case i.Last == nil:
		return refuse("stands so in no commit")
	case i.Last.From == "" && len(to.From) > 0:
		return refuse("was changed by commit %.9s, which has no promotion's record of it", i.Last.Commit)
	}
	var verdicts []attest.GateVerdict
	for _, g := range i.Last.Gates {
		verdicts = append(verdicts, recordedVerdict(g))
	}
	return summary(o.verifier, service, i.Repository+"@"+i.Digest, to.Name, i.Last.Commit, verdicts, source)
}

// recordedVerdict reads "name=answer; reason", as records have it.
func recordedVerdict(text string) attest.GateVerdict {
	name, rest, _ := strings.Cut(text, "=")
	answer, reason, _ := strings.Cut(rest, "; ")
	if answer == promote.Overridden {
		return attest.GateVerdict{Gate: name, Verdict: string(promote.Fail), Override: reason}
	}
	return attest.GateVerdict{Gate: name, Verdict: answer, Reason: reason}
}

// summary makes the statement that an image has come to an environment.
func summary(verifier, service, image, environment, commit string, verdicts []attest.GateVerdict, source stateSource) (statement, error) {
	passed := true
	for _, v := range verdicts {
		passed = passed && (v.Verdict == string(promote.Pass) || v.Override != "")
	}
	s, err := attest.NewVSA(attest.VSA{
		Image: image, Verifier: verifier, Version: map[string]string{"kubectl-promote": buildVersion()}, Time: time.Now(),
		Policy: source.policy, Passed: passed, Environment: environment, Service: service,
		Repository: source.repository, Commit: commit, Gates: verdicts,
	})
	if err != nil {
		return statement{}, &promote.Error{Msg: service + " in " + environment, Err: err}
	}
	return statement{service, image, s}, nil
}

// attestPromotion signs what a promotion has just committed.
func (o *promoteOptions) attestPromotion(ctx context.Context, command string, p *promote.Promoter, repo *git.Repo, plan *promote.Plan, commit string) error {
	source, err := o.session.stateSource(ctx, repo, p.Pipeline)
	if err != nil {
		return err
	}
	var statements []statement
	for _, sp := range plan.Services {
		var verdicts []attest.GateVerdict
		for _, v := range sp.Verdicts {
			given := attest.GateVerdict{Gate: v.Gate, Verdict: string(v.Answer), Reason: v.Reason}
			if v.Override != "" {
				given.Verdict, given.Override = string(promote.Fail), v.Override
			}
			verdicts = append(verdicts, given)
		}
		for _, i := range sp.Images {
			if i.New == i.Old || i.New.Digest == "" {
				continue
			}
			st, err := summary(defaultVerifierID, sp.Service, i.Repository+"@"+i.New.Digest, plan.To, commit, verdicts, source)
			if err != nil {
				return err
			}
			statements = append(statements, st)
		}
	}
	done, err := o.attest.publish(ctx, o.session, command, plan.To, statements)
	for _, a := range done {
		if !o.session.quiet {
			fmt.Fprintln(o.session.ErrOut, clean(a.Service+": attested to have passed "+a.Environment))
		}
	}
	return err
}
