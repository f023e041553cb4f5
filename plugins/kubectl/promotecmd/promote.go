// Package promotecmd implements the promotion itself, in the three forms that a
// command line has for it: the root command, run for services that have the name of
// a subcommand, and plan, which writes nothing. All three make the same plan.
package promotecmd

import (
	"context"
	"errors"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/signing"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

// options are the flags of the promotion itself.
type options struct {
	session *cli.Session
	output  *cli.Output
	request cli.Selection
	clock   cli.Clock
	dryRun  bool
	commit  bool
	wait    bool
	at      string
	attest  signing.Options
	// override are the gates to go past, for a reason.
	override []string
	reason   string
}

const example = `  # show what promoting cart from staging to production would change
  kubectl promote cart --to production --dry-run

  # promote it and commit
  kubectl promote cart --to production --commit

  # promote all services that have an overlay in both environments, in one commit
  kubectl promote --all --to staging --commit

  # one team's, without those of one name, and without those that are refused
  kubectl promote -l team=money --except 'legacy-*' --skip-refused --to staging --commit`

// New makes the promotion command, which is also the root.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s, clock: cli.SystemClock()}
	cmd := &cobra.Command{
		Use:     "promote SERVICE... --to ENVIRONMENT",
		Short:   "Promote services to an environment",
		Example: example,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !cmd.Flags().Changed("to") && !o.request.All && !cmd.HasParent() {
				return cmd.Help()
			}
			return o.run(cmd, args)
		},
		ValidArgsFunction: s.CompleteServices,
	}
	o.output = cli.AddOutput(cmd)
	o.addFlags(cmd)
	o.addDelivery(cmd)
	return cmd
}

// addDelivery gives a command the flags about what becomes of a plan.
func (o *options) addDelivery(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.dryRun, "dry-run", false, "show the plan and change nothing")
	f.BoolVar(&o.commit, "commit", false, "commit the edits, with the promotion's record; --commit=false where the pipeline says otherwise")
	f.BoolVar(&o.wait, "wait", false, "ask gates that wait again until they pass, as long as --timeout says")
	f.StringVar(&o.attest.Key, "attest-key", "", "private key file: sign what was committed, as kubectl promote attest does")
}

func (o *options) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	o.session.AddSelection(cmd, &o.request)
	f.BoolVar(&o.request.SkipRefused, "skip-refused", false, "promote the other services where some are refused, wait or are unknown; the exit status tells")
	f.BoolVar(&o.request.AddMissing, "add-missing", false, "add entries that the target lacks, with the source's registry")
	f.StringArrayVar(&o.override, "override", nil, "go past this gate, where the pipeline says that it is overridable; can be repeated")
	f.StringVar(&o.reason, "reason", "", "why gates are overridden; it is recorded")
	cli.Must(cmd.RegisterFlagCompletionFunc("override", cobra.NoFileCompletions))
	cli.Must(cmd.RegisterFlagCompletionFunc("reason", cobra.NoFileCompletions))
}

// NewRun is the root's promotion for services whose names are commands.
func NewRun(s *cli.Session) *cobra.Command {
	cmd := New(s)
	cmd.Use = "run SERVICE... --to ENVIRONMENT"
	cmd.Short = "Promote services, whatever their names"
	cmd.Long = "Promote services. This is what kubectl promote does without a subcommand;\nuse it for a service that has the name of one."
	cmd.Example = "  # promote the service named status\n  kubectl promote run status --to production"
	cmd.GroupID = cli.GroupPromote
	return cmd
}

// NewPlan makes kubectl promote plan: the promotion that is always a dry run.
func NewPlan(s *cli.Session) *cobra.Command {
	o := &options{session: s, clock: cli.SystemClock(), dryRun: true}
	cmd := &cobra.Command{
		Use:     "plan SERVICE... --to ENVIRONMENT",
		Short:   "Show what a promotion would change, and whether it may",
		Long:    "Show what a promotion would change, and whether it may. Nothing is written.\nThis is kubectl promote --dry-run, with the same exit status.",
		Example: "  # the plan as JSON\n  kubectl promote plan cart --to production -o json",
		GroupID: cli.GroupPromote,
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,

		ValidArgsFunction: s.CompleteServices,
	}
	o.output = cli.AddOutput(cmd)
	o.addFlags(cmd)
	cli.AtVar(cmd, &o.at)
	return cmd
}

