package main

import (
	"context"
	"path/filepath"
)

// The bounds.
const (
	startUpTimes = 1.5 // as long as kustomize, at most
	oneTimes     = 1.0
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
	b.most("version", a.wall()/k.wall(), "× kustomize version", startUpTimes, a)
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

// oneEdit compares one edit of one file, as whole processes. Ours waits for the disk, so
// that the edit outlives a power failure; kustomize does not wait.
func (b *bench) oneEdit(ctx context.Context) error {
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
	b.report("one edit", "kubectl-promote set", a)
	b.report("", "its start alone", as)
	b.report("", "kustomize edit set image", k)
	b.report("", "its start alone", ks)
	b.most("set", a.wall()/k.wall(), "× kustomize edit set image", oneTimes, a)
	b.note("set without its start", (a.wall()-as.wall())/(k.wall()-ks.wall()), "× kustomize's", a)
	return nil
}

// version is what the program costs before it does anything.
func (c command) version() command {
	c.args = []string{"version"}
	return c
}
