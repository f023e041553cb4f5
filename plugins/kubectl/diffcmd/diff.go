// Package diffcmd implements kubectl promote diff, which shows what a promotion changes in
// the objects that are applied, kubectl promote parity, which shows what two environments do
// not have in common, and kubectl promote drift, which shows what clusters do not have as
// Git has it.
package diffcmd

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// The exit statuses of all three commands, which are those of kubectl diff.
const (
	exitDifferent = 1
	exitFailed    = 2
)

// markdown is the format of -o for pull requests.
const markdown = "markdown"

// mostLines bounds the objects, and the fields, that are shown as Markdown.
const mostLines = 200

const long = `Show what a promotion would change in the objects that are applied: the target's overlays
are rendered as they are committed and with the promotion's edits, and compared object by
object, field by field. Each field is shown with the file and line that it comes from.
Values of Secrets are masked. Nothing is written, and neither policies nor gates are asked.

Rendering is done in process, with nothing but the repository: no base is fetched, no
program is run. What would need that is told, and is a failure.

Exit status: 0 nothing changes, 1 something does, 2 something failed.`

const example = `  # what promoting cart changes in production
  kubectl promote diff cart --to production

  # of all services, for a pull request
  kubectl promote diff --all --to production -o markdown`

// New makes kubectl promote diff.
func New(s *cli.Session) *cobra.Command {
	o := &options{session: s}
	cmd := &cobra.Command{
		Use:               "diff SERVICE... --to ENVIRONMENT",
		Short:             "Show what a promotion changes in the objects that are applied",
		Long:              long,
		Example:           example,
		GroupID:           cli.GroupPromote,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: s.CompleteServices,
	}
	s.AddSelection(cmd, &o.selection)
	o.output = cli.AddOutput(cmd, markdown)
	cmd.RunE = func(cmd *cobra.Command, services []string) error {
		if err := o.run(cmd, services); err != nil {
			return s.FailAs(err, exitFailed)
		}
		return cli.Silent(o.status())
	}
	return cmd
}

// options are the flags of diff.
type options struct {
	session   *cli.Session
	output    *cli.Output
	selection cli.Selection
	results   []result
}

// result is what differs of a service.
type result struct {
	service, from, to string
	differences       []objects.Difference
	parity            bool
	// live tells that the new side is a cluster's, and context which one.
	live    bool
	context string
}

// status is 1 where anything differs.
func (o *options) status() int { return status(o.results) }

func status(all []result) int {
	if slices.ContainsFunc(all, func(r result) bool { return len(r.differences) > 0 }) {
		return exitDifferent
	}
	return cli.ExitDone
}

func (o *options) run(cmd *cobra.Command, services []string) error {
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	w, err := o.selection.Open(cmd, o.session, services)
	if err != nil {
		return err
	}
	defer w.Close()
	asked, err := o.plan(cmd.Context(), w)
	if err != nil {
		return err
	}
	if err := o.render(cmd.Context(), asked); err != nil {
		return err
	}
	return show(o.session, o.output, printer, "RenderedDifference", o.results)
}

// plan gives what gates would be asked about: a promotion is planned with gates that only
// listen.
func (o *options) plan(ctx context.Context, w *cli.Workspace) ([]promote.GateRequest, error) {
	ears := &listener{}
	w.Verifier = nil
	w.Promoter.Gates = func(to *pipeline.Environment) ([]promote.Gate, error) {
		// The plan wants as many gates as the file has.
		return slices.Repeat([]promote.Gate{ears}, max(len(to.Gates), 1)), nil
	}
	plans, err := w.PlanAll(ctx, o.selection.Request, o.selection.Targets...)
	if err != nil {
		return nil, err
	}
	for _, plan := range plans.All {
		for _, s := range plan.Services {
			for _, v := range s.Verdicts {
				if v.Answer != promote.Pass && slices.Contains([]string{"plan", "pin", "resolve"}, v.Gate) {
					return nil, &promote.Error{Msg: fmt.Sprintf("%s: %s: %s", s.Service, v.Gate, v.Text()), Hint: v.Hint, Advice: v.Advice}
				}
			}
		}
	}
	return ears.requests, nil
}

// listener is a gate that lets everything pass and keeps what it was asked.
type listener struct {
	mu       sync.Mutex
	requests []promote.GateRequest
}

// Name implements [promote.Gate].
func (*listener) Name() string { return "rendered" }

// Check implements [promote.Gate].
func (l *listener) Check(_ context.Context, q promote.GateRequest) promote.Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.ContainsFunc(l.requests, func(o promote.GateRequest) bool { return o.Service == q.Service && o.To == q.To }) {
		l.requests = append(l.requests, q)
	}
	return promote.Verdict{Answer: promote.Pass}
}

// mostAtOnce is how many services are rendered side by side.
const mostAtOnce = 8

// render renders before and after, services side by side.
func (o *options) render(ctx context.Context, asked []promote.GateRequest) error {
	slices.SortStableFunc(asked, func(a, b promote.GateRequest) int {
		return slices.Index(a.Services, a.Service) - slices.Index(b.Services, b.Service)
	})
	bar := o.session.NewProgress()
	defer bar.Clear()
	o.results = make([]result, len(asked))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(mostAtOnce)
	for n, q := range asked {
		group.Go(func() error {
			before, after, err := o.session.Renderer.Rendered(ctx, q)
			if err != nil {
				return err
			}
			o.results[n] = result{service: q.Service, from: q.From, to: q.To, differences: objects.Compare(before, after, objects.ByName)}
			return nil
		})
	}
	return group.Wait()
}