// run takes one promotion from the command line to its report.
func (o *options) run(cmd *cobra.Command, services []string) error {
	printer, err := o.check(cmd, services)
	if err != nil {
		return err
	}
	p, repo, err := o.session.Open(cmd.Context())
	if err != nil {
		return err
	}
	defer repo.Close()
	plan, err := o.plan(cmd.Context(), p)
	if errors.Is(err, promote.ErrUsage) && !cmd.HasParent() {
		return meant(err, services)
	}
	if err != nil {
		return err
	}
	applied, err := o.apply(cmd, p, repo, plan)
	if err != nil {
		return err
	}
	if err := o.report(printer, plan, applied); err != nil {
		return err
	}
	if err := o.attestCommit(cmd, p, repo, plan, applied); err != nil {
		return err
	}
	return o.session.Refusal(plan)
}

// check makes the request of what the command line says, and gives the printer,
// which is nil for a table.
func (o *options) check(cmd *cobra.Command, services []string) (printers.ResourcePrinter, error) {
	printer, err := o.output.Printer()
	if err != nil {
		return nil, err
	}
	if o.request.To == "" {
		return nil, o.noTarget(cmd, services)
	}
	if err := o.request.Choose(cmd, services); err != nil {
		return nil, err
	}
	switch command := cmd.CommandPath(); {
	case len(o.override) > 0 && o.reason == "":
		return nil, &cli.UsageError{Msg: "--override stands without --reason", Hint: "--override " + o.override[0] + " --reason TEXT", Command: command}
	case len(o.override) == 0 && o.reason != "":
		return nil, &cli.UsageError{Msg: "--reason stands without --override", Hint: "--override GATE --reason " + cli.Quote(o.reason), Command: command}
	case len(o.override) > 0:
		o.request.Override = make(map[string]string)
		for _, gate := range o.override {
			o.request.Override[gate] = o.reason
		}
	}
	o.request.Policy = o.session.VerifyPolicy
	o.request.NoDiff = printer == nil && !o.dryRun && !o.session.Terminal() // where it may be shown to be confirmed
	o.request.Preview = o.dryRun
	// A flag that is given wins over the file, whatever it says.
	if o.commit {
		o.request.Mode = pipeline.DeliverCommit
	} else if cmd.Flags().Changed("commit") {
		o.request.Mode = pipeline.DeliverWorktree
	}
	return printer, nil
}

// plan makes the plan: of another moment where --at says so, and as often as --wait asks for.
// One that waits for a person alone is shown, and made again once somebody has said yes.
func (o *options) plan(ctx context.Context, p *promote.Promoter) (*promote.Plan, error) {
	if o.at != "" {
		at, err := cli.ParseMoment(o.at, o.clock.Now())
		if err != nil {
			return nil, err
		}
		p.Now = func() time.Time { return at }
	}
	plan, err := o.await(ctx, p)
	if err != nil || o.dryRun || !o.session.Terminal() || !cli.NeedsConfirmation(plan) {
		return plan, err
	}
	o.session.PrintWarnings(plan)
	shown := *o
	shown.dryRun = true
	if err := shown.printPlan(o.session.ErrOut, plan, &promote.Applied{}); err != nil {
		return nil, err
	}
	if yes, err := o.session.Confirm(ctx, plan); err != nil || !yes {
		return plan, err
	}
	return o.await(ctx, p)
}

func (o *options) await(ctx context.Context, p *promote.Promoter) (*promote.Plan, error) {
	bar := o.session.NewProgress()
	p.Progress = bar.Show
	ask := func(ctx context.Context) (*promote.Plan, error) {
		defer bar.Clear()
		return p.Plan(ctx, o.request.Request)
	}
	if !o.wait {
		return ask(ctx)
	}
	return o.session.Await(ctx, o.clock, ask)
}

// apply carries a plan out, unless it is refused or only to be shown. A promotion
// that has passed the point where it can be stopped without a trace is finished, not
// interrupted.
func (o *options) apply(cmd *cobra.Command, p *promote.Promoter, repo *git.Repo, plan *promote.Plan) (*promote.Applied, error) {
	if o.dryRun || plan.Refusal() != nil {
		return &promote.Applied{}, nil
	}
	if err := o.ready(cmd, repo, plan); err != nil {
		return nil, err
	}
	applied, err := p.Apply(cmd.Context(), plan)
	if err != nil && cmd.Context().Err() != nil {
		return nil, &promote.Error{Msg: "interrupted; running the same command again is safe", Err: err}
	}
	return applied, err
}

// report prints the plan and what became of it.
func (o *options) report(printer printers.ResourcePrinter, plan *promote.Plan, applied *promote.Applied) error {
	o.session.PrintWarnings(plan)
	var err error
	if printer != nil {
		err = cli.PrintList(o.session.Out, printer, "Promotion", o.objects(plan, applied))
	} else {
		err = o.printPlan(o.session.Out, plan, applied)
	}
	if err != nil && applied.Commit != "" {
		return &promote.Error{Msg: "the promotion is committed as " + applied.Commit + ", but what it did could not be printed", Err: err}
	}
	return err
}
