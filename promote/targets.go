package promote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/promote/internal/remember"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/shard"
)

// Plans are the plans of one promotion to several environments.
type Plans struct {
	// All are in the order of the pipeline's environments. [Promoter.ApplyAll] puts those
	// that it makes again in their places.
	All   []*Plan
	asked []asked // one for each
}

// asked is what a plan is of.
type asked struct {
	Request
	promoter *Promoter
}

// PlanAll plans a promotion to each of the environments that the targets name, or that
// are of a group of such a name; Request.To is not used. An environment that is named
// several times is one target. What one tag stands for is found out once for all.
//
// As with [Promoter.Plan], an error means that there is no plan, and a refusal is none.
func (p *Promoter) PlanAll(ctx context.Context, req Request, targets ...string) (*Plans, error) {
	environments, err := p.Pipeline.Targets(targets)
	if err != nil {
		return nil, err
	}
	if len(environments) == 0 {
		return nil, usage("", "no environment named").advising(advise(DoPromote))
	}
	if err := p.independent(environments, req); err != nil {
		return nil, err
	}
	once := *p
	if p.Resolver != nil {
		known := func(r Resolution) bool { return r.Answer == Pass }
		once.Resolver = &remember.Resolver[Resolution]{Next: p.Resolver, Answers: remember.Answers[Resolution]{Keep: known}}
	}
	plans := &Plans{}
	var errs []error
	said := make(map[string]bool)
	for _, e := range environments {
		req.To = e.Name
		each, err := once.each(ctx, e, req)
		for _, one := range each {
			plan, perr := one.promoter.Plan(ctx, one.Request)
			plans.All, err = append(plans.All, plan), errors.Join(err, perr)
		}
		plans.asked = append(plans.asked, each...)
		if err != nil && !said[err.Error()] {
			said[err.Error()] = true
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return plans, nil
}

// each gives the request, or one for each service where these are in places of their own.
func (p *Promoter) each(ctx context.Context, to *pipeline.Environment, req Request) ([]asked, error) {
	from, err := p.origin(to, req)
	if err != nil || !from.EachService() && !to.EachService() {
		return []asked{{req, p}}, nil // planning says what is wrong
	}
	w := &planner{Promoter: p, req: req, from: from, to: to, plan: &Plan{}, sites: p.Pipeline.Sites(p.Repo)}
	w.overlays = sync.OnceValues(w.sites.Reached)
	if err := w.chooseServices(ctx); err != nil {
		return nil, err
	}
	var out []asked
	for _, name := range w.names {
		one, only := *p, req
		one.Pipeline, only.each = p.Pipeline.Of(name), true
		only.Services, only.All, only.Except, only.Select, only.Shard = []string{name}, false, nil, nil, shard.Shard{}
		out = append(out, asked{only, &one})
	}
	return out, nil
}

// Target is the environment of a plan, as the plan's service has it.
func (p *Promoter) Target(plan *Plan) (*pipeline.Environment, error) {
	name, _, _ := strings.Cut(plan.Title(), " in ")
	return p.Pipeline.Of(name).Environment(plan.To)
}

// RepoOf gives what an environment's files are in: the promoter's own repository, or what
// that has for other places, see [pipeline.Places]. Where nobody can tell what is there the
// error is a *pipeline.Unreached.
func (p *Promoter) RepoOf(e *pipeline.Environment) (Repo, error) {
	tree, err := e.TreeOf(p.Repo)
	repo, ok := tree.(Repo)
	if err == nil && !ok {
		err = failure("", "nothing can be written to %s", e.Place())
	}
	return repo, err
}

// Source gives the environment that images come from on their way to another: the one that
// is asked for, or the only one that the pipeline names. Its errors are of [ErrUsage].
func (p *Promoter) Source(to *pipeline.Environment, from string) (*pipeline.Environment, error) {
	switch {
	case from == to.Name:
		return nil, usage("", "source and target are the same environment, %q", from)
	case from == "" && len(to.From) == 1:
		from = to.From[0]
	case from == "" && len(to.From) == 0:
		return nil, usage("", "nothing is promoted to %q: it is the first environment", to.Name).advising(advise(DoEnter, "to", to.Name))
	case from == "":
		return nil, usage("", "%q has several sources: %s", to.Name, strings.Join(to.From, ", ")).
			advising(advise(DoPromote, "from", to.From[0], "to", to.Name))
	}
	src, err := p.Pipeline.Environment(from)
	if err != nil {
		return nil, err
	}
	if slices.Contains(to.From, from) {
		return src, nil
	}
	e := usage("", "the pipeline does not promote from %q to %q", from, to.Name)
	if len(to.From) == 0 {
		return nil, e.advising(advise(DoEnter, "to", to.Name))
	}
	return nil, e.advising(advise(DoPromote, "from", to.From[0], "to", to.Name))
}

// independent refuses targets of which one is the other's source: what it gets is
// there only once the first is promoted, and nobody has seen it there.
func (p *Promoter) independent(targets []*pipeline.Environment, req Request) error {
	for _, to := range targets {
		from, err := p.origin(to, req)
		if err != nil || from == to {
			continue // which planning says
		}
		if slices.Contains(targets, from) {
			return usage("", "%q is promoted from %q, which is a target itself", to.Name, from.Name).advising(advise(DoPromote, "to", from.Name))
		}
	}
	return nil
}

// Preview tells whether the plans were only asked for to be shown.
func (ps *Plans) Preview() bool {
	return slices.ContainsFunc(ps.asked, func(a asked) bool { return a.Preview })
}

// Refusal gives the error that ApplyAll would return, or nil: one plan that is refused
// holds up all, unless those that are refused are to be skipped.
func (ps *Plans) Refusal() *Refused {
	var all *Refused
	for _, plan := range ps.All {
		r := plan.Refusal()
		if r != nil && plan.proposes(r) {
			r = nil
		}
		if r == nil && plan.skip {
			return nil
		}
		all = all.and(r)
	}
	return all
}

// Refused gives what is refused of all plans, or nil; see [Plan.Refused].
func (ps *Plans) Refused() *Refused {
	var all *Refused
	for _, plan := range ps.All {
		all = all.and(plan.Refused())
	}
	return all
}

// Failed gives the errors of services that could not be planned; see [Plan.Failed].
func (ps *Plans) Failed() error {
	var errs []error
	for _, plan := range ps.All {
		errs = append(errs, plan.Failed())
	}
	return errors.Join(errs...)
}

// and joins what two plans are refused for.
func (r *Refused) and(other *Refused) *Refused {
	if r == nil || other == nil {
		if r == nil {
			return other
		}
		return r
	}
	return &Refused{Answer: Worst(r.Answer, other.Answer), Verdicts: slices.Concat(r.Verdicts, other.Verdicts)}
}

// ApplyAll carries out plans that PlanAll made, one environment after the other. Where a
// commit has been made, the next plan is made again on top of it, and must come to the
// same. What was done until an error is returned beside it, an Applied for each plan
// from the first on; a plan that is skipped has an empty one.
func (p *Promoter) ApplyAll(ctx context.Context, plans *Plans) ([]*Applied, error) {
	if r := plans.Refusal(); r != nil {
		return nil, r
	}
	if err := plans.apart(); err != nil {
		return nil, err
	}
	var done []*Applied
	moved, last := false, "" // last is the newest commit with the rules
	for n := range plans.All {
		if err := plans.again(ctx, n, moved, last); err != nil {
			return done, plans.partly(len(done), err)
		}
		plan := plans.All[n]
		if plan.Refusal() != nil && plan.skip {
			done = append(done, &Applied{Files: []string{}})
			continue
		}
		applied, err := p.Apply(ctx, plan)
		if applied != nil {
			done = append(done, applied)
			if applied.Commit != "" && plan.Mode != pipeline.DeliverPullRequest { // that is on a branch of its own
				if moved = true; plan.place == (pipeline.Place{}) {
					last = applied.Commit
				}
			}
		}
		if err != nil {
			return done, plans.partly(len(done), err)
		}
	}
	return done, nil
}

// again makes a plan anew where a commit of another environment has come in between.
func (ps *Plans) again(ctx context.Context, n int, moved bool, last string) error {
	if !moved {
		return nil
	}
	p := *ps.asked[n].promoter
	if p.Rules.Commit != "" && last != "" {
		p.Rules.Commit = last // which has no rules but those that it is on top of
	}
	plan, err := p.Plan(ctx, ps.asked[n].Request)
	if err != nil {
		return err
	}
	before := ps.All[n]
	ps.All[n] = plan
	if r := plan.Refusal(); r != nil && !plan.skip && !plan.proposes(r) {
		return r
	}
	if !slices.Equal(before.pins(), plan.pins()) {
		return failure("promote again", "what comes to %q is not what it was when it was planned", plan.Title())
	}
	return nil
}

// pins are what a plan writes, a line each.
func (p *Plan) pins() []string {
	var out []string
	for _, s := range p.Services {
		for _, i := range s.Images {
			out = append(out, fmt.Sprintf("%s %s %s %s", s.Service, i.File, i.Name, i.New.Ref(i.Repository)))
		}
		for _, a := range s.Along {
			out = append(out, fmt.Sprintf("%s %s %s %s %s", s.Service, a.File, a.Kind, a.Name, a.New))
		}
	}
	return out
}

// partly says of an error which environments were promoted before it.
func (ps *Plans) partly(done int, err error) error {
	if done == 0 {
		return err
	}
	if done == len(ps.All) {
		return err // of what came after the commit
	}
	var names []string
	for _, plan := range ps.All[:done] {
		names = append(names, plan.Title())
	}
	return &Error{Msg: fmt.Sprintf("%s: done; %s: not", strings.Join(names, ", "), ps.All[done].Title()), Err: err}
}

// apart refuses plans that change one file where not each makes a commit of its own:
// the second would find a file with changes that nobody has committed.
func (ps *Plans) apart() error {
	first := make(map[[2]string]*Plan) // by place and path
	for _, plan := range ps.All {
		files, _ := plan.files()
		for _, f := range files {
			other := first[[2]string{plan.place.String(), f.Path}]
			if other != nil && (other.Mode == pipeline.DeliverWorktree || plan.Mode == pipeline.DeliverWorktree) {
				return failure("", "%s: %s and %s both change it, which takes a commit of each", f.Path, other.Title(), plan.Title()).advising(advise(DoCommit))
			}
			first[[2]string{plan.place.String(), f.Path}] = plan
		}
	}
	return nil
}
