// Package attestcmd implements kubectl promote attest: a signed summary (SLSA VSA)
// of each image that has been promoted to an environment. The record in the
// repository's history tells which commit did that; it is judged again, and put beside the image in its registry.
package attestcmd

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/signing"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/kubepromote/kubepromote/verify/attest"
	"github.com/spf13/cobra"
)

const long = `Sign that images have been promoted to an environment.

For each image of the services that stands in the environment by its digest, a
verification summary (SLSA VSA) is signed and put beside the image in its
registry: this digest came to this environment, by this commit, under these
verdicts. Which commit that was, and from where, is told by the promotion's record
in the repository's history; a change that has none is refused. The verdicts are
made anew: whether the source had the digest, and what the policy and the gates say
that the pipeline had before that commit. Whatever does not pass is not signed, nor
is what is not on the remote's default branch, or the upstream, yet. The next
environment's gate "promoted" demands such a summary.
` + signing.Long

const example = `  # after a promotion to staging
  kubectl promote attest cart --to staging --key cosign.key

  # show what would be signed
  kubectl promote attest cart --to staging --dry-run -o yaml`

// New makes kubectl promote attest.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:     "attest SERVICE...|--all --to ENVIRONMENT",
		Short:   "Sign that images have been promoted to an environment",
		Long:    long,
		Example: example,
		GroupID: cli.GroupPromote,
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,

		ValidArgsFunction: s.CompleteServices,
	}
	f := cmd.Flags()
	s.EnvironmentVar(cmd, &o.to, "to", "environment whose images are attested")
	f.BoolVar(&o.all, "all", false, "all services of the environment")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be signed and sign nothing")
	f.StringVar(&o.verifier, "verifier-id", signing.DefaultVerifierID, "URI of who has verified, for the summary")
	cli.Must(cmd.RegisterFlagCompletionFunc("verifier-id", cobra.NoFileCompletions))
	o.sign.AddFlags(cmd)
	o.output = cli.AddOutput(cmd)
	return cmd
}

// options are the flags of attest.
type options struct {
	session     *cli.Session
	sign        signing.Options
	to          string
	all, dryRun bool
	verifier    string
	output      *cli.Output
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	services = cli.BareNames(services)
	s := o.session
	switch {
	case o.to == "":
		return &cli.UsageError{Msg: "--to is missing", Command: cmd.CommandPath()}
	case o.all == (len(services) > 0):
		return &cli.UsageError{Msg: "name services, or --all", Command: cmd.CommandPath()}
	}
	printer, err := o.output.Printer() // a wrong one is no reason to sign first
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	p, repo, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	to, err := p.Pipeline.Environment(o.to)
	if err != nil {
		return err
	}
	if to.Elsewhere() {
		return &promote.Error{Msg: to.Name + " is on " + to.Place().String() + ", and what is attested is what this branch has",
			Hint: "--attest-key with the promotion signs for it"}
	}
	statuses, err := o.statuses(ctx, p, repo, services)
	if err != nil {
		return err
	}
	source, err := signing.NewStateSource(ctx, s, repo, p.Pipeline)
	if err != nil {
		return err
	}
	j := &judging{session: s, promoter: p, repo: repo, to: to}
	statements, err := o.statements(ctx, j, statuses, source)
	if err != nil {
		return err
	}
	job := signing.Job{Session: s, Command: cmd.CommandPath(), Environment: o.to, Word: "attested", DryRun: o.dryRun}
	return o.sign.Finish(ctx, job, o.output, printer, statements)
}

// statuses tells what stands in the environment, and since which commit.
func (o *options) statuses(ctx context.Context, p *promote.Promoter, repo *git.Repo, services []string) ([]status.Service, error) {
	statuses, err := status.Read(ctx, p.Pipeline, p.Repo, services)
	if err != nil {
		return nil, err
	}
	for i := range statuses {
		statuses[i].Environments = slices.DeleteFunc(statuses[i].Environments, func(e status.Environment) bool { return e.Environment != o.to })
	}
	err = status.AddHistory(ctx, p.Pipeline, p.Repo, p.Repo.(history.Log), statuses)
	if truncated, ok := errors.AsType[*history.Truncated](err); ok {
		return nil, &promote.Error{Err: &promote.Refused{Answer: promote.Unknown, Verdicts: []promote.Verdict{{
			Gate: "attest", Answer: promote.Unknown, Reason: truncated.Error()}}}, Hint: truncated.HintText()}
	}
	return statuses, err
}

// statements makes a summary for each image. All that is wrong is reported.
func (o *options) statements(ctx context.Context, j *judging, statuses []status.Service, source signing.StateSource) ([]signing.Statement, error) {
	var all []signing.Statement
	var errs []error
	for _, st := range statuses {
		for _, e := range st.Environments {
			if !e.Exists && !o.all {
				errs = append(errs, &promote.Error{Msg: fmt.Sprintf("service %q has no overlay in %s", st.Service, j.to.Name)})
			}
			for _, i := range e.Images {
				verdicts, err := j.verdicts(ctx, st.Service, i)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				one, err := source.Summary(attest.VSA{Image: i.Repository + "@" + i.Digest, Verifier: o.verifier,
					Environment: j.to.Name, Service: st.Service, Commit: i.Last.Commit, Gates: verdicts})
				errs = append(errs, err)
				all = append(all, one)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, &promote.Error{Msg: "no image to attest in " + j.to.Name}
	}
	return all, nil
}
