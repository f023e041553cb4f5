package promotecmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/onforge"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/codeowners"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/images"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/proposal"
	"github.com/kubepromote/kubepromote/promote/review"
	"github.com/kubepromote/kubepromote/promote/sources"
)

// requested is where pull requests for an environment go.
type requested struct {
	environment string
	place       pipeline.Place
}

// forgeOf gives the forge on which a plan's pull request is opened, or nil.
func (o *options) forgeOf(w *cli.Workspace, plan *promote.Plan) *review.Forge {
	e, err := w.Target(plan)
	if err != nil {
		return nil
	}
	return o.forges[requested{plan.To, e.Place()}]
}

// readyToPropose makes sure, before anything is pushed, that a pull request can be opened.
func (o *options) readyToPropose(ctx context.Context, w *cli.Workspace, plan *promote.Plan) error {
	e, err := w.Target(plan)
	if err != nil || plan.Mode != pipeline.DeliverPullRequest || o.forges[requested{plan.To, e.Place()}] != nil {
		return err
	}
	home, b, err := o.session.RemoteOf(ctx, w, e)
	if err != nil {
		return err
	}
	f, err := onforge.Open(ctx, home, b, e.Deliver, cli.UserAgent())
	if err != nil {
		return err
	}
	if o.forges == nil {
		o.forges = make(map[requested]*review.Forge)
	}
	o.forges[requested{plan.To, e.Place()}] = f
	return f.Kind.Unsupported(forge.OpenRequest{Labels: e.Deliver.Labels, Draft: e.Deliver.Draft}, forge.MergeRequest{AutoMerge: e.Deliver.AutoMerge != ""})
}

// readyToCommit has the forge make the commit, where the pipeline says so.
func (o *options) readyToCommit(ctx context.Context, w *cli.Workspace, plan *promote.Plan) error {
	e, err := w.Target(plan)
	if err != nil || !e.Deliver.ByForge(plan.Mode) {
		return err
	}
	home, b, err := o.session.RemoteOf(ctx, w, e)
	if err != nil {
		return err
	}
	return onforge.Commits(ctx, home, b, e, cli.UserAgent())
}

// propose opens the pull requests of what was put on branches of its own, brings those
// that are open up to date, and closes those that have nothing left to promote. There is
// a result for each plan, or nil.
func (o *options) propose(ctx context.Context, w *cli.Workspace, plans *promote.Plans, applied []*promote.Applied) ([]*proposal.Result, error) {
	results := make([]*proposal.Result, len(applied))
	var errs []error
	for n, a := range applied {
		plan := plans.All[n]
		e, err := w.Target(plan)
		if err != nil {
			return nil, err
		}
		f := o.forges[requested{plan.To, e.Place()}]
		if f == nil || o.dryRun || a.Commit == "" && plan.Changed() {
			continue
		}
		if a.Commit == "" {
			results[n], err = proposal.Withdraw(ctx, f, plan)
		} else {
			results[n], err = o.openRequest(ctx, w, f, plan, a.Commit, e)
		}
		if err != nil && a.Commit != "" {
			err = &promote.Error{Msg: "the commit is on branch " + plan.Proposal() + ", and its pull request is not up to date", Err: err, Hint: cmp.Or(o.again, "run the same command again")}
		}
		errs = append(errs, err)
		if r := results[n]; r != nil && r.Warning != "" {
			o.session.Warn("pull request %d: %s", r.Number, r.Warning)
		}
	}
	return results, errors.Join(errs...)
}

func (o *options) openRequest(ctx context.Context, w *cli.Workspace, f *review.Forge, plan *promote.Plan, commit string, e *pipeline.Environment) (*proposal.Result, error) {
	there, err := w.RepoOf(e)
	if err != nil {
		return nil, err
	}
	d := e.Deliver
	reviewers, err := reviewers(there, f.Kind, plan, d.Reviewers)
	if err != nil {
		return nil, err
	}
	r, err := proposal.Publish(ctx, f, plan, commit, proposal.Options{Kind: f.Kind, Labels: d.Labels, Reviewers: reviewers, Draft: d.Draft, AutoMerge: d.AutoMerge == pipeline.WhenGreen,
		Rendered: o.rendered(ctx, w, plan, commit)})
	if err != nil || r == nil {
		return r, err
	}
	_, b, err := o.session.RemoteOf(ctx, w, e)
	if err == nil {
		err = proposal.Supersede(ctx, f, b, plan, r)
	}
	if err != nil { // the promotion is proposed all the same
		o.session.Warn("pull request %d: which others it replaces could not be settled: %v", r.Number, err)
	}
	return r, nil
}

// findSources finds what lies between old and new images in their sources, for who is going
// to read it: in a pull request, or in a plan that is shown with all that there is.
func (o *options) findSources(ctx context.Context, plans *promote.Plans, whole bool) {
	if o.session.Offline || len(o.forges) == 0 && !(o.dryRun && (whole || o.output.Wide())) {
		return
	}
	c, err := o.session.CachedRegistries()
	if err != nil {
		return // nothing depends on it
	}
	known := make(map[string]sources.Kind)
	for _, f := range o.forges {
		known[strings.ToLower(f.Host)] = sources.Kind(f.Kind)
	}
	images.Sources(ctx, digest.NewResolver(digest.Options{Client: c.Hurried()}), plans.All, known)
}

// The bounds of what is rendered for the text of a pull request.
const (
	mostRendered = 50
	renderTime   = 30 * time.Second
)

// rendered is what a commit changes in the objects that are applied. It is for people to
// read: what cannot be rendered is said, and stops nothing.
func (o *options) rendered(ctx context.Context, w *cli.Workspace, plan *promote.Plan, commit string) []proposal.Rendered {
	if w.Repo == nil || o.session.Renderer == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, renderTime)
	defer cancel()
	after, err := branch.OfCommit(ctx, w.Repo, commit)
	if err == nil {
		defer after.Close()
	}
	var out []proposal.Rendered
	for _, s := range plan.Services {
		if !s.Changed() {
			continue
		}
		r := proposal.Rendered{Service: s.Service, Err: err}
		if len(out) >= mostRendered {
			r.Err = errTooMany
		}
		if r.Err == nil {
			var before, now []objects.Object
			if before, now, r.Err = o.session.Renderer.Rendered(ctx, promote.GateRequest{Service: s.Service, From: plan.From, To: plan.To, Head: plan.Head, After: after}); r.Err == nil {
				r.Differences = objects.Compare(before, now, objects.ByName)
			}
		}
		out = append(out, r)
	}
	return out
}

var errTooMany = fmt.Errorf("at most %d services are rendered for a pull request", mostRendered)

// reviewers replaces the word codeowners by those who own the files that change.
func reviewers(tree promote.Tree, kind forge.Kind, plan *promote.Plan, wanted []string) ([]string, error) {
	var out []string
	for _, name := range wanted {
		if name != pipeline.CodeOwners {
			out = append(out, name)
			continue
		}
		owners, err := ownersOf(tree, kind, plan)
		if err != nil {
			return nil, err
		}
		out = append(out, owners...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func ownersOf(tree promote.Tree, kind forge.Kind, plan *promote.Plan) ([]string, error) {
	var files, names []string
	for _, s := range plan.Services {
		for _, f := range s.Files {
			files = append(files, f.Target)
		}
	}
	owners, err := review.Owners(tree, kind, files)
	for _, owner := range owners {
		if owner.Kind == codeowners.User || owner.Kind == codeowners.Team {
			names = append(names, owner.Name)
		}
	}
	return names, err
}
