package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// The bounds.
const (
	treeTimes   = 60.0  // as fast as the loop, at least
	commitTimes = 0.7   // as long as the same edits and git commit -a, at most
	manyMemory  = 150.0 // MiB
	growthTimes = 10.0  // as much memory for ten times the services, at most
)

// many compares the promotion of all services with a loop that makes the same edits by
// kustomize, and its commit with git's own of the same edits.
func (b *bench) many(ctx context.Context) error {
	original, err := b.services(ctx, b.small)
	if err != nil {
		return err
	}
	round := 0
	onCopy := func(do func(context.Context, *repository) (cost, error)) func(context.Context) (cost, error) {
		return func(ctx context.Context) (cost, error) {
			round++
			r, err := original.fresh(ctx, fmt.Sprintf("%s-%d", original.dir, round))
			if err != nil {
				return cost{}, err
			}
			c, err := do(ctx, r)
			return c, errors.Join(err, r.promoted(ctx))
		}
	}
	var tree, commits costs
	byHand := onCopy(func(ctx context.Context, r *repository) (cost, error) {
		edit, err := b.promoteAll(ctx, r)
		if err != nil {
			return cost{}, err
		}
		commit, err := r.commit().run(ctx)
		tree, commits = append(tree, edit), append(commits, commit)
		return edit.plus(commit), err
	})
	ours := onCopy(func(ctx context.Context, r *repository) (cost, error) { return b.promoteAll(ctx, r, "--commit") })
	loop := onCopy(func(ctx context.Context, r *repository) (cost, error) {
		edits, err := b.loop(ctx, r)
		if err == nil {
			_, err = r.commit().run(ctx)
		}
		return edits, err
	})
	all, err := allInTurns(ctx, b.long, ours, byHand, loop)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d services", b.small)
	b.report(what, "kubectl-promote --all --commit", all[0])
	b.report("", "kubectl-promote --all", tree)
	b.report("", "git commit --all of it", commits)
	b.report("", "kustomize in a loop", all[2])
	b.least(what+", working tree", all[2].wall()/tree.wall(), "× as fast as the loop", treeTimes, tree)
	b.most(what+", one commit", all[0].wall()/all[1].wall(), "× the edits and git commit -a", commitTimes, all[0])
	b.most(what+", memory", float64(all[0].memory())/(1<<20), "MiB", manyMemory, all[0])
	return nil
}

// services gives a repository of so many services, which is made once.
func (b *bench) services(ctx context.Context, n int) (*repository, error) {
	r := &repository{dir: filepath.Join(b.dir, fmt.Sprintf("services-%d", n)), services: n}
	if _, err := r.git(ctx, "rev-parse", start); err == nil {
		return r, nil
	}
	return r, r.make(ctx)
}

func (b *bench) promoteAll(ctx context.Context, r *repository, more ...string) (cost, error) {
	return command{dir: r.dir, name: b.product, args: append([]string{"--all", "--to", "production", "--offline"}, more...)}.run(ctx)
}

func (r *repository) commit() command {
	return command{dir: r.dir, name: "git", args: []string{"commit", "--quiet", "--all", "--message=promote"}}
}

// loop sets the image of each service by kustomize.
func (b *bench) loop(ctx context.Context, r *repository) (cost, error) {
	var sum cost
	for i := range r.services {
		one, err := b.editByKustomize(r, i).run(ctx)
		if err != nil {
			return cost{}, err
		}
		sum = sum.plus(one)
	}
	return sum, nil
}

// editByKustomize promotes one service.
func (b *bench) editByKustomize(r *repository, i int) command {
	return command{dir: filepath.Dir(r.production(i)), name: b.kustomize, args: []string{"edit", "set", "image", fmt.Sprintf("shop/%s=*:%s@%s", service(i), newTag, digest(i, newTag))}}
}

// growth shows what a repository ten times as large costs.
func (b *bench) growth(ctx context.Context) error {
	small, err := b.services(ctx, b.small)
	if err != nil {
		return err
	}
	large, err := b.services(ctx, b.large)
	if err != nil {
		return err
	}
	onCopy := func(of *repository, round int) (*repository, error) {
		return of.fresh(ctx, fmt.Sprintf("%s-growth-%d", of.dir, round))
	}
	round := 0
	promote := func(of *repository) func(context.Context) (cost, error) {
		return func(ctx context.Context) (cost, error) {
			round++
			r, err := onCopy(of, round)
			if err != nil {
				return cost{}, err
			}
			return b.promoteAll(ctx, r, "--commit")
		}
	}
	status := func(of *repository) func(context.Context) (cost, error) {
		return command{dir: of.dir, name: b.product, args: []string{"status"}}.run
	}
	alone := command{name: b.product, args: []string{"version"}}
	all, err := allInTurns(ctx, b.long, promote(large), promote(small), status(large), status(small), alone.run)
	if err != nil {
		return err
	}
	base := float64(all[4].memory())
	for n, what := range []string{"promotion of all", "status"} {
		l, s := all[2*n], all[2*n+1]
		b.report(what, fmt.Sprintf("%d services", b.large), l)
		b.report("", fmt.Sprintf("%d services", b.small), s)
		b.most(what+", memory beyond the start's", (float64(l.memory())-base)/max(float64(s.memory())-base, 1), "× for 10 × the services", growthTimes, l)
		b.note(what+", time", l.wall()/s.wall(), "× for 10 × the services", l)
	}
	return nil
}
