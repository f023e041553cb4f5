package promotecmd

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/onforge"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/attempts"
	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/rollback"
)

// takeHolds has a rollback hold its services. Holds stand on the branch with the pipeline:
// they are in the same commit where that is edited, and else in one that comes after it.
func (b *backwards) takeHolds(ctx context.Context, w *cli.Workspace, e *pipeline.Environment, found *rollback.Found) (err error) {
	b.held, b.found = nil, nil
	if b.noHold || len(found.Taken) == 0 {
		return nil
	}
	apart := e.Tagging() == nil && (e.Elsewhere() || found.Revert != "")
	if !apart {
		found.Holds, err = b.hold(ctx, w, e, found)
		return err
	}
	state, err := w.Promoter.Repo.State(ctx, nil)
	if err != nil {
		return err
	}
	switch mode := cmp.Or(b.options.request.Mode, e.Deliver.Mode); {
	case mode == pipeline.DeliverPullRequest:
		b.unheld(found, "the pull request is of another branch than that of the pipeline")
	case !mode.Commits():
		b.unheld(found, "nothing is committed")
	case state.Branch == "":
		b.unheld(found, "HEAD is detached, and holds stand on the branch of the pipeline")
	case state.Busy != "":
		b.unheld(found, "a "+state.Busy+" is in progress")
	default:
		b.found = found
	}
	return nil
}

// unheld says why the services are not held, and how they can be.
func (b *backwards) unheld(found *rollback.Found, why string) {
	all := strings.Join(b.options.request.Services, " ")
	found.Notes = append(found.Notes, fmt.Sprintf("%s is not held with it, as %s: %s", all, why, b.holdByHand()))
}

func (b *backwards) holdByHand() string {
	return fmt.Sprintf("kubectl promote hold %s --env %s --reason TEXT", strings.Join(b.options.request.Services, " "), b.env)
}

// holdAfter commits the holds of what was taken back on a branch that has none.
func (b *backwards) holdAfter(ctx context.Context, w *cli.Workspace, plans *promote.Plans, applied []*promote.Applied) error {
	s := b.options.session
	if b.found == nil || b.options.dryRun || len(applied) == 0 || applied[0].Commit == "" {
		return nil
	}
	plan := plans.All[0]
	e, err := w.Pipeline.Environment(b.env)
	if err != nil {
		return err
	}
	var pushed cli.Pushed
	err = attempts.Retry{Says: func(n int, err error) { s.Note("attempt %d: %v", n, err) }}.Until(ctx, func(int) error {
		if err := s.Again(ctx, w); err != nil {
			return err
		}
		file, err := b.hold(ctx, w, e, b.found)
		if err != nil || file == nil {
			return err
		}
		state, err := w.Promoter.Repo.State(ctx, nil)
		if err != nil {
			return err
		}
		d := promote.Delivery{Head: state.Head, Files: []promote.File{*file}}
		if d.ByForge, err = onforge.CommitsAtHome(ctx, w.Branch, e, plan.Mode, cli.UserAgent()); err != nil {
			return err
		}
		d.Message = fmt.Sprintf("hold(%s): %s\n\nreason: %s\n", b.env, strings.Join(b.options.request.Services, ", "), cli.Clean(b.held[0].Reason))
		pushed = cli.Pushed{Remote: state.Remote, Branch: state.Branch, Head: state.Head}
		pushed.Commit, err = w.Promoter.Repo.Commit(ctx, d)
		return err
	})
	if err != nil {
		b.held = nil
		return &promote.Error{Msg: b.env + " is taken back, and what was taken back is not held", Err: err, Hint: b.holdByHand()}
	}
	if pushed.Commit == "" || w.Repo == nil || plan.Mode != pipeline.DeliverPush {
		return nil
	}
	_, err = s.Follow(ctx, w.Repo, pushed, "the hold")
	return err
}

// hold makes the file with holds of the services, but for those that are held already: nil
// where all are.
func (b *backwards) hold(ctx context.Context, w *cli.Workspace, e *pipeline.Environment, found *rollback.Found) (*promote.File, error) {
	holds, err := cli.ReadHolds(ctx, w.Promoter.Repo)
	if err != nil {
		return nil, err
	}
	list, err := hold.Parse(hold.FileName, holds.Committed, w.Pipeline)
	if err != nil {
		return nil, err
	}
	by, err := w.Who(ctx)
	if err != nil {
		return nil, err
	}
	services, now, data := b.options.request.Services, b.options.clock.Now(), holds.Committed
	b.held = nil
	for _, service := range services {
		if h, held := list.For(service, e, now); held && h.Until.IsZero() {
			continue
		}
		h := hold.Hold{Service: service, Environment: b.env, Reason: b.options.reason, By: by, Since: now}
		switch {
		case h.Reason != "":
		case len(services) == 1 && len(found.Taken[0].Images) > 0 && len(found.Pins) > 0:
			h.Reason = fmt.Sprintf("rolled back from %s to %s", found.Taken[0].Images[0].New.Short(), found.Pins[0].Short())
		default:
			h.Reason = fmt.Sprintf("rolled back: commit %.9s is taken back", found.Taken[0].Commit)
		}
		if data, err = hold.Add(data, h); err != nil {
			return nil, err
		}
		b.held = append(b.held, h)
	}
	switch {
	case len(b.held) == 0:
		return nil, nil
	case holds.How != "" && len(b.held) == 1 && hold.Resumes(holds.Committed, holds.There, b.held[0]):
		return &promote.File{Path: hold.FileName, Data: holds.There, New: holds.Committed == nil}, nil
	}
	return holds.File(data, true)
}
