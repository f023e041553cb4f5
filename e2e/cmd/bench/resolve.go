package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The targets.
const (
	resolveTimes  = 50.0 // as fast as crane one by one, at least
	resolveFloor  = 1.1  // as long as the bare client, at most
	resolveMemory = 100.0
)

// resolve compares the digests of many tags: crane one by one, and a bare client
// that sends the same requests, 20 ms away from a registry that wants tokens.
func (b *bench) resolve(ctx context.Context) (err error) {
	f, err := b.startFar(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	const some = 1000
	refs := f.some(some)
	list := filepath.Join(f.dir, "some")
	if err := writeFile(list, strings.Join(refs, "\n")); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	environment := []string{"DOCKER_CONFIG=" + f.dir}
	ours := command{name: b.product, args: append([]string{"resolve"}, refs...), env: environment}
	floor := command{name: self, args: []string{headsArg, list}}
	a, k, err := inTurns(ctx, 5, ours.run, floor.run)
	if err != nil {
		return err
	}
	crane, err := b.oneByOne(ctx, refs, func(ref string) command {
		return command{name: b.crane, args: []string{"digest", ref}, env: environment}
	})
	if err != nil {
		return err
	}
	what := fmt.Sprintf("digests of %d", some)
	b.report(what, "kubectl-promote resolve", a)
	b.report("", "bare client", k)
	b.report("", "crane digest, one by one", costs{crane})
	b.least(what, crane.wall.Seconds()/a.wall(), "× as fast as crane one by one", resolveTimes, a)
	b.most(what, a.wall()/k.wall(), "× a bare client", resolveFloor, a)

	all := command{name: b.product, args: append([]string{"resolve"}, f.refs...), env: environment}
	c, err := all.run(ctx)
	if err != nil {
		return err
	}
	what = fmt.Sprintf("digests of %d", len(f.refs))
	b.report(what, "kubectl-promote resolve", costs{c})
	b.most(what, float64(c.memory)/(1<<20), "MiB", resolveMemory, costs{c})
	return nil
}

// some takes n references evenly from all repositories.
func (f *far) some(n int) []string {
	refs := make([]string, n)
	for i := range refs {
		refs[i] = f.refs[i*len(f.refs)/n]
	}
	return refs
}

// oneByOne sums what one run for each item takes.
func (b *bench) oneByOne(ctx context.Context, items []string, make func(string) command) (cost, error) {
	var sum cost
	for _, item := range items {
		one, err := make(item).run(ctx)
		if err != nil {
			return cost{}, err
		}
		sum = sum.plus(one)
	}
	return sum, nil
}
