package kubectl

import (
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify"
	"github.com/spf13/cobra"
)

const approveLong = `Sign an approval of what would be promoted to an environment.

The plan is made as for the promotion itself. For each image that it would bring
to the environment, an approval of its digest is signed and put beside the image
in its registry. An approval is for one digest in one environment: it does not
hold for what a tag becomes later. A verification policy counts approvals, m of n
distinct people, by the predicate type "approval".
` + signLong

const approveExample = `  # approve what is in staging for production, for a day
  kubectl promote approve cart --to production --key me.key --expires 24h --note "release 42"`

func newApproveCommand(s *session) *cobra.Command {
	o := &approveOptions{session: s}
	cmd := &cobra.Command{
		Use:     "approve SERVICE...|--all --to ENVIRONMENT",
		Short:   "Sign an approval of what would be promoted",
		Long:    approveLong,
		Example: approveExample,
		GroupID: groupPromote,
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,

		ValidArgsFunction: s.completeServices,
	}
	f := cmd.Flags()
	f.StringVar(&o.request.To, "to", "", "environment to approve for")
	f.StringVar(&o.request.From, "from", "", "environment to promote from (default: the one the pipeline names)")
	f.BoolVar(&o.request.All, "all", false, "all services that have an overlay in both environments")
	f.StringArrayVar(&o.request.Images, "image", nil, "only this image, by the name of its entry; can be repeated")
	f.StringVar(&o.approver, "as", "", "your name, for people; who it was, the signature says")
	f.StringVar(&o.note, "note", "", "why")
	f.DurationVar(&o.expires, "expires", 0, "how long the approval holds, for example 24h (default: without end)")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be signed and sign nothing")
	must(cmd.RegisterFlagCompletionFunc("to", s.completeEnvironments))
	must(cmd.RegisterFlagCompletionFunc("from", s.completeEnvironments))
	must(cmd.RegisterFlagCompletionFunc("image", s.completeImages))
	for _, name := range []string{"as", "note", "expires"} {
		must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	o.sign.addFlags(cmd)
	o.output = addOutput(cmd)
	return cmd
}

// approveOptions are the flags of approve.
type approveOptions struct {
	session        *session
	request        promote.Request
	sign           signOptions
	approver, note string
	expires        time.Duration
	dryRun         bool
	output         *output
}

func (o *approveOptions) run(cmd *cobra.Command, services []string) error {
	s := o.session
	switch {
	case o.request.To == "":
		return &usageError{msg: "--to is missing", command: cmd.CommandPath()}
	case o.request.All == (len(services) > 0):
		return &usageError{msg: "name services, or --all", command: cmd.CommandPath()}
	case o.expires < 0:
		return &usageError{msg: "--expires is negative", command: cmd.CommandPath()}
	}
	printer, err := o.output.printer() // a wrong one is no reason to sign first
	if err != nil {
		return err
	}
	o.request.Services = services
	ctx := cmd.Context()
	p, repo, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	bar := s.newProgress()
	p.Progress = bar.show
	plan, err := p.Plan(ctx, o.request)
	bar.clear()
	if err != nil {
		return err
	}
	source, err := s.stateSource(ctx, repo, p.Pipeline)
	if err != nil {
		return err
	}
	statements, err := o.statements(plan, source)
	if err != nil {
		return err
	}
	s.printWarnings(plan)
	job := signingJob{s, cmd.CommandPath(), plan.To, "approved", o.dryRun}
	return o.sign.finish(ctx, job, o.output, printer, statements)
}

// statements makes an approval for each image that the plan would move. What a
// gate says against it does not matter: the gate may be waiting for this.
func (o *approveOptions) statements(plan *promote.Plan, source stateSource) ([]statement, error) {
	now := time.Now()
	var all []statement
	for _, sp := range plan.Services {
		for _, i := range sp.Images {
			if i.New == i.Old {
				continue
			}
			if i.New.Digest == "" {
				return nil, &promote.Refused{Answer: promote.Unknown, Verdicts: []promote.Verdict{{Gate: "approve", Answer: promote.Unknown,
					Reason: fmt.Sprintf("%s: the digest of image %q is not known", sp.Service, i.Name)}}}
			}
			a := verify.Approval{
				Image: i.Repository + "@" + i.New.Digest, Environment: plan.To, Service: sp.Service, Commit: plan.Head,
				Repository: source.repository, Approver: o.approver, Note: o.note, Time: now,
			}
			if o.expires > 0 {
				a.Expires = now.Add(o.expires)
			}
			s, err := verify.NewApproval(a)
			if err != nil {
				return nil, &promote.Error{Msg: sp.Service, Err: err}
			}
			all = append(all, statement{sp.Service, a.Image, s})
		}
	}
	if len(all) == 0 {
		return nil, &promote.Error{Msg: "nothing to approve: " + plan.To + " has it already"}
	}
	return all, nil
}
