package promotecmd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/proposal"
	"github.com/kubepromote/kubepromote/promote/rollback"
	"github.com/spf13/cobra"
)

// patient is a service whose health is followed after it was delivered.
type patient struct {
	service, environment string
	commit               string // that has brought it
	before               string // the commit that it was planned on
	until                time.Time
	gate                 promote.Gate
	question             promote.GateRequest
	vitals               rollback.Vitals
	last                 promote.Verdict
	// request, if not nil, is what has to be merged first; then it is followed for span.
	request *awaited
	span    time.Duration
}

// How often health is asked for: some times while it is followed, and of so many at once.
const (
	fewestAsks = 5
	askHealth  = 10 * time.Second
	askAtMost  = 100 * time.Millisecond // a cluster is no place to ask without a break
	sideBySide = 32
)

// watch follows, with --wait, the health of what was delivered to environments that ask for
// it, and takes back what has lost it. What is proposed is followed from its merge.
func (o *options) watch(cmd *cobra.Command, w *cli.Workspace, plans *promote.Plans, applied []*promote.Applied, requests []*proposal.Result) error {
	if !o.wait || o.dryRun {
		return nil
	}
	patients, every, err := o.patients(cmd.Context(), w, plans, applied, requests)
	if err != nil || len(patients) == 0 {
		return err
	}
	lost, dropped := 0, 0
	err = o.attend(cmd.Context(), patients, every, func(p *patient) {
		if !p.merged() { // and never will be
			dropped++
			o.session.PrintFacts([]cli.Fact{{Text: fmt.Sprintf("%s in %s is not followed: %s", p.service, p.environment, p.last.Text()), Hint: p.last.Hint}})
			return
		}
		lost++
		o.session.PrintFacts([]cli.Fact{{Text: fmt.Sprintf("%s in %s is not healthy, and is taken back: %s", p.service, p.environment, p.last.Text())}})
		if err := o.takeBack(cmd, p, "unhealthy: "+p.last.Text()); err != nil {
			o.session.Fail(err) // which keeps no other from being taken back
		}
	})
	switch {
	case err == nil && lost > 0:
		err = cli.Silent(cli.ExitFailed)
	case err == nil && dropped > 0:
		err = cli.Silent(cli.ExitRefused)
	}
	return err
}

// patients are the services that are followed, and how often.
func (o *options) patients(ctx context.Context, w *cli.Workspace, plans *promote.Plans, applied []*promote.Applied, requests []*proposal.Result) ([]*patient, time.Duration, error) {
	var all []*patient
	every := askHealth
	for n := range applied {
		plan := plans.All[n]
		e, err := w.Target(plan)
		if err != nil {
			return nil, 0, err
		}
		if e.Rollback == nil || e.Rollback.OnUnhealthy == "" || applied[n].Commit == "" {
			continue
		}
		var request *proposal.Result
		if plan.Mode == pipeline.DeliverPullRequest {
			if request = requests[n]; request == nil || request.State == proposal.Closed {
				continue // which is said already
			}
		}
		if w.Repo == nil {
			o.session.PrintFacts([]cli.Fact{{Text: "the health in " + plan.To + " is not followed: there is no clone to take anything back from", Hint: "git clone the repository, and -C DIR"}})
			continue
		}
		if len(all) == 0 { // the history has the new commit from now on
			if err := o.session.Again(ctx, w); err != nil {
				return nil, 0, err
			}
		}
		health, err := o.session.HealthGate(w.Promoter, plan.To)
		if err != nil {
			return nil, 0, err
		}
		span := e.Rollback.OnUnhealthy.Time()
		every = min(every, max(span/fewestAsks, askAtMost))
		var here []*patient
		for _, sp := range plan.Services {
			if !sp.Changed() || sp.Answer() != promote.Pass && (request == nil || sp.Answer() != promote.Wait) { // what is refused was not delivered
				continue
			}
			q := promote.GateRequest{Service: sp.Service, From: plan.To, To: plan.To, Images: sp.Images, Head: applied[n].Commit, Services: []string{sp.Service}}
			here = append(here, &patient{service: sp.Service, environment: plan.To, commit: applied[n].Commit, before: plan.Head,
				until: o.clock.Now().Add(span), span: span, gate: health, question: q})
		}
		if request != nil {
			o.awaitMerge(ctx, w, plan, request, here)
		}
		all = append(all, here...)
	}
	return all, every, nil
}

