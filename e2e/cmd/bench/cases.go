package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// The targets.
const (
	startUpTimes = 2.0 // as long as kustomize, at most
	oneTimes     = 1.0
	manyTimes    = 40.0 // as fast as the loop, at least
	manyMemory   = 150 << 20
	statusTime   = 3.0 // seconds
)

// startUp compares what every command costs before it does anything.
func (b *bench) startUp(ctx context.Context) error {
	ours := command{name: b.product, args: []string{"version"}}
	theirs := command{name: b.kustomize, args: []string{"version"}}
	a, k, err := inTurns(ctx, b.rounds, ours.run, theirs.run)
	if err != nil {
		return err
	}
	b.report("start-up", "kubectl-promote version", a)
	b.report("", "kustomize version", k)
	ratio := a.wall() / k.wall()
	b.target("start-up", fmt.Sprintf("%.2f × kustomize's", ratio), "≤ 2 ×", ratio <= startUpTimes)
	return nil
}

const oneFile = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- ../../base
images: # promoted
- name: web
  newName: registry.example.com/shop/web
  newTag: v1.0.0
`

// oneImage compares one edit of one file: what the command takes beyond its
// start-up, which has a target of its own. Ours includes waiting for the disk,
// so that the edit outlives a power failure; kustomize does not wait.
func (b *bench) oneImage(ctx context.Context) error {
	file := func(dir string) (string, func() error) {
		dir = filepath.Join(b.dir, dir)
		return dir, func() error {
			return writeFile(filepath.Join(dir, "kustomization.yaml"), oneFile)
		}
	}
	dir, prepare := file("one-a")
	ours := command{dir: dir, name: b.product, args: []string{"set", "web=*:v1.1.0"}, prepare: prepare}
	dir, prepare = file("one-b")
	theirs := command{dir: dir, name: b.kustomize, args: []string{"edit", "set", "image", "web=*:v1.1.0"}, prepare: prepare}
	all, err := allInTurns(ctx, b.rounds, ours.run, ours.version().run, theirs.run, theirs.version().run)
	if err != nil {
		return err
	}
	a, as, k, ks := all[0], all[1], all[2], all[3]
	b.report("one image", "kubectl-promote set", a)
	b.report("", "its start alone", as)
	b.report("", "kustomize edit set image", k)
	b.report("", "its start alone", ks)
	ratio := (a.wall() - as.wall()) / (k.wall() - ks.wall())
	b.target("one edit", fmt.Sprintf("%.2f × kustomize's", ratio), "≤ 1 ×", ratio <= oneTimes)
	b.note("one edit and its start", fmt.Sprintf("%.2f × kustomize's", a.wall()/k.wall()))
	return nil
}

// version is what the program costs before it does anything.
func (c command) version() command {
	c.args = []string{"version"}
	return c
}

// manyImages compares the promotion of all services with a loop that does the
// same by kustomize and git.
func (b *bench) manyImages(ctx context.Context) error {
	original := &repository{dir: filepath.Join(b.dir, "services"), services: b.small}
	if err := original.make(ctx); err != nil {
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
	a, k, err := inTurns(ctx, b.long, onCopy(b.promoteAll), onCopy(b.loop))
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d services", b.small)
	b.report(what, "kubectl-promote --all --commit", a)
	b.report("", "kustomize in a loop, git commit", k)
	ratio := k.wall() / a.wall()
	b.target(what, fmt.Sprintf("%.0f × as fast", ratio), "≥ 40 ×", ratio >= manyTimes)
	b.target(what+", memory", mib(a.memory()), "< 150 MiB", a.memory() < manyMemory)
	return nil
}

func (b *bench) promoteAll(ctx context.Context, r *repository) (cost, error) {
	return command{dir: r.dir, name: b.product, args: []string{"--all", "--to", "production", "--commit", "--offline"}}.run(ctx)
}

// loop sets the image of each service by kustomize, then commits.
func (b *bench) loop(ctx context.Context, r *repository) (cost, error) {
	var sum cost
	for i := range r.services {
		c := command{dir: filepath.Dir(r.production(i)), name: b.kustomize,
			args: []string{"edit", "set", "image", fmt.Sprintf("shop/%s=*:%s@%s", service(i), newTag, digest(i, newTag))}}
		one, err := c.run(ctx)
		if err != nil {
			return cost{}, err
		}
		sum = sum.plus(one)
	}
	commit := command{dir: r.dir, name: "git", args: []string{"commit", "--quiet", "--all", "--message=promote"}}
	one, err := commit.run(ctx)
	b.share("", "git commit of it, alone", one)
	return sum.plus(one), err
}

// growth shows what a repository ten times as large costs.
func (b *bench) growth(ctx context.Context) error {
	small := &repository{dir: filepath.Join(b.dir, "services"), services: b.small}
	large := &repository{dir: filepath.Join(b.dir, "many-services"), services: b.large}
	if err := large.make(ctx); err != nil {
		return err
	}
	if err := b.status(ctx, small, large); err != nil {
		return err
	}
	three := func(r *repository) func(context.Context) (cost, error) {
		next := 0 // three others each time
		return func(ctx context.Context) (cost, error) {
			names := []string{service(next), service(next + 1), service(next + 2)}
			next += 3
			flush()
			return command{dir: r.dir, name: b.product, args: append(names, "--to", "production", "--commit", "--offline")}.run(ctx)
		}
	}
	l, s, err := inTurns(ctx, b.long, three(large), three(small))
	if err != nil {
		return err
	}
	b.report("promotion of 3", fmt.Sprintf("of %d services", b.large), l)
	b.report("", fmt.Sprintf("of %d services", b.small), s)
	b.note("promotion of 3", fmt.Sprintf("%.1f × as long for %d × the services", l.wall()/s.wall(), b.large/b.small))
	return nil
}

// status is measured beside git's own, which reads the same files' times.
func (b *bench) status(ctx context.Context, small, large *repository) error {
	ask := func(r *repository) command { return command{dir: r.dir, name: b.product, args: []string{"status"}} }
	many, few := ask(large), ask(small)
	l, s, err := inTurns(ctx, b.long, many.run, few.run)
	if err != nil {
		return err
	}
	git := command{dir: large.dir, name: "git", args: []string{"status", "--porcelain"}}
	g, _, err := inTurns(ctx, b.long, git.run, git.run)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("status of %d", b.large)
	b.report(what, "kubectl-promote status", l)
	b.report("", fmt.Sprintf("the same with %d services", b.small), s)
	b.report("", "git status, for comparison", g)
	b.target(what, fmt.Sprintf("%.2f s", l.wall()), "< 3 s", l.wall() < statusTime)
	b.note(what, fmt.Sprintf("%.1f × as long for %d × the services", l.wall()/s.wall(), b.large/b.small))
	return nil
}
