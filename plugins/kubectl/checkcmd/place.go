package checkcmd

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// version is the place that a change is for, as one commit has it, with the other places of
// the pipeline as they are.
type version struct {
	promote.Tree
	place pipeline.Place
	home  pipeline.Places
}

// At implements [pipeline.Places].
func (v version) At(at pipeline.Place) (pipeline.Tree, error) {
	if at == v.place {
		return v.Tree, nil
	}
	return v.home.At(at)
}

// rulesOf gives the commit whose rules a change is judged by: what was named, or the base;
// or, where that has no pipeline file, as a branch of one environment, what is the remote's
// default branch.
func (o *options) rulesOf(ctx context.Context, repo *git.Repo, base string) (string, error) {
	if o.rules != "" {
		return repo.Revision(ctx, o.rules)
	}
	_, err := repo.At(ctx, base).ReadFile(pipeline.FileName)
	if o.session.Pipeline != "" || !errors.Is(err, fs.ErrNotExist) {
		return base, err
	}
	shared, err := repo.Shared(ctx)
	switch {
	case err != nil || len(shared) == 0:
		return base, err
	case len(shared) > 1:
		return base, oneOfThem(ctx, repo, shared)
	}
	rules, err := repo.Revision(ctx, shared[0])
	if err != nil {
		return "", err
	}
	if _, err = repo.At(ctx, rules).ReadFile(pipeline.FileName); errors.Is(err, fs.ErrNotExist) {
		return base, nil
	}
	return rules, err
}

// mostLooked bounds how many branches are looked at for a pipeline.
const mostLooked = 100

// oneOfThem is an error where a pipeline is on a branch of the remote, and nobody says on which
// one the rules are: without a pipeline the layout would be guessed from the base.
func oneOfThem(ctx context.Context, repo *git.Repo, shared []string) error {
	for _, name := range shared[:min(len(shared), mostLooked)] {
		commit, err := repo.Revision(ctx, name)
		if err != nil {
			return err
		}
		switch _, err = repo.At(ctx, commit).ReadFile(pipeline.FileName); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		default:
			short := strings.TrimPrefix(name, "refs/remotes/")
			remote, _, _ := strings.Cut(short, "/")
			return &cli.UsageError{Msg: "--rules is missing: the base has no " + pipeline.FileName + ", and this clone does not say which branch of the remote is the default",
				Hint: "--rules " + shell.Quote(short) + ", or git remote set-head " + shell.Quote(remote) + " --auto"}
		}
	}
	return nil
}

// needBranch is an error where environments are on branches, and nobody can tell which of them
// a change is for: a base that is a commit has no name. A branch that was typed is one of
// theirs, or one that is there.
func needBranch(ctx context.Context, repo *git.Repo, p *pipeline.Pipeline, typed string, named bool) error {
	var names []string
	for i := range p.Spec.Environments {
		if at := p.Spec.Environments[i].Place(); at.Repository == "" && at.Branch != "" {
			names = append(names, at.Branch)
		}
	}
	switch {
	case len(names) == 0 || slices.Contains(names, typed):
		return nil
	case !named:
		return &cli.UsageError{Msg: "--branch is missing: environments are on branches of their own, and the base names none", Hint: "--branch " + shell.Quote(names[0]) + ", or that of the pipeline"}
	case typed == "":
		return nil
	}
	shared, err := repo.Shared(ctx)
	if err != nil {
		return err
	}
	there := append(shared, "refs/heads/"+typed, "refs/remotes/origin/"+typed)
	if slices.ContainsFunc(there, func(full string) bool {
		if !isBranch(full, typed) {
			return false
		}
		found, err := repo.FullName(ctx, full)
		return err == nil && found != ""
	}) {
		return nil
	}
	hint := "git fetch origin " + shell.Quote(typed)
	if near := spelling.Nearest(typed, names); near != "" {
		hint = "--branch " + shell.Quote(near)
	}
	return &cli.UsageError{Msg: "--branch " + cli.Clean(typed) + " is the branch of no environment, and this clone has none of that name", Hint: hint}
}

// placeOf gives the place that a branch is, and the environments that are there: those that
// a change for it may be of. Where no environment is elsewhere, all are at home.
func placeOf(p *pipeline.Pipeline, base string) (at pipeline.Place, names []string) {
	elsewhere := false
	for i := range p.Spec.Environments {
		one := p.Spec.Environments[i].Place()
		elsewhere = elsewhere || one != (pipeline.Place{})
		if one.Repository == "" && one.Branch != "" && isBranch(base, one.Branch) {
			at = one
		}
	}
	for i := range p.Spec.Environments {
		if e := &p.Spec.Environments[i]; elsewhere && e.Place() == at {
			names = append(names, e.Name)
		}
	}
	return at, names
}

// isBranch tells whether a revision names a branch, here or as a remote has it.
func isBranch(revision, name string) bool { return slices.Contains(branchNames(revision), name) }

// branchNames are the names of the branch that a revision may be.
func branchNames(revision string) []string {
	short := strings.TrimPrefix(strings.TrimPrefix(revision, "refs/heads/"), "refs/remotes/")
	_, of, _ := strings.Cut(short, "/")
	return []string{short, of}
}
