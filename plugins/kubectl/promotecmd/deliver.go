package promotecmd

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/attempts"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/proposal"
	"github.com/spf13/cobra"
)

// addDelivery gives a command the flags about what becomes of a plan.
func (o *options) addDelivery(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.dryRun, "dry-run", false, "show the plan and change nothing")
	f.BoolVar(&o.wait, "wait", false, "ask gates that wait again until they pass, as long as --timeout says; push or propose services in the order in which they depend on one another, and environments one after the other, each once the former is merged and healthy")
	f.StringVar(&o.attest.Key, "attest-key", "", "private key file: sign what was committed, as kubectl promote attest does")
	o.how.Add(o.session, cmd, "the edits, with the promotion's record")
	o.how.AddPullRequest(cmd)
	o.session.TakesURL(cmd)
}

// adaptMode has a promotion pushed where there is no clone to leave it in.
func (o *options) adaptMode(cmd *cobra.Command, w *cli.Workspace) error {
	if w.Repo != nil {
		return nil
	}
	// Each service takes some requests, and all of them are in one.
	const few = 10
	if many := o.request.All || o.request.Select != nil || len(o.request.Services) > few || slices.ContainsFunc(o.request.Services, func(s string) bool { return strings.ContainsAny(s, "*?[") }); many {
		if err := w.Branch.FetchAll(cmd.Context()); err != nil {
			return err
		}
	}
	if o.request.Mode.Shared() {
		return nil
	}
	if o.request.Mode != "" {
		return &cli.UsageError{Msg: "a repository known by its URL has no working tree for mode " + string(o.request.Mode), Hint: "--push, or --pr", Command: cmd.CommandPath()}
	}
	targets, err := w.Pipeline.Targets(o.request.Targets)
	if err != nil {
		return nil // which planning says
	}
	for _, e := range targets {
		if !e.Deliver.Mode.Shared() {
			o.request.Mode = pipeline.DeliverPush
		}
	}
	return nil
}

// deliver plans and, unless the plans are only to be shown, carries them out: again where
// others were faster. A promotion that has passed the point where it can be stopped
// without a trace is finished, not interrupted.
func (o *options) deliver(cmd *cobra.Command, w *cli.Workspace) (*promote.Plans, []*promote.Applied, error) {
	first := true
	open := func(ctx context.Context) (*promote.Promoter, error) {
		if !first {
			if err := o.session.Again(ctx, w); err != nil {
				return nil, err
			}
		}
		first = false
		return w.Promoter, nil
	}
	plan := func(ctx context.Context, _ *promote.Promoter) (*promote.Plans, error) { return o.plan(ctx, w) }
	plans, applied, err := attempts.Deliver(cmd.Context(), open, plan, attempts.Retry{
		Ready: func(plan *promote.Plan) error { return o.ready(cmd, w, plan) },
		Says:  func(n int, err error) { o.session.Note("attempt %d: %v", n, err) },
	})
	if err != nil && plans != nil && !o.dryRun && cmd.Context().Err() != nil {
		return plans, applied, &promote.Error{Msg: "interrupted; running the same command again is safe", Err: err}
	}
	return plans, applied, err
}

// plan makes the plans: of another moment where --at says so, and as often as --wait asks
// for. Those that wait for a person alone are shown, and made again once somebody has said
// yes.
func (o *options) plan(ctx context.Context, w *cli.Workspace) (*promote.Plans, error) {
	plans, err := o.await(ctx, w)
	if err != nil || o.dryRun || !o.session.Terminal() || !cli.NeedsConfirmation(plans) {
		return plans, err
	}
	shown := *o
	shown.dryRun = true
	none := make([]*promote.Applied, len(plans.All))
	for n := range none {
		o.session.PrintWarnings(plans.All[n])
		none[n] = &promote.Applied{}
	}
	if err := shown.printPlans(o.session.ErrOut, plans, none, make([]*proposal.Result, len(none))); err != nil {
		return nil, err
	}
	if yes, err := o.session.Confirm(ctx, plans); err != nil || !yes {
		return plans, err
	}
	return o.await(ctx, w)
}

