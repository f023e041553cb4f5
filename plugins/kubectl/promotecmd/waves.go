package promotecmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/announce"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/proposal"
	"github.com/kubepromote/kubepromote/promote/waves"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

// steps are what --wait delivers one after the other: the waves of services that depend on
// one another, and the environments. There are none where all goes at once.
func (o *options) steps(ctx context.Context, w *cli.Workspace) ([]waves.Step, error) {
	if !o.wait || o.dryRun || o.make != nil || o.rollback {
		return nil, nil
	}
	targets, err := w.Pipeline.Targets(o.request.Targets)
	if err != nil {
		return nil, nil //nolint:nilerr // planning says it
	}
	ordered := slices.ContainsFunc(w.Pipeline.Spec.Services, func(s pipeline.Service) bool { return len(s.DependsOn) > 0 })
	if !ordered && len(targets) < 2 {
		return nil, nil
	}
	services, err := o.services(ctx, w)
	if err != nil {
		return nil, err
	}
	var steps []waves.Step
	for _, e := range targets {
		some := waves.Steps(w.Pipeline, services, []*pipeline.Environment{e})
		if seen := e.Health != nil && !o.session.Offline; len(some) > 1 && !seen {
			o.session.Warn("services depend on one another, and %s does not say where their health is seen: they go to it at once", e.Name)
			some = []waves.Step{{Environment: e.Name, Services: services, Wave: 1, Waves: 1}}
		}
		steps = append(steps, some...)
	}
	if len(steps) < 2 {
		return nil, nil
	}
	for _, e := range targets {
		if mode := cmp.Or(o.request.Mode, e.Deliver.Mode, pipeline.DeliverWorktree); !mode.Shared() {
			return nil, &cli.UsageError{Msg: fmt.Sprintf("--wait carries out %s and what follows one after the other, and %s is delivered by %s, which nobody deploys in between", steps[0], e.Name, mode),
				Hint: "--push, or --pr, or leave out --wait: then one commit holds all, in the order of the pipeline"}
		}
	}
	return steps, nil
}

// services names those that are asked for, as planning finds them. Nobody is asked for it.
func (o *options) services(ctx context.Context, w *cli.Workspace) ([]string, error) {
	quiet := *w.Promoter
	quiet.Gates, quiet.Resolver, quiet.Verifier, quiet.Tags, quiet.Progress = nil, nil, nil, nil, nil
	request := o.request.Request
	request.Preview, request.NoDiff, request.Override = true, true, nil
	plans, err := quiet.PlanAll(ctx, request, o.request.Targets...)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, plan := range plans.All {
		for _, s := range plan.Services {
			if !slices.Contains(names, s.Service) {
				names = append(names, s.Service)
			}
		}
	}
	return names, nil
}

