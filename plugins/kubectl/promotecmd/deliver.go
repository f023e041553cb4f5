package promotecmd

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/proposal"
	"github.com/spf13/cobra"
)

// delivery is what the flags say about how far a promotion goes.
type delivery struct {
	mode                      string
	commit, push, pullRequest bool
}

// addDelivery gives a command the flags about what becomes of a plan.
func (o *options) addDelivery(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.dryRun, "dry-run", false, "show the plan and change nothing")
	f.BoolVar(&o.wait, "wait", false, "ask gates that wait again until they pass, as long as --timeout says")
	f.StringVar(&o.attest.Key, "attest-key", "", "private key file: sign what was committed, as kubectl promote attest does")
	f.BoolVar(&o.how.commit, "commit", false, "commit the edits, with the promotion's record; --commit=false where the pipeline says otherwise")
	f.BoolVar(&o.how.push, "push", false, "push a commit to the branch that others have, made on what it is now; whatever is checked out is left alone")
	f.BoolVar(&o.how.pullRequest, "pr", false, "open a pull request, or bring the one that is open up to date")
	o.addMode(cmd)
	cmd.MarkFlagsMutuallyExclusive("commit", "push", "pr", "deliver")
}

// addMode gives a command the flags that say where a plan is made.
func (o *options) addMode(cmd *cobra.Command) {
	o.session.TakesURL(cmd)
	f := cmd.Flags()
	f.StringVar(&o.how.mode, "deliver", "", "worktree, commit, push or pullRequest, in place of the pipeline's mode")
	f.StringVar(&o.session.Branch, "branch", "", "branch of the remote to push to (default: the one that the branch at hand follows, or the remote's own default)")
	cli.Must(cmd.RegisterFlagCompletionFunc("deliver", cobra.FixedCompletions(pipeline.DeliverModes(), cobra.ShellCompDirectiveNoFileComp)))
	cli.Must(cmd.RegisterFlagCompletionFunc("branch", cobra.NoFileCompletions))
}

// chooseMode takes the mode that a flag gives. It wins over the file, whatever that says.
func (o *options) chooseMode(cmd *cobra.Command) error {
	switch changed := cmd.Flags().Changed; {
	case o.how.mode != "":
		o.request.Mode = pipeline.DeliverMode(o.how.mode)
		if !o.request.Mode.Known() {
			return &cli.UsageError{Msg: "--deliver " + o.how.mode + ": unknown delivery mode", Hint: spelling.Hint(o.how.mode, pipeline.DeliverModes()), Command: cmd.CommandPath()}
		}
	case o.how.commit:
		o.request.Mode = pipeline.DeliverCommit
	case o.how.push:
		o.request.Mode = pipeline.DeliverPush
	case o.how.pullRequest:
		o.request.Mode = pipeline.DeliverPullRequest
	case changed("commit"), changed("push"), changed("pr"):
		o.request.Mode = pipeline.DeliverWorktree
	}
	return nil
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
	plans, applied, err := promote.Deliver(cmd.Context(), open, plan, promote.Retry{
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
		request := o.request.Request
		request.NoDiff = request.NoDiff && !o.proposes(w)
		return w.PlanAll(ctx, request, o.request.Targets...)
	}
	if !o.wait {
		return ask(ctx)
	}
	return o.session.AwaitIn(ctx, o.clock, w, ask)
}

// proposes tells whether there may be a pull request, which shows the diff.
func (o *options) proposes(w *cli.Workspace) bool {
	targets, err := w.Pipeline.Targets(o.request.Targets)
	return err == nil && slices.ContainsFunc(targets, func(e *pipeline.Environment) bool {
		return cmp.Or(o.request.Mode, e.Deliver.Mode) == pipeline.DeliverPullRequest
	})
}

// follow brings the branch at hand to what was pushed, where it stood there before.
func (o *options) follow(ctx context.Context, w *cli.Workspace, plans *promote.Plans, applied []*promote.Applied) error {
	for n, a := range applied {
		plan := plans.All[n]
		if w.Repo == nil || plan.Mode != pipeline.DeliverPush || a.Commit == "" {
			continue
		}
		state, err := w.Repo.State(ctx, nil)
		if err != nil || state.Branch == "" {
			return err
		}
		if remote, name, err := branch.Upstream(ctx, w.Repo, state.Branch); err != nil || remote != plan.Remote || name != plan.Branch {
			continue // which has nothing to do with it
		}
		left, err := w.Repo.Follow(ctx, plan.Head, a.Commit)
		if err != nil {
			return err
		}
		if left != "" {
			o.session.Warn("the promotion is on %s/%s; %s here stays where it is: %s; git pull brings it", plan.Remote, plan.Branch, state.Branch, left)
			return nil
		}
	}
	return nil
}
