// Package announce tells those whom a pipeline names what commands have done: it makes events
// of plans, holds and approvals. Nothing that goes wrong with it is more than a warning.
package announce

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/events"
	"github.com/kubepromote/kubepromote/promote/gate"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/proposal"
)

// Tell tells events, with the repository and who has done it. A --timeout that is over does
// not keep the news of it back; Ctrl-C does. It tells whether all
// have been told: what has not is a warning.
func Tell(ctx context.Context, s *cli.Session, w *cli.Workspace, all []events.Event) (told bool) {
	to := w.Pipeline.Spec.Record.Events
	if to == nil || len(all) == 0 || errors.Is(ctx.Err(), context.Canceled) {
		return len(all) == 0
	}
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	Complete(ctx, w, all)
	teller := events.Teller{UserAgent: cli.UserAgent()}
	if !s.Offline {
		teller.Client, teller.Deploy = gate.NewClient(), newForges(s, w).deploy
	}
	failed := teller.Tell(ctx, to, all)
	for _, err := range failed {
		s.Warn("%v", err)
		if hint := s.HintOf(err); hint != "" && !s.Quiet {
			fmt.Fprintln(s.ErrOut, "hint: "+cli.Clean(hint))
		}
	}
	return len(failed) == 0
}

// Complete gives events the repository, and, where they lack them, who it was and the time.
func Complete(ctx context.Context, w *cli.Workspace, all []events.Event) {
	repository, by := where(ctx, w), ""
	if who, err := w.Who(ctx); err == nil {
		by = who
	}
	for n := range all {
		all[n].Repository = repository
		if all[n].By == "" {
			all[n].By = by
		}
		if all[n].Time.IsZero() {
			all[n].Time = time.Now()
		}
	}
}

// where is the public address of the repository.
func where(ctx context.Context, w *cli.Workspace) string {
	if w.Repo == nil {
		return branch.WithoutCredentials(w.Branch.Remote())
	}
	address, err := w.Repo.Remote(ctx)
	if err != nil {
		return ""
	}
	return address
}

// Plans makes events of plans and of what became of them. Of those that are only shown there
// is nothing but that they were planned.
func Plans(plans *promote.Plans, applied []*promote.Applied, requests []*proposal.Result, dryRun, rollback bool) []events.Event {
	var all []events.Event
	for n, plan := range plans.All {
		for _, sp := range plan.Services {
			e := events.Event{Service: sp.Service, Environment: plan.To, From: plan.From, Commit: plan.Head, Images: images(sp), Gates: gates(sp)}
			e.Reason, e.Until = reason(sp)
			switch answer := sp.Answer(); {
			case dryRun:
				e.Kind = events.Planned
			case sp.Changed() && n < len(applied) && applied[n].Commit != "" && (answer == promote.Pass || plan.Mode == pipeline.DeliverPullRequest && answer == promote.Wait):
				e.Kind, e.Commit, e.Pushed = events.Promoted, applied[n].Commit, plan.Mode == pipeline.DeliverPush
				if rollback {
					e.Kind = events.RolledBack
				}
				if plan.Mode == pipeline.DeliverPullRequest {
					e.Kind = events.Proposed
					if n < len(requests) && requests[n] != nil {
						e.PullRequest = requests[n].URL
					}
				}
			default:
				e.Kind = map[promote.Answer]string{promote.Fail: events.Refused, promote.Wait: events.Waiting, promote.Unknown: events.Unknown}[answer]
			}
			if e.Kind == "" || dryRun && !sp.Changed() {
				continue
			}
			if all = append(all, e); e.Kind == events.Promoted || e.Kind == events.Proposed {
				all = append(all, overridden(e, sp)...)
			}
		}
	}
	return all
}

// overridden makes an event of each gate that somebody went past.
func overridden(e events.Event, sp *promote.ServicePlan) []events.Event {
	var all []events.Event
	for _, v := range sp.Verdicts {
		if v.OverrideBy == "" {
			continue
		}
		e.Kind, e.By, e.Until = events.Overridden, v.OverrideBy, v.OverrideUntil
		e.Reason = fmt.Sprintf("%s: %s", v.Gate, v.Override)
		all = append(all, e)
	}
	return all
}

func images(sp *promote.ServicePlan) []events.Image {
	var all []events.Image
	for _, i := range sp.Images {
		if i.New != i.Old {
			all = append(all, events.Image{Name: i.Name, Repository: i.Repository, OldTag: i.Old.Tag, OldDigest: i.Old.Digest, Tag: i.New.Tag, Digest: i.New.Digest})
		}
	}
	return all
}

func gates(sp *promote.ServicePlan) []events.Gate {
	var all []events.Gate
	for _, v := range sp.Verdicts {
		all = append(all, events.Gate{Name: v.Gate, Answer: string(v.Answer), Reason: v.Text(), Until: v.Until})
	}
	return all
}

// reason is what those gates say that do not let it pass, and the first end of a wait.
func reason(sp *promote.ServicePlan) (text string, until time.Time) {
	var all []string
	for _, v := range sp.Verdicts {
		if v.Answer == promote.Pass {
			continue
		}
		all = append(all, v.Gate+": "+v.Text())
		if !v.Until.IsZero() && (until.IsZero() || v.Until.Before(until)) {
			until = v.Until
		}
	}
	return strings.Join(all, "; "), until
}
