package promotecmd

import (
	"context"
	"fmt"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/rollback"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

const rollbackLong = `Take a service in an environment back to the pins that it had before.

The pins come from the history of the repository: those before the newest change, whoever
made it, and of this service alone where a commit has promoted many. They go through the
same plan as a promotion: each digest must still be in its registry, the environment's
policy is asked again, and the files are edited in one commit with a record. Of the gates
those are asked that rollback.gates of the environment names; by default none but the policy.

Run again, it goes one change further back: what was taken back is passed over. Unlike
kubectl rollout undo it never returns to what was just left; --to-revision does, and so does
a promotion. What was pinned by a tag alone comes back as what that tag stands for now.
Charts, revisions, values and copied files stay, and are named.

Where promotions are merges (docs/strategies.md), --mode revert takes back all that the last one
has brought, and is refused where other services would go back with it. Where environments are
tags, --mode tag has the targetRevision that follows them name the tag before.

In the same commit the service is held, so that neither automation nor --all brings back what
was left: kubectl promote unhold lets it go. Where the environment is on a branch of its own,
the hold comes in the next commit, on the branch of the pipeline. --no-hold leaves that out. A
hold that is there already does not stop a rollback.`

const rollbackExample = `  # to what production had before the last change, pushed at once
  kubectl promote rollback cart --env production --reason 'v1.3.0 loses orders' --push

  # what that would be
  kubectl promote rollback cart --env production --dry-run

  # without a clone
  kubectl promote rollback cart --env production -C https://git.example.com/infra.git

  # two changes back, to a commit, or to a moment
  kubectl promote rollback cart --env production --steps 2 --commit
  kubectl promote rollback cart --env production --to-revision 4f2a9c1 --commit
  kubectl promote rollback cart --env production --to-time '2026-11-28 18:00' --commit`

// The values of --mode: the pins alone, or a whole merge, are taken back, or the tag before
// is that of the environment again.
const (
	modePin    = "pin"
	modeRevert = "revert"
	modeTag    = "tag"
)

// backwards is what a rollback has beside a promotion.
type backwards struct {
	options               *options
	env, revision, moment string
	mode                  string // pin, revert or tag
	steps                 int
	noHold                bool
	target                rollback.Target
	// only, if not empty, is the one commit that is taken back: what has come since is
	// somebody else's.
	only string
	held []hold.Hold // that are written with it
	// found is what is taken back, where its holds are written afterwards; else nil.
	found *rollback.Found
}

// NewRollback makes kubectl promote rollback.
func NewRollback(s *cli.Session) *cobra.Command {
	o := &options{session: s, clock: cli.SystemClock()}
	b := &backwards{options: o}
	o.make, o.after, o.rollback = b.plan, b.holdAfter, true
	cmd := &cobra.Command{
		Use:     "rollback SERVICE --env ENVIRONMENT",
		Short:   "Take a service back to the pins that it had",
		Long:    rollbackLong,
		Example: rollbackExample,
		GroupID: cli.GroupPromote,
		Args:    cobra.ArbitraryArgs,
		RunE:    b.run,

		ValidArgsFunction: s.CompleteServices,
	}
	s.AddCluster(cmd)
	f := cmd.Flags()
	s.EnvironmentVar(cmd, &b.env, "env", "environment to take it back in")
	f.IntVar(&b.steps, "steps", 1, "how many changes to take back")
	f.StringVar(&b.revision, "to-revision", "", "to the pins as this commit left them")
	f.StringVar(&b.moment, "to-time", "", "to the pins of this moment: 24h ago as 24h, 2026-11-28, '2026-11-28 18:00' or 2026-11-28T18:00:00Z")
	f.StringVar(&o.reason, "reason", "", "why; it is recorded, and it is the reason of the hold")
	f.StringVar(&b.mode, "mode", modePin, "pin: the pins alone go back; revert: all that the last merge has brought, where promotions are merges; tag: to the tag before, where the environment is tags")
	cli.Must(cmd.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]string{modePin, modeRevert, modeTag}, cobra.ShellCompDirectiveNoFileComp)))
	f.BoolVar(&b.noHold, "no-hold", false, "do not hold the service afterwards")
	f.BoolVar(&s.Offline, "offline", false, "ask no registry and no server: take recorded digests back only, and verify nothing")
	f.BoolVar(&o.dryRun, "dry-run", false, "show the plan and change nothing")
	o.how.Add(s, cmd, "the edits, with the rollback's record and the hold")
	s.TakesURL(cmd)
	for _, name := range []string{"to-revision", "to-time", "reason"} {
		cli.Must(cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions))
	}
	cmd.MarkFlagsMutuallyExclusive("steps", "to-revision", "to-time")
	o.output = cli.AddOutput(cmd)
	return cmd
}

func (b *backwards) run(cmd *cobra.Command, services []string) error {
	o := b.options
	printer, err := o.output.Printer()
	if err != nil {
		return err
	}
	usage := func(msg, hint string) error {
		return &cli.UsageError{Msg: msg, Hint: hint, Command: cmd.CommandPath()}
	}
	switch {
	case len(services) == 0, len(services) > 1 && b.mode == modePin:
		return usage("one service is taken back at a time", cmd.CommandPath()+" SERVICE --env ENVIRONMENT")
	case b.env == "":
		return usage("--env is missing", cmd.CommandPath()+" "+services[0]+" --env ENVIRONMENT")
	case b.mode != modePin && b.mode != modeRevert && b.mode != modeTag:
		return usage("--mode "+b.mode+" is none", spelling.Hint(b.mode, []string{modePin, modeRevert, modeTag}))
	case b.steps < 1:
		return usage("--steps is less than 1", "")
	case b.moment != "":
		if b.target.Time, err = cli.ParsePast(b.moment, o.clock.Now()); err != nil {
			return err
		}
	case b.revision == "":
		b.target.Steps = b.steps
	}
	o.request.Targets = []string{b.env}
	if err := o.request.Choose(cmd, services); err != nil {
		return err
	}
	if err := o.settle(cmd, printer); err != nil {
		return err
	}
	return b.carryOut(cmd, printer, services)
}