func (o *options) await(ctx context.Context, w *cli.Workspace) (*promote.Plans, error) {
	bar := o.session.NewProgress()
	ask := func(ctx context.Context) (*promote.Plans, error) {
		defer bar.Clear()
		w.Progress = bar.Show
		if o.at != "" {
			at, err := cli.ParseMoment(o.at, o.clock.Now())
			if err != nil {
				return nil, err
			}
			w.Now = func() time.Time { return at }
		}
		if len(o.request.Override) > 0 && o.request.OverrideBy == "" {
			who, err := w.Who(ctx)
			if err != nil {
				return nil, err
			}
			o.request.OverrideBy = who // the file of a plan has it
		}
		if w.Branch != nil {
			o.homeHead = w.Branch.Tip()
		}
		if o.make != nil {
			return o.make(ctx, w)
		}
		request := o.request.Request
		request.NoDiff = request.NoDiff && !o.proposes(w)
		return w.PlanAll(ctx, request, o.request.Targets...)
	}
	if !o.wait {
		return ask(ctx)
	}
	var proposable *promote.Plans
	plans, err := o.session.AwaitIn(ctx, o.clock, w, func(ctx context.Context) (*promote.Plans, error) {
		plans, err := ask(ctx)
		if err == nil && awaitsProposal(plans) {
			proposable, err = plans, errAwaitsProposal
		}
		return plans, err
	})
	if errors.Is(err, errAwaitsProposal) {
		return proposable, nil
	}
	return plans, err
}

// errAwaitsProposal ends the wait for what only a pull request brings.
var errAwaitsProposal = errors.New("there is no pull request yet")

// awaitsProposal tells whether plans wait for nothing but that they are proposed: whoever
// says yes does so there.
func awaitsProposal(plans *promote.Plans) bool {
	waits := false
	for _, plan := range plans.All {
		for _, s := range plan.Services {
			for _, v := range s.Verdicts {
				switch {
				case v.Answer != promote.Wait:
				case plan.Mode != pipeline.DeliverPullRequest || v.Advice.Do != promote.DoPropose:
					return false
				default:
					waits = true
				}
			}
		}
	}
	return waits
}

// proposes tells whether there may be a pull request, which shows the diff.
func (o *options) proposes(w *cli.Workspace) bool {
	targets, err := w.Pipeline.Targets(o.request.Targets)
	return err == nil && slices.ContainsFunc(targets, func(e *pipeline.Environment) bool {
		return cmp.Or(o.request.Mode, e.Deliver.Mode) == pipeline.DeliverPullRequest
	})
}

// follow brings the branch at hand to what was pushed, where it stood there before; that of a
// clone beside this one, too, which the environment is in.
func (o *options) follow(ctx context.Context, w *cli.Workspace, plans *promote.Plans, applied []*promote.Applied) error {
	stays := make(map[*git.Repo]bool)
	for n, a := range applied {
		plan := plans.All[n]
		e, err := w.Target(plan)
		if err != nil {
			return err
		}
		if w.Repo == nil || plan.Mode != pipeline.DeliverPush || a.Commit == "" {
			continue
		}
		repo := w.Repo
		if e.Repository != "" && e.Tagging() == nil {
			repo, err = w.Home.CloneAt(e.Place())
		}
		if err != nil || repo == nil || stays[repo] {
			continue // which was read to be promoted to, or has no clone
		}
		pushed := cli.Pushed{Remote: plan.Remote, Branch: plan.Branch, Head: plan.Head, Commit: a.Commit}
		if e.Tagging() != nil { // what follows the tag is at home
			pushed.Branch, pushed.Head, pushed.Commit = w.Branch.Name(), o.homeHead, w.Branch.Tip()
			if pushed.Head == pushed.Commit {
				continue // nothing does
			}
		}
		goes, err := o.session.Follow(ctx, repo, pushed, "the promotion")
		if err != nil {
			return err
		}
		stays[repo] = !goes
	}
	return nil
}
