// Package approvalscmd implements kubectl promote approvals: who has approved what would be
// promoted to an environment, when, until when, and what is missing. Nothing is written.
package approvalscmd

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/review"
	"github.com/spf13/cobra"
)

const long = `List who has approved what would be promoted to an environment: reviews of the pull
request that brings it, and signed approvals of its digests, as the environment's gates ask
for them. Those that do not count are listed as well, with the reason: they have expired, are
of a commit that the pull request has not any more, or of somebody who may not approve.
Nothing is written.

The exit status is that of the gates: 4 where an approval is missing, 5 where it could not be
told.`

const example = `  # who has approved cart for production, and who is missing?
  kubectl promote approvals cart --to production

  # with notes, and why some do not count
  kubectl promote approvals cart --to production -o wide`

// New makes kubectl promote approvals.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:               "approvals SERVICE... --to ENVIRONMENT",
		Short:             "Show who has approved a promotion, and who is missing",
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
	o.output = cli.AddOutput(cmd)
	return cmd
}

// options are the flags of approvals.
type options struct {
	session   *cli.Session
	output    *cli.Output
	selection cli.Selection

	mu    sync.Mutex
	found []count
}

// count is how far the approvals of one gate have come, as an API object.
type count struct {
	Service string `json:"service"`
	From    string `json:"from"`
	To      string `json:"to"`
	Gate    string `json:"gate"`
	review.Count
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	o.selection.Policy = o.session.VerifyPolicy
	w, err := o.selection.Open(cmd, o.session, services)
	if err != nil {
		return err
	}
	defer w.Close()
	w.Gates = o.gates
	bar := o.session.NewProgress()
	w.Progress = bar.Show
	plans, err := w.PlanAll(cmd.Context(), o.selection.Request, o.selection.Targets...)
	bar.Clear()
	if err != nil {
		return err
	}
	for _, plan := range plans.All {
		o.session.PrintWarnings(plan)
	}
	o.sort(plans)
	if err := o.session.Print(printer, "ApprovalCount", o.objects(), o.rows()); err != nil {
		return err
	}
	if len(o.found) == 0 && !o.session.Quiet {
		o.none(plans)
	}
	return o.missing()
}

// gates gives in place of an environment's gates those that note the approvals which it
// asks for. The others have no say here.
func (o *options) gates(to *pipeline.Environment) ([]promote.Gate, error) {
	var all []promote.Gate
	for _, g := range to.Gates {
		if g.Promoted == nil {
			n := &noting{o: o, name: g.Title()}
			for _, one := range approvalsOf(g) {
				n.asks = append(n.asks, ask{one.Title(), o.session.Reviews.Counter(one.Approvals)})
			}
			all = append(all, n)
		}
	}
	return all, nil
}

// approvalsOf are those that a gate asks for, itself or as one of several.
func approvalsOf(g pipeline.Gate) []pipeline.Gate {
	if g.Approvals != nil {
		return []pipeline.Gate{g}
	}
	var all []pipeline.Gate
	for _, one := range g.AnyOf {
		all = append(all, approvalsOf(one)...)
	}
	return all
}

// noting is a gate that lists approvals, and stops nothing.
type noting struct {
	o    *options
	name string
	asks []ask
}

// ask is one gate whose approvals are counted.
type ask struct {
	title string
	count func(context.Context, promote.GateRequest) []review.Count
}

// Name implements [promote.Gate].
func (n *noting) Name() string { return n.name }

// Check implements [promote.Gate].
func (n *noting) Check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	for _, a := range n.asks {
		for _, c := range a.count(ctx, q) {
			n.o.mu.Lock()
			n.o.found = append(n.o.found, count{q.Service, q.From, q.To, a.title, c})
			n.o.mu.Unlock()
		}
	}
	return promote.Verdict{Answer: promote.Pass}
}

// sort brings what was found out side by side into the order of the plans.
func (o *options) sort(plans *promote.Plans) {
	rank := make(map[string]int)
	for _, plan := range plans.All {
		for _, s := range plan.Services {
			rank[plan.To+"\n"+s.Service] = len(rank)
		}
	}
	slices.SortStableFunc(o.found, func(a, b count) int {
		return cmp.Or(rank[a.To+"\n"+a.Service]-rank[b.To+"\n"+b.Service], cmp.Compare(a.Gate, b.Gate), cmp.Compare(a.Image, b.Image))
	})
}

func (o *options) objects() []cli.Object {
	items := []cli.Object{}
	for _, c := range o.found {
		items = append(items, cli.Object{Name: c.Service + "-" + c.Gate, Content: c})
	}
	return items
}

// rows are the approvals, a row each, and one for what nobody has approved.
func (o *options) rows() [][]string {
	rows := [][]string{{"SERVICE", "TO", "GATE", "WHO", "STATE", "GIVEN", "UNTIL", "WHAT"}}
	if o.output.Wide() {
		rows[0] = append(rows[0], "NOTE", "REASON")
	}
	for _, c := range o.found {
		all := c.Given
		if len(all) == 0 {
			all = []review.Given{{Who: "nobody", State: "-"}}
		}
		for _, g := range all {
			row := []string{c.Service, c.To, c.Gate, g.Who, string(g.State), moment(g.At), moment(g.Until), what(c, g)}
			if o.output.Wide() {
				row = append(row, cli.Dash(g.Note), cli.Dash(g.Reason))
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// what is that which is approved: a digest, or a pull request at a commit.
func what(c count, g review.Given) string {
	if c.Image != "" {
		_, digest, _ := strings.Cut(c.Image, "@")
		return cli.ShortDigest(digest)
	}
	if c.Number == 0 {
		return "-"
	}
	return fmt.Sprintf("#%d at %.9s", c.Number, cmp.Or(g.Commit, c.Commit))
}

// none says why there is nothing to list.
func (o *options) none(plans *promote.Plans) {
	for _, plan := range plans.All {
		switch {
		case !plan.Changed():
			fmt.Fprintf(o.session.ErrOut, "nothing to approve: %s has it already\n", cli.Clean(plan.To))
		default:
			fmt.Fprintf(o.session.ErrOut, "no gate of %s asks for approvals\n", cli.Clean(plan.To))
		}
	}
}

// missing says what is missing, and gives the exit status.
func (o *options) missing() error {
	var facts []cli.Fact
	var answers []promote.Answer
	for _, c := range o.found {
		v := c.Verdict
		answers = append(answers, v.Answer)
		facts = append(facts, cli.Fact{Text: fmt.Sprintf("%s: %s: %s: %s", c.Service, c.Gate, v.Answer, v.Text()), Hint: o.session.WithAdvice(v.Hint, string(v.Advice.Do), v.Advice.With)})
	}
	if worst := promote.Worst(answers...); worst != promote.Pass {
		o.session.PrintFacts(facts)
		return cli.Silent(cli.AnswerStatus(worst))
	}
	return nil
}
