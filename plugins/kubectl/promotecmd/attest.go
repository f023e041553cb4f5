package promotecmd

import (
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/signing"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/verify/attest"
	"github.com/spf13/cobra"
)

// ready makes sure, before anything is written, that a commit can be signed for or
// proposed.
func (o *options) ready(cmd *cobra.Command, w *cli.Workspace, plan *promote.Plan) error {
	if err := o.readyToPropose(cmd.Context(), w, plan); err != nil {
		return err
	}
	if err := o.readyToCommit(cmd.Context(), w, plan); err != nil {
		return err
	}
	if o.attest.Key == "" {
		return nil
	}
	if w.Repo == nil || plan.Mode == pipeline.DeliverPullRequest {
		return &cli.UsageError{Msg: "--attest-key signs for a commit in a clone that has it, and that others have", Hint: "promote without it, then kubectl promote attest --all --to " + plan.To + " --key " + shell.Path(o.attest.Key) + " in a clone", Command: cmd.CommandPath()}
	}
	if plan.Mode == pipeline.DeliverPush {
		_, err := o.attest.Signer(cmd.Context(), o.session, cmd.CommandPath())
		return err
	}
	if plan.Mode != pipeline.DeliverCommit {
		return &cli.UsageError{Msg: "--attest-key stands without --commit: there is no commit to attest", Hint: "--commit --attest-key " + shell.Path(o.attest.Key), Command: cmd.CommandPath()}
	}
	shared, err := w.Repo.Shared(cmd.Context())
	if err != nil {
		return err
	}
	if len(shared) > 0 {
		return &cli.UsageError{Msg: "--attest-key signs for a commit that others have, and this one would not be on " + strings.TrimPrefix(shared[0], "refs/remotes/") + " yet",
			Hint: "promote without it, git push, then " + o.later(plan.To, "--all"), Command: cmd.CommandPath()}
	}
	_, err = o.attest.Signer(cmd.Context(), o.session, cmd.CommandPath())
	return err
}

// attestCommit signs for what was committed, where --attest-key asks for it.
func (o *options) attestCommit(cmd *cobra.Command, w *cli.Workspace, plan *promote.Plan, applied *promote.Applied) error {
	if o.attest.Key == "" || o.dryRun || plan.Refusal() != nil {
		return nil
	}
	var services []string
	for _, s := range plan.Services {
		services = append(services, shell.Quote(s.Service))
	}
	again := o.later(plan.To, services...)
	if applied.Commit == "" {
		o.session.Warn("nothing was committed, so nothing is attested; %s attests what is there", again)
		return nil
	}
	if err := o.publish(cmd, w.Promoter, w.Repo, plan, applied.Commit); err != nil {
		return &promote.Error{Msg: "the promotion is committed as " + applied.Commit + ", but not attested", Err: err, Hint: again}
	}
	return nil
}

// later is how what is committed is signed for afterwards, in the same repository.
func (o *options) later(to string, services ...string) string {
	line := fmt.Sprintf("kubectl promote attest %s --to %s --key %s", strings.Join(services, " "), shell.Quote(to), shell.Path(o.attest.Key))
	if at := o.session.Repo; at != "." && !branch.IsURL(at) {
		line += " -C " + shell.Quote(at)
	}
	return line
}

// publish signs the statements about a commit and puts them beside the images.
func (o *options) publish(cmd *cobra.Command, p *promote.Promoter, repo *git.Repo, plan *promote.Plan, commit string) error {
	ctx := cmd.Context()
	source, err := signing.NewStateSource(ctx, o.session, repo, p.Pipeline)
	if err != nil {
		return err
	}
	statements, err := summaries(plan, commit, source)
	if err != nil {
		return err
	}
	job := signing.Job{Session: o.session, Command: cmd.CommandPath(), Environment: plan.To}
	done, err := o.attest.Publish(ctx, job, statements)
	for _, a := range done {
		if !o.session.Quiet {
			fmt.Fprintln(o.session.ErrOut, cli.Clean(a.Service+": attested to have passed "+a.Environment))
		}
	}
	return err
}

// summaries makes a statement for each image that the commit has moved.
func summaries(plan *promote.Plan, commit string, source signing.StateSource) ([]signing.Statement, error) {
	var statements []signing.Statement
	for _, sp := range plan.Services {
		if sp.Answer() != promote.Pass {
			continue // it was left out
		}
		for _, i := range sp.Images {
			if i.New == i.Old || i.New.Digest == "" || i.Unknown != "" {
				continue
			}
			st, err := source.Summary(attest.VSA{Image: i.Repository + "@" + i.New.Digest, Verifier: signing.DefaultVerifierID,
				Environment: plan.To, Service: sp.Service, Commit: commit, Gates: signing.Gates(sp.Verdicts)})
			if err != nil {
				return nil, err
			}
			statements = append(statements, st)
		}
	}
	return statements, nil
}
