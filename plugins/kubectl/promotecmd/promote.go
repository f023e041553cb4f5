// Package promotecmd implements the promotion itself, in the three forms that a
// command line has for it: the root command, run for services that have the name of
// a subcommand, and plan, which writes nothing. All three make the same plan.
package promotecmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/announce"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/signing"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/proposal"
	"github.com/kubepromote/kubepromote/promote/review"
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
	// how is how the promotion is delivered, as far as flags say it.
	how    cli.Delivery
	wait   bool
	at     string
	attest signing.Options
	// forges are those that pull requests are opened on, by environment and its place.
	forges map[requested]*review.Forge
	// override are the gates to go past, for a reason.
	override []string
	reason   string
	until    string
	// make, if not nil, makes the plans in place of [promote.Promoter.PlanAll].
	make func(context.Context, *cli.Workspace) (*promote.Plans, error)
	// rollback is set where pins are taken back, which no plan file can ask for.
	rollback bool
	// again, if not empty, is the command that goes on where this one was stopped, if that is
	// another one.
	again string
	// after, if not nil, is what comes once all is delivered.
	after func(context.Context, *cli.Workspace, *promote.Plans, []*promote.Applied) error
	// homeHead is the commit of the branch with the pipeline that the plans were made on.
	homeHead string
}