// attend asks for the health of all until their time is over, and tells which have lost it.
// --timeout ends it sooner, and then it says which were still followed.
func (o *options) attend(ctx context.Context, patients []*patient, every time.Duration, lost func(*patient)) error {
	for {
		now := o.clock.Now()
		says := o.askAll(ctx, patients, now)
		var left []*patient
		for n, p := range patients {
			if ctx.Err() != nil { // what was said then is about the time
				left = append(left, patients[n:]...)
				break
			}
			said := says[n]
			if said.Answer != p.last.Answer {
				o.session.Note("%s in %s: %s: %s", p.service, p.environment, said.Answer, said.Text())
			}
			p.last = said
			switch {
			case !p.merged() && said.Answer == promote.Fail, p.merged() && p.vitals.Lost(said):
				lost(p)
			case !p.merged(), now.Before(p.until):
				left = append(left, p)
			case said.Answer != promote.Pass:
				o.session.PrintFacts([]cli.Fact{{Text: fmt.Sprintf("%s in %s is not healthy yet: %s", p.service, p.environment, said.Text()), Hint: said.Hint}})
			}
		}
		if patients = left; len(patients) == 0 {
			return nil
		}
		err := o.clock.Sleep(ctx, every)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			o.leave(patients)
			return nil
		case err != nil:
			return err
		}
	}
}

// askAll asks for the health of all side by side, once all are asked about whose pull requests
// are not known to be merged: what a merge has brought is fetched, which nobody may read meanwhile.
func (o *options) askAll(ctx context.Context, patients []*patient, now time.Time) []promote.Verdict {
	says := make([]promote.Verdict, len(patients))
	for n, p := range patients {
		if p.request == nil {
			continue
		}
		if says[n] = p.request.again(ctx, now); says[n].Answer == promote.Pass {
			p.request = nil // it is healthy, or not, from now on
		}
	}
	places := make(chan struct{}, sideBySide)
	var wait sync.WaitGroup
	for n, p := range patients {
		if !p.merged() {
			continue
		}
		p.question.Now = now
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			says[n] = promote.AskGate(ctx, p.gate, p.question)
		})
	}
	wait.Wait()
	return says
}

// leave says of whom nobody knows how it goes on.
func (o *options) leave(patients []*patient) {
	var facts []cli.Fact
	for _, p := range patients {
		text := "nothing was said of it yet"
		if p.last.Answer != "" {
			text = fmt.Sprintf("%s: %s", p.last.Answer, p.last.Text())
		}
		facts = append(facts, cli.Fact{Text: fmt.Sprintf("%s in %s is not followed any more, as --timeout is over: %s", p.service, p.environment, text), Hint: p.last.Hint})
	}
	o.session.PrintFacts(facts)
}

// takeBack rolls a service back to what stood before it was promoted, as kubectl promote
// rollback does, unless somebody has changed it since.
func (o *options) takeBack(cmd *cobra.Command, p *patient, reason string) error {
	back := &options{session: o.session, output: o.output, clock: o.clock, how: o.how, reason: reason}
	b := &backwards{options: back, env: p.environment, revision: p.before, only: p.commit}
	back.make, back.after, back.rollback = b.plan, b.holdAfter, true
	back.request.Targets, back.request.Services = []string{p.environment}, []string{p.service}
	back.again = "kubectl promote rollback " + shell.Quote(p.service) + " --env " + shell.Quote(p.environment)
	if err := back.settle(cmd, nil); err != nil {
		return err
	}
	return b.carryOut(cmd, nil, []string{p.service})
}
