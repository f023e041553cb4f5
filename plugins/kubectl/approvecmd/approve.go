// Package approvecmd implements kubectl promote approve: a signed approval of each
// digest that a promotion would bring to an environment, put beside the image in its
// registry. The promotion is planned, and not carried out; what its gates say does
// not matter.
package approvecmd

import (
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/announce"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/signing"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/events"
	"github.com/kubepromote/kubepromote/verify/attest"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

const long = `Sign an approval of what would be promoted to an environment.

The plan is made as for the promotion itself. For each image that it would bring
to the environment, an approval of its digest is signed and put beside the image
in its registry. An approval is for one digest in one environment: it does not
hold for what a tag becomes later. A verification policy counts approvals, m of n
distinct people, by the predicate type "approval".
` + signing.Long

const example = `  # approve what is in staging for production, for a day
  kubectl promote approve cart --to production --key me.key --expires 24h --note "release 42"

  # approve what comes into the first environment
  kubectl promote approve cart --to dev --version v1.4.0 --key me.key`

// New makes kubectl promote approve.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:     "approve SERVICE...|--all --to ENVIRONMENT",
		Short:   "Sign an approval of what would be promoted",
		Long:    long,
		Example: example,
		GroupID: cli.GroupPromote,
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,

		ValidArgsFunction: s.CompleteServices,
	}
	f := cmd.Flags()
	s.EnvironmentVar(cmd, &o.request.To, "to", "environment to approve for")
	s.EnvironmentVar(cmd, &o.request.From, "from", "environment to promote from (default: the one the pipeline names)")
	f.BoolVar(&o.request.All, "all", false, "all services that have an overlay in both environments")
	f.StringArrayVar(&o.request.Images, "image", nil, "only this image, by the name of its entry; can be repeated")
	cli.AddEntry(cmd, &o.request)
	f.StringVar(&o.approver, "as", "", "your name, for people; who it was, the signature says")
	f.StringVar(&o.note, "note", "", "why")
	f.DurationVar(&o.expires, "expires", 0, "how long the approval holds, for example 24h (default: without end)")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be signed and sign nothing")
	cli.Must(cmd.RegisterFlagCompletionFunc("image", s.CompleteImages))
	for _, name := range []string{"as", "note", "expires"} {
		cli.Must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	cli.MayBeEmpty(cmd, "note")
	o.sign.AddFlags(cmd)
	o.output = cli.AddOutput(cmd)
	return cmd
}

// options are the flags of approve.
type options struct {
	session        *cli.Session
	request        promote.Request
	sign           signing.Options
	approver, note string
	expires        time.Duration
	dryRun         bool
	output         *cli.Output
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	services = cli.BareNames(services)
	s := o.session
	switch {
	case o.request.To == "":
		return &cli.UsageError{Msg: "--to is missing", Command: cmd.CommandPath()}
	case o.request.All == (len(services) > 0):
		return &cli.UsageError{Msg: "name services, or --all", Command: cmd.CommandPath()}
	case o.expires < 0:
		return &cli.UsageError{Msg: "--expires is negative", Command: cmd.CommandPath()}
	}
	printer, err := o.output.Printer() // a wrong one is no reason to sign first
	if err != nil {
		return err
	}
	o.request.Services, o.request.Preview = services, true
	ctx := cmd.Context()
	p, repo, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer repo.Close()
	bar := s.NewProgress()
	p.Progress = bar.Show
	p.Gates = nil // they are asked when it is promoted
	plan, err := p.Plan(ctx, o.request)
	bar.Clear()
	if err == nil {
		err = plan.Failed()
	}
	if err != nil {
		return err
	}
	source, err := signing.NewStateSource(ctx, s, repo, p.Pipeline)
	if err != nil {
		return err
	}
	statements, err := o.statements(plan, source)
	if err != nil {
		return err
	}
	s.PrintWarnings(plan)
	if len(statements) == 0 {
		return o.nothing(printer, plan.To)
	}
	job := signing.Job{Session: s, Command: cmd.CommandPath(), Environment: plan.To, Word: "approved", DryRun: o.dryRun}
	if err := o.sign.Finish(ctx, job, o.output, printer, statements); err != nil || o.dryRun {
		return err
	}
	announce.Tell(ctx, s, &cli.Workspace{Promoter: p, Repo: repo}, o.approved(plan))
	return nil
}

// approved makes an event of each service that was signed for.
func (o *options) approved(plan *promote.Plan) []events.Event {
	all := announce.Plans(&promote.Plans{All: []*promote.Plan{plan}}, nil, nil, true, false)
	for n := range all {
		all[n].Kind, all[n].Reason = events.Approved, o.note
		all[n].By, all[n].Gates, all[n].Until = o.approver, nil, time.Time{}
		if o.expires > 0 {
			all[n].Until = time.Now().Add(o.expires)
		}
	}
	return all
}

// nothing says that there is nothing to approve, which is no failure: a job in CI asks
// for approvals whenever it runs.
func (o *options) nothing(printer printers.ResourcePrinter, to string) error {
	if !o.session.Quiet {
		fmt.Fprintln(o.session.ErrOut, cli.Clean("nothing to approve: "+to+" has it already"))
	}
	if printer == nil {
		return nil
	}
	return cli.PrintList(o.session.Out, printer, "Attestation", []cli.Object{})
}

// statements makes an approval for each image that the plan would move. What a
// gate says against it does not matter: the gate may be waiting for this.
func (o *options) statements(plan *promote.Plan, source signing.StateSource) ([]signing.Statement, error) {
	now := time.Now()
	unknown := func(format string, args ...any) error {
		return &promote.Refused{Answer: promote.Unknown, Verdicts: []promote.Verdict{{Gate: "approve", Answer: promote.Unknown, Reason: fmt.Sprintf(format, args...)}}}
	}
	var all []signing.Statement
	for _, sp := range plan.Services {
		for _, i := range sp.Images {
			if i.New == i.Old {
				continue
			}
			if i.New.Digest == "" {
				return nil, unknown("%s: the digest of image %q is not known", sp.Service, i.Name)
			}
			if i.Unknown != "" {
				return nil, unknown("%s: image %q: %s, so an approval of it has no place", i.File, i.Name, i.Unknown)
			}
			a := attest.Approval{
				Image: i.Repository + "@" + i.New.Digest, Environment: plan.To, Service: sp.Service, Commit: plan.Head,
				Repository: source.Repository, Approver: o.approver, Note: o.note, Time: now,
			}
			if o.expires > 0 {
				a.Expires = now.Add(o.expires)
			}
			s, err := attest.NewApproval(a)
			if err != nil {
				return nil, &promote.Error{Msg: sp.Service, Err: err}
			}
			all = append(all, signing.Statement{Service: sp.Service, Image: a.Image, Statement: s})
		}
	}
	return all, nil
}