const example = `  # show what promoting cart from staging to production would change
  kubectl promote cart --to production --dry-run

  # promote it and commit
  kubectl promote cart --to production --commit

  # promote all services that have an overlay in both environments, in one commit
  kubectl promote --all --to staging --commit

  # let the build that was just made into the first environment, or the newest there is
  kubectl promote cart --to dev --version v1.3.0 --commit
  kubectl promote --all --to dev --newest --commit

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

func (o *options) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	o.session.AddSelection(cmd, &o.request)
	o.session.AddCluster(cmd)
	f.BoolVar(&o.request.SkipRefused, "skip-refused", false, "promote the other services where some are refused, wait or are unknown; the exit status tells")
	f.BoolVar(&o.request.AddMissing, "add-missing", false, "add entries that the target lacks, with the source's registry")
	f.StringArrayVar(&o.override, "override", nil, "go past this gate, where the pipeline says that it is overridable; can be repeated")
	f.StringVar(&o.reason, "reason", "", "why gates are overridden; it is recorded")
	f.StringVar(&o.until, "until", "", "when overrides end, for example 17:30 or 'friday 17:00'; it is recorded")
	cli.Must(cmd.RegisterFlagCompletionFunc("until", cobra.NoFileCompletions))
	cli.Must(cmd.RegisterFlagCompletionFunc("override", cobra.NoFileCompletions))
	cli.Must(cmd.RegisterFlagCompletionFunc("reason", cobra.NoFileCompletions))
	for _, way := range []string{"version", "newest"} {
		cmd.MarkFlagsMutuallyExclusive(way, "add-missing")
	}
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
		Example: "  # what would change in production\n  kubectl promote plan cart --to production\n\n  # a plan to be reviewed, and applied later as it is\n  kubectl promote plan cart --to production -o json > plan.json\n  kubectl promote apply -f plan.json\n\n  # for the comment of a pull request\n  kubectl promote plan --all --to production -o markdown",
		GroupID: cli.GroupPromote,
		Args:    cobra.ArbitraryArgs,
		RunE:    o.run,

		ValidArgsFunction: s.CompleteServices,
	}
	o.output = cli.AddOutput(cmd, markdown)
	o.addFlags(cmd)
	o.how.AddMode(s, cmd)
	s.TakesURL(cmd)
	cli.AtVar(cmd, &o.at)
	return cmd
}

// run takes one promotion from the command line to its report.
func (o *options) run(cmd *cobra.Command, services []string) error {
	printer, err := o.check(cmd, services)
	if err != nil {
		return err
	}
	return o.carryOut(cmd, printer, services)
}

// carryOut opens the repository, delivers what is asked for, and reports it.
func (o *options) carryOut(cmd *cobra.Command, printer printers.ResourcePrinter, services []string) error {
	w, err := o.session.OpenFor(cmd.Context(), o.request.Targets, o.request.Mode)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := o.request.CheckExcept(cmd.Context(), o.session, w); err != nil {
		return err
	}
	if err := o.adaptMode(cmd, w); err != nil {
		return err
	}
	o.contradictions(w)
	steps, err := o.steps(cmd.Context(), w)
	if err != nil {
		return err
	}
	if len(steps) > 0 {
		return o.carryOutSteps(cmd, printer, w, steps)
	}
	plans, applied, failed := o.deliver(cmd, w)
	if errors.Is(failed, promote.ErrUsage) && !cmd.HasParent() {
		return meant(failed, services)
	}
	if failed != nil && len(applied) == 0 {
		return failed
	}
	o.findSources(cmd.Context(), plans, printer != nil)
	requests, rerr := o.propose(cmd.Context(), w, plans, applied)
	failed = errors.Join(failed, rerr)
	o.session.Part = cli.PartOf(o.request.Shard, cmp.Or(failed, answer(plans, applied)))
	failed = errors.Join(failed, o.report(printer, plans, applied, requests))
	announce.Tell(cmd.Context(), o.session, w, announce.Plans(plans, applied, requests, o.dryRun, o.rollback))
	failed = errors.Join(failed, o.follow(cmd.Context(), w, plans, applied))
	if o.after != nil && failed == nil {
		failed = o.after(cmd.Context(), w, plans, applied)
	}
	for n, a := range applied {
		failed = errors.Join(failed, o.attestCommit(cmd, w, plans.All[n], a))
	}
	if failed != nil && o.wait { // it is told before what was delivered is followed
		failed = cli.Silent(o.session.Fail(failed))
	}
	var refused error // which is told before that, too
	if failed == nil {
		refused = o.refusal(plans, applied)
	}
	err = o.watch(cmd, w, plans, applied, requests)
	switch {
	case failed != nil && err != nil:
		o.session.Fail(err)
		return failed
	case failed != nil || err != nil:
		return errors.Join(failed, err)
	}
	return refused
}

// refusal says why nothing was done, where that is so, and gives the exit status. What
// waits and has been proposed is done as far as it can be: its pull request waits.
func (o *options) refusal(plans *promote.Plans, applied []*promote.Applied) error {
	if answer(plans, applied) != nil {
		return o.session.Refusal(plans)
	}
	if plans.Refused() != nil {
		o.session.PrintRefusal(plans)
	}
	return nil
}

// answer is refusal without a word.
func answer(plans *promote.Plans, applied []*promote.Applied) error {
	for n, plan := range plans.All {
		if r := plan.Refused(); r != nil && (r.Answer != promote.Wait || applied[n].Commit == "") {
			return cli.RefusalStatus(plans)
		}
	}
	return nil
}

// check makes the request of what the command line says, and gives the printer,
// which is nil for a table.
func (o *options) check(cmd *cobra.Command, services []string) (printers.ResourcePrinter, error) {
	printer, err := o.output.Printer()
	if err != nil {
		return nil, err
	}
	if len(o.request.Targets) == 0 {
		return nil, o.noTarget(cmd, services)
	}
	if err := o.request.Choose(cmd, services); err != nil {
		return nil, err
	}
	switch command := cmd.CommandPath(); {
	case len(o.override) > 0 && o.reason == "":
		return nil, &cli.UsageError{Msg: "--override stands without --reason", Hint: "--override " + shell.Quote(o.override[0]) + " --reason TEXT", Command: command}
	case len(o.override) == 0 && o.reason != "":
		return nil, &cli.UsageError{Msg: "--reason stands without --override", Hint: "--override GATE --reason " + shell.Quote(o.reason), Command: command}
	case len(o.override) == 0 && o.until != "":
		return nil, &cli.UsageError{Msg: "--until stands without --override", Hint: "--override GATE --reason TEXT --until " + shell.Quote(o.until), Command: command}
	case len(o.override) > 0:
		if o.until != "" {
			if o.request.OverrideUntil, err = cli.ParseMoment(o.until, o.clock.Now()); err != nil {
				return nil, &cli.UsageError{Msg: fmt.Sprintf("--until %q is no time", o.until), Hint: "--until '2026-12-24 16:00', --until 17:30, or --until 'friday 17:00'", Command: command}
			}
			if !o.request.OverrideUntil.After(o.clock.Now()) {
				return nil, &cli.UsageError{Msg: "--until is over already", Command: command}
			}
		}
		o.request.Override = make(map[string]string)
		for _, gate := range o.override {
			o.request.Override[gate] = o.reason
		}
	}
	return printer, o.settle(cmd, printer)
}

// settle takes what is the same for each way of a promotion.
func (o *options) settle(cmd *cobra.Command, printer printers.ResourcePrinter) (err error) {
	o.request.Policy = o.session.VerifyPolicy
	o.request.NoDiff = printer == nil && !o.dryRun && !o.session.Terminal() // where it may be shown to be confirmed
	o.request.Preview = o.dryRun
	o.request.Mode, err = o.how.Mode(cmd)
	return err
}

// report prints the plans and what became of them: all, or those that were carried out
// before an error.
func (o *options) report(printer printers.ResourcePrinter, plans *promote.Plans, applied []*promote.Applied, requests []*proposal.Result) error {
	commits := ""
	var objects []cli.Object
	for n, a := range applied {
		o.session.PrintWarnings(plans.All[n])
		objects = append(objects, o.objects(plans.All[n], a, requests[n])...)
		if a.Commit != "" {
			commits = strings.TrimPrefix(commits+", "+a.Commit, ", ")
		}
	}
	var err error
	if printer != nil {
		err = cli.PrintListWith(o.session.Out, printer, "Promotion", o.head(plans), objects)
	} else if o.output.Is(markdown) {
		_, err = fmt.Fprint(o.session.Out, comment(plans))
	} else {
		err = o.printPlans(o.session.Out, plans, applied, requests)
	}
	if err != nil && commits != "" {
		return &promote.Error{Msg: "the promotion is committed as " + commits + ", but what it did could not be printed", Err: err}
	}
	return err
}