// carryOutSteps delivers steps one after the other, each once the one before is healthy,
// and reports them together.
func (o *options) carryOutSteps(cmd *cobra.Command, printer printers.ResourcePrinter, w *cli.Workspace, steps []waves.Step) error {
	all := &promote.Plans{}
	var done []*promote.Applied
	var requests []*proposal.Result
	health := &waves.Gate{Now: o.clock.Now, Of: func(environment string) (promote.Gate, error) { return o.session.HealthGate(w.Promoter, environment) }}
	merges := &merges{next: seenHealth{health, w.Pipeline}}
	r := waves.Runner{Health: merges, Now: o.clock.Now, Sleep: o.clock.Sleep}
	said := ""
	r.Says = func(s waves.Step, v promote.Verdict) {
		if text := fmt.Sprintf("%s: waiting for its health: %s", s, v.Text()); text != said && !o.session.Quiet {
			fmt.Fprintln(o.session.ErrOut, cli.Clean(text))
			said = text
		}
	}
	r.Deliver = func(ctx context.Context, s waves.Step) (bool, error) {
		o.request.Services, o.request.All, o.request.Select, o.request.Except = s.Services, false, nil, nil
		o.request.Targets = []string{s.Environment}
		plans, applied, err := o.deliverStep(cmd, w, s)
		if plans == nil || len(applied) < len(plans.All) {
			return false, err
		}
		o.findSources(ctx, plans, printer != nil)
		proposed, perr := o.propose(ctx, w, plans, applied)
		err = errors.Join(err, perr)
		if proposed == nil {
			proposed = make([]*proposal.Result, len(applied))
		}
		all.All, done, requests = append(all.All, plans.All...), append(done, applied...), append(requests, proposed...)
		announce.Tell(ctx, o.session, w, announce.Plans(plans, applied, proposed, o.dryRun, false))
		if err == nil {
			err = o.follow(ctx, w, plans, applied)
		}
		if err == nil {
			err = o.session.Again(ctx, w) // which has the commit now
		}
		for n, plan := range plans.All {
			if pr := proposed[n]; pr != nil && plan.Changed() && pr.State != proposal.Closed {
				merges.add(plan, o.forgeOf(w, plan), pr, func(commit string) error {
					if err := o.session.Again(ctx, w); err != nil { // which has the commit now
						return err
					}
					commit, err := becomes(w, plan, commit)
					if err == nil {
						health.Delivered(plan, commit)
					}
					return err
				})
			} else {
				health.Delivered(plan, cmp.Or(applied[n].Commit, w.Branch.Tip()))
			}
			if err == nil {
				err = o.attestCommit(cmd, w, plan, applied[n])
			}
		}
		all := answer(plans, applied) == nil
		if err == nil && all {
			o.session.Note("%s: delivered: %s", s, strings.Join(s.Services, ", "))
		}
		if err == nil {
			err = o.watch(cmd, w, plans, applied, proposed) // what is taken back lets nothing follow
		}
		return err == nil && all, err
	}
	failed := r.Run(cmd.Context(), steps)
	if len(done) == 0 {
		return failed
	}
	unprinted := o.report(printer, all, done, requests)
	var stopped *waves.Stopped
	if errors.As(failed, &stopped) {
		if unprinted != nil {
			o.session.Fail(unprinted)
		}
		v := stopped.Verdict
		o.session.PrintFacts([]cli.Fact{{Text: stopped.Error(), Hint: o.session.WithAdvice(v.Hint, string(v.Advice.Do), v.Advice.With)}})
		return cli.Silent(cli.AnswerStatus(v.Answer))
	}
	if failed = errors.Join(failed, unprinted); failed != nil {
		return failed
	}
	return o.refusal(all, done)
}

// deliverStep delivers one step. A pull request is opened before its gates pass: who says yes
// does so there.
func (o *options) deliverStep(cmd *cobra.Command, w *cli.Workspace, s waves.Step) (*promote.Plans, []*promote.Applied, error) {
	wait := o.wait
	defer func() { o.wait = wait }()
	e, err := w.Pipeline.Environment(s.Environment)
	if err != nil {
		return nil, nil, err
	}
	o.wait = cmp.Or(o.request.Mode, e.Deliver.Mode) != pipeline.DeliverPullRequest
	return o.deliver(cmd, w)
}

// seenHealth asks for health where the pipeline says where it is seen. Where it does not,
// the next environment's own gates have the word.
type seenHealth struct {
	asks     waves.Health
	pipeline *pipeline.Pipeline
}

// Health implements [waves.Health].
func (s seenHealth) Health(ctx context.Context, services []string, environment string) promote.Verdict {
	if e, err := s.pipeline.Environment(environment); err == nil && e.Health == nil {
		return promote.Verdict{Answer: promote.Pass, Reason: "not asked"}
	}
	return s.asks.Health(ctx, services, environment)
}

// contradictions warns where what deploys the services has another order than the pipeline,
// as far as it stands in their own files.
func (o *options) contradictions(w *cli.Workspace) {
	targets, err := w.Pipeline.Targets(o.request.Targets)
	if err != nil {
		return // which planning says
	}
	related := make(map[string]bool)
	for _, s := range w.Pipeline.Spec.Services {
		for _, other := range s.DependsOn {
			related[s.Name], related[other] = true, true
		}
	}
	all := w.Pipeline.Sites(w.Promoter.Repo)
	for _, e := range targets {
		sites := make(pipeline.ByService)
		var files []waves.File
		for service := range related {
			here, err := all.Of(e, service)
			if err != nil {
				continue
			}
			sites[service] = map[string][]pipeline.Site{e.Name: here}
			for _, one := range here {
				if f, err := all.Read(one, false); err == nil {
					files = append(files, waves.File{Path: f.Name(), Data: f.Bytes()})
				}
			}
		}
		o.session.WarnAll(waves.Contradictions(w.Pipeline, e, sites, files))
	}
}
