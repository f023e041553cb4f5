package promotecmd

import (
	"context"
	"fmt"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/signing"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/verify"
)

// attestPromotion signs what a promotion has just committed.
func (o *options) attestPromotion(ctx context.Context, command string, p *promote.Promoter, repo *git.Repo, plan *promote.Plan, commit string) error {
	source, err := signing.NewStateSource(ctx, o.session, repo, p.Pipeline)
	if err != nil {
		return err
	}
	var statements []signing.Statement
	for _, sp := range plan.Services {
		var verdicts []verify.GateVerdict
		for _, v := range sp.Verdicts {
			given := verify.GateVerdict{Gate: v.Gate, Verdict: string(v.Answer), Reason: v.Reason}
			if v.Override != "" {
				given.Verdict, given.Override = string(promote.Fail), v.Override
			}
			verdicts = append(verdicts, given)
		}
		for _, i := range sp.Images {
			if i.New == i.Old || i.New.Digest == "" {
				continue
			}
			st, err := signing.Summary(signing.DefaultVerifierID, sp.Service, i.Repository+"@"+i.New.Digest, plan.To, commit, verdicts, source)
			if err != nil {
				return err
			}
			statements = append(statements, st)
		}
	}
	done, err := o.attest.Publish(ctx, o.session, command, plan.To, statements)
	for _, a := range done {
		if !o.session.Quiet {
			fmt.Fprintln(o.session.ErrOut, cli.Clean(a.Service+": attested to have passed "+a.Environment))
		}
	}
	return err
}
