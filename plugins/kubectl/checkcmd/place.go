package checkcmd

import (
	"context"
	"errors"
	"io/fs"
	"strings"

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
	if err != nil || len(shared) != 1 {
		return base, err
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
func isBranch(revision, name string) bool {
	short := strings.TrimPrefix(strings.TrimPrefix(revision, "refs/heads/"), "refs/remotes/")
	_, of, _ := strings.Cut(short, "/")
	return short == name || of == name
}
