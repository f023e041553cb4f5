package promotecmd

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/forges"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/codeowners"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/proposal"
)

// readyToPropose makes sure, before anything is pushed, that a pull request can be opened.
func (o *options) readyToPropose(ctx context.Context, w *cli.Workspace, plan *promote.Plan) error {
	if plan.Mode != pipeline.DeliverPullRequest || o.forges[plan.To] != nil {
		return nil
	}
	e, err := w.Pipeline.Environment(plan.To)
	if err != nil {
		return err
	}
	f, err := forges.Of(ctx, w.Branch, e.Deliver)
	if err != nil {
		return err
	}
	if o.forges == nil {
		o.forges = make(map[string]*forges.Forge)
	}
	o.forges[plan.To] = f
	return f.Kind.Unsupported(forge.OpenRequest{Labels: e.Deliver.Labels, Draft: e.Deliver.Draft}, forge.MergeRequest{AutoMerge: e.Deliver.AutoMerge != ""})
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

func (o *options) openRequest(ctx context.Context, w *cli.Workspace, f *forges.Forge, plan *promote.Plan, commit string, d pipeline.Deliver) (*proposal.Result, error) {
	reviewers, err := reviewers(w.Branch, f.Kind, plan, d.Reviewers)
	if err != nil {
		return nil, err
	}
	return proposal.Publish(ctx, f, plan, commit, proposal.Options{Kind: f.Kind, Labels: d.Labels, Reviewers: reviewers, Draft: d.Draft, AutoMerge: d.AutoMerge == pipeline.WhenGreen})
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
