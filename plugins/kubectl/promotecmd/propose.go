package promotecmd

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/codeowners"
	"github.com/kubepromote/kubepromote/promote/forge/credentials"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/proposal"
)

// forgeOf is where the pull requests of an environment are.
type forgeOf struct {
	forge.Forge
	kind forge.Kind
}

// readyToPropose makes sure, before anything is pushed, that a pull request can be opened.
func (o *options) readyToPropose(ctx context.Context, w *cli.Workspace, plan *promote.Plan) error {
	if plan.Mode != pipeline.DeliverPullRequest || o.forges[plan.To] != nil {
		return nil
	}
	e, err := w.Pipeline.Environment(plan.To)
	if err != nil {
		return err
	}
	f, err := o.forge(ctx, w.Branch, e.Deliver)
	if err != nil {
		return err
	}
	if o.forges == nil {
		o.forges = make(map[string]*forgeOf)
	}
	o.forges[plan.To] = f
	return f.kind.Unsupported(forge.OpenRequest{Labels: e.Deliver.Labels, Draft: e.Deliver.Draft}, forge.MergeRequest{AutoMerge: e.Deliver.AutoMerge != ""})
}

// propose opens the pull requests of what was put on branches of its own, brings those
// that are open up to date, and closes those that have nothing left to promote. There is
// a result for each plan, or nil.
func (o *options) propose(ctx context.Context, w *cli.Workspace, plans *promote.Plans, applied []*promote.Applied) ([]*proposal.Result, error) {
	results := make([]*proposal.Result, len(applied))
	var errs []error
	for n, a := range applied {
		plan := plans.All[n]
		f := o.forges[plan.To]
		if f == nil || o.dryRun || a.Commit == "" && plan.Changed() {
			continue
		}
		e, err := w.Pipeline.Environment(plan.To)
		if err != nil {
			return nil, err
		}
		if a.Commit == "" {
			results[n], err = proposal.Withdraw(ctx, f, plan)
		} else {
			results[n], err = o.openRequest(ctx, w, f, plan, a.Commit, e.Deliver)
		}
		if err != nil && a.Commit != "" {
			err = &promote.Error{Msg: "the commit is on branch " + plan.Proposal() + ", and its pull request is not up to date", Err: err, Hint: "run the same command again"}
		}
		errs = append(errs, err)
		if r := results[n]; r != nil && r.Warning != "" {
			o.session.Warn("pull request %d: %s", r.Number, r.Warning)
		}
	}
	return results, errors.Join(errs...)
}

func (o *options) openRequest(ctx context.Context, w *cli.Workspace, f *forgeOf, plan *promote.Plan, commit string, d pipeline.Deliver) (*proposal.Result, error) {
	reviewers, err := reviewers(w.Branch, f.kind, plan, d.Reviewers)
	if err != nil {
		return nil, err
	}
	return proposal.Publish(ctx, f, plan, commit, proposal.Options{Kind: f.kind, Labels: d.Labels, Reviewers: reviewers, Draft: d.Draft, AutoMerge: d.AutoMerge == pipeline.WhenGreen,
		Rendered: o.rendered(ctx, w, plan, commit)})
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
	if err != nil {
		return nil
	}
	defer after.Close()
	var out []proposal.Rendered
	for _, s := range plan.Services {
		if !s.Changed() || len(out) == mostRendered {
			continue
		}
		r := proposal.Rendered{Service: s.Service}
		var before, now []objects.Object
		if before, now, r.Err = o.session.Renderer.Rendered(ctx, promote.GateRequest{Service: s.Service, From: plan.From, To: plan.To, Head: plan.Head, After: after}); r.Err == nil {
			r.Differences = objects.Compare(before, now, objects.ByName)
		}
		out = append(out, r)
	}
	return out
}

// forge is the client of the forge that a branch's remote is on. A token goes to the host
// of the remote alone, which the user has chosen, whatever the pipeline file says.
func (o *options) forge(ctx context.Context, b *branch.Branch, d pipeline.Deliver) (*forgeOf, error) {
	address, err := b.URL(ctx)
	if err != nil {
		return nil, err
	}
	kind, err := forge.ParseKind(d.Forge)
	if err != nil {
		return nil, err
	}
	r, err := forge.Locate(forge.Remote{URL: address, Kind: kind, Web: d.URL})
	if err != nil {
		return nil, err
	}
	home, _ := os.UserHomeDir()
	options := forge.Options{UserAgent: cli.UserAgent()}
	options.Token, err = credentials.Find(ctx, r, credentials.Options{Getenv: os.Getenv, Home: home, Fill: b.FillCredential, Trusted: []string{r.RemoteHost}, Forge: options})
	if err != nil {
		return nil, err
	}
	client, err := forge.New(r, options)
	return &forgeOf{client, r.Kind}, err
}

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
	dialect := codeowners.Dialect(kind)
	if !slices.Contains([]codeowners.Dialect{codeowners.GitHub, codeowners.GitLab, codeowners.Gitea}, dialect) {
		return nil, &promote.Error{Msg: "reviewers has codeowners, and " + kind.String() + " has no such file", Hint: "name them: reviewers: [NAME]"}
	}
	var paths, names []string
	for _, s := range plan.Services {
		for _, f := range s.Files {
			paths = append(paths, f.Target)
		}
	}
	for _, name := range dialect.Paths() {
		data, err := tree.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f, err := codeowners.Parse(dialect, name, data)
		if err != nil {
			return nil, err
		}
		for _, owner := range f.Owners(paths...) {
			if owner.Kind == codeowners.User || owner.Kind == codeowners.Team {
				names = append(names, owner.Name)
			}
		}
		return names, nil
	}
	return nil, &promote.Error{Msg: "reviewers has codeowners, and there is no file CODEOWNERS", Hint: "kubectl promote init --owner NAME"}
}