// carryOut takes the service back, and says that it is held.
func (b *backwards) carryOut(cmd *cobra.Command, printer printers.ResourcePrinter, services []string) error {
	o := b.options
	if err := o.carryOut(cmd, printer, services); err != nil {
		return err
	}
	if s := o.session; !o.dryRun && !s.Quiet {
		for _, h := range b.held {
			fmt.Fprintf(s.ErrOut, "%s is held in %s: %s\n", h.Service, b.env, cli.Clean(h.Reason))
			fmt.Fprintln(s.ErrOut, "hint: "+s.WithAdvice("", string(promote.DoUnhold), map[string]string{"service": h.Service, "env": b.env}))
		}
	}
	return nil
}

// plan makes the plans on what the workspace has now.
func (b *backwards) plan(ctx context.Context, w *cli.Workspace) (*promote.Plans, error) {
	req := b.options.request.Request
	// By a URL the services are listed only where nothing is found: that fetches all
	// directories.
	if w.Repo != nil {
		if err := status.CheckServices(w.Pipeline, w.Promoter.Repo, req.Services); err != nil {
			return nil, err
		}
	}
	e, err := w.Pipeline.Environment(b.env)
	if err != nil {
		return nil, err
	}
	if tags := e.Tagging() != nil; tags != (b.mode == modeTag) {
		how := map[bool]string{true: "--mode tag", false: "--mode pin"}[tags]
		return nil, &cli.UsageError{Msg: fmt.Sprintf("%s is not how %s goes back", "--mode "+b.mode, b.env), Hint: how, Command: "kubectl promote rollback"}
	}
	found, err := b.findAll(ctx, w)
	if err != nil && w.Repo == nil {
		if err := w.Whole(ctx); err != nil {
			return nil, err
		}
		if err := status.CheckServices(w.Pipeline, w.Promoter.Repo, req.Services); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	if b.only != "" && (len(found.Taken) != 1 || found.Taken[0].Commit != b.only) {
		return nil, &promote.Error{Msg: fmt.Sprintf("%s in %s has been changed since commit %.9s, and is not taken back", req.Services[0], b.env, b.only),
			Hint: "kubectl promote history " + req.Services[0] + " --env " + b.env}
	}
	found.Reason = b.options.reason
	if b.mode != "" && b.mode != modePin && len(found.Taken) > 0 {
		if len(found.Taken) != 1 {
			return nil, &promote.Error{Msg: fmt.Sprintf("%d changes are to be taken back, and --mode %s takes one at a time", len(found.Taken), b.mode), Hint: "kubectl promote history"}
		}
		found.Revert = found.Taken[0].Commit
	}
	if err := b.takeHolds(ctx, w, e, found); err != nil {
		return nil, err
	}
	req.Back = &found.Back
	plans, err := w.PlanAll(ctx, req, b.env)
	if err == nil {
		plans.All[0].Warnings = append(found.Notes, plans.All[0].Warnings...)
	}
	return plans, err
}

// findAll finds what all services go back to, which have changed in one commit, or one has
// alone.
func (b *backwards) findAll(ctx context.Context, w *cli.Workspace) (*rollback.Found, error) {
	var all *rollback.Found
	for _, service := range b.options.request.Services {
		found, err := b.find(ctx, w, service)
		switch {
		case err != nil:
			return nil, err
		case all == nil:
			all = found
			continue
		case len(all.Taken) != 1 || len(found.Taken) != 1 || all.Taken[0].Commit != found.Taken[0].Commit:
			return nil, &promote.Error{Msg: fmt.Sprintf("%s has not changed last in the same commit as %s", service, b.options.request.Services[0]), Hint: "kubectl promote history --env " + b.env}
		}
		all.Pins, all.Notes = append(all.Pins, found.Pins...), append(all.Notes, found.Notes...)
	}
	return all, nil
}

// find reads the history of a service as far as it is needed.
func (b *backwards) find(ctx context.Context, w *cli.Workspace, service string) (*rollback.Found, error) {
	req := history.Request{Services: []string{service}, Environment: b.env}
	target := b.target
	if b.revision != "" {
		log, commit, err := w.LogAt(ctx, b.revision)
		if err == nil {
			err = history.Read(ctx, w.Pipeline, w.Promoter.Repo, history.Everywhere{Log: log}, req, func(c history.Change) bool {
				target.Change = c.Commit
				return false
			})
		}
		if err == nil && target.Change == "" {
			err = &promote.Error{Msg: fmt.Sprintf("there was no pin yet at commit %.9s", commit), Hint: "kubectl promote history"}
		}
		if err != nil {
			return nil, err
		}
	}
	walk := rollback.NewWalk(target)
	if err := history.Read(ctx, w.Pipeline, w.Promoter.Repo, w.Home, req, walk.Visit); err != nil {
		return nil, err
	}
	return walk.Found()
}
