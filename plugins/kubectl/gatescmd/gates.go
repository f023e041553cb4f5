// Package gatescmd implements kubectl promote gates: what the gates of an environment say
// of services that would be promoted to it, and until when. Nothing is written.
package gatescmd

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/across"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/record"
	"github.com/spf13/cobra"
)

const long = `Show what each gate of an environment says of services that would be promoted to it,
why, and until when. Nothing is written. The exit status is that of the promotion: 3 where
a gate refuses, 4 where one waits, 5 where one could not be asked.

--wait asks again until no gate waits any more, or --timeout is over. --at asks about
another moment.`

const example = `  # may cart go to production now?
  kubectl promote gates cart --to production

  # and on friday at five?
  kubectl promote gates cart --to production --at 'friday 17:00'

  # wait up to half an hour for it
  kubectl promote gates cart --to production --wait --timeout 30m

  # what may go to production now, of all repositories that a file lists
  kubectl promote gates --all --to production --fleet fleet.yaml`

// New makes kubectl promote gates.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s, clock: cli.SystemClock()}
	cmd := &cobra.Command{
		Use:               "gates SERVICE... --to ENVIRONMENT",
		Short:             "Show which gates a promotion would pass, and until when not",
		Long:              long,
		Example:           example,
		GroupID:           cli.GroupPromote,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: s.CompleteServices,
		RunE:              o.run,
	}
	s.AddSelection(cmd, &o.selection)
	s.TakesURL(cmd)
	s.TargetVar(cmd)
	s.AddCluster(cmd)
	cmd.Flags().BoolVar(&o.wait, "wait", false, "ask again until no gate waits any more, as long as --timeout says")
	cli.AtVar(cmd, &o.at)
	across.Var(cmd, &o.fleet)
	cmd.MarkFlagsMutuallyExclusive("at", "wait")
	cmd.MarkFlagsMutuallyExclusive("fleet", "wait")
	cmd.MarkFlagsMutuallyExclusive("fleet", "shard")
	o.output = cli.AddOutput(cmd)
	return cmd
}

// options are the flags of gates.
type options struct {
	session   *cli.Session
	output    *cli.Output
	selection cli.Selection
	clock     cli.Clock
	wait      bool
	at        string
	fleet     string
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	o.selection.Policy = o.session.VerifyPolicy
	if o.fleet != "" {
		return o.showFleet(cmd, printer, services)
	}
	w, err := o.selection.Open(cmd, o.session, services)
	if err != nil {
		return err
	}
	defer w.Close()
	plans, err := o.ask(cmd.Context(), w)
	if err != nil {
		return err
	}
	o.session.Part = cli.PartOf(o.selection.Shard, cli.RefusalStatus(plans))
	if err := o.session.Print(printer, "GateVerdict", objects(plans), rows(plans)); err != nil {
		return err
	}
	if printer == nil {
		return o.hints(plans)
	}
	return o.session.Refusal(plans)
}

// ask asks the gates of a repository, and tells what is to be warned of.
func (o *options) ask(ctx context.Context, w *cli.Workspace) (*promote.Plans, error) {
	plans, err := o.plan(ctx, w)
	if err != nil {
		return nil, err
	}
	for _, plan := range plans.All {
		o.session.PrintWarnings(plan)
	}
	return plans, nil
}

func (o *options) plan(ctx context.Context, w *cli.Workspace) (*promote.Plans, error) {
	bar := o.session.NewProgress()
	defer bar.Clear()
	ask := func(ctx context.Context) (*promote.Plans, error) {
		defer bar.Clear()
		w.Progress = bar.Show
		return w.PlanAll(ctx, o.selection.Request, o.selection.Targets...)
	}
	if o.at != "" {
		at, err := cli.ParseMoment(o.at, o.clock.Now())
		if err != nil {
			return nil, err
		}
		w.Now = func() time.Time { return at }
	}
	if !o.wait {
		return ask(ctx)
	}
	return o.session.AwaitIn(ctx, o.clock, w, ask)
}

// verdict is what one gate says of one service, as an API object.
type verdict struct {
	Service string `json:"service"`
	From    string `json:"from"`
	To      string `json:"to"`
	Head    string `json:"head,omitempty"`
	promote.Verdict
}

func objects(plans *promote.Plans) []cli.Object {
	items := []cli.Object{}
	for _, plan := range plans.All {
		for _, s := range plan.Services {
			for _, v := range s.Verdicts {
				items = append(items, cli.Object{Name: s.Service + "-" + v.Gate, Content: verdict{s.Service, plan.From, plan.To, plan.Head, v}})
			}
		}
	}
	return items
}

func rows(plans *promote.Plans) [][]string {
	if len(plans.All) == 1 {
		return rowsOf(plans.All[0], nil)
	}
	return rowsOfAll(plans)
}

// rowsOfAll are rows with their environment in front.
func rowsOfAll(plans *promote.Plans) [][]string {
	var all [][]string
	for n, plan := range plans.All {
		more := rowsOf(plan, []string{plan.To})
		if n > 0 {
			more = more[1:]
		} else {
			more[0][0] = "TO"
		}
		all = append(all, more...)
	}
	return all
}

// rowsOf are the rows of one plan, behind first where several environments are asked about.
func rowsOf(plan *promote.Plan, first []string) [][]string {
	rows := [][]string{append(slices.Clone(first), "SERVICE", "GATE", "ANSWER", "UNTIL", "REASON")}
	for _, s := range plan.Services {
		for _, v := range s.Verdicts {
			until, answer, reason := "-", string(v.Answer), v.Text()
			if !v.Until.IsZero() {
				until = v.Until.Local().Format("2006-01-02 15:04:05")
			}
			if v.Override != "" {
				answer, reason = record.Overridden, v.Override+": "+reason
			}
			rows = append(rows, append(slices.Clone(first), s.Service, v.Gate, answer, until, cli.Dash(reason)))
		}
		if len(s.Verdicts) == 0 {
			rows = append(rows, append(slices.Clone(first), s.Service, "-", string(promote.Pass), "-", nothing(s)))
		}
	}
	return rows
}

// nothing says why no gate was asked.
func nothing(s *promote.ServicePlan) string {
	if s.Changed() {
		return "there is no gate"
	}
	return "nothing would change"
}

// hints tells below the table what can be typed, and gives the exit status.
func (o *options) hints(plans *promote.Plans) error {
	refused := plans.Refused()
	if refused == nil {
		return nil
	}
	var facts []cli.Fact
	for _, plan := range plans.All {
		for _, s := range plan.Services {
			for _, v := range s.Verdicts {
				hint := o.session.WithAdvice(v.Hint, string(v.Advice.Do), v.Advice.With)
				if v.Answer != promote.Pass && hint != "" {
					facts = append(facts, cli.Fact{Text: fmt.Sprintf("%s: %s: %s", s.Service, v.Gate, v.Answer), Hint: hint})
				}
			}
		}
	}
	o.session.PrintFacts(facts)
	return cli.Silent(cli.AnswerStatus(refused.Answer))
}
