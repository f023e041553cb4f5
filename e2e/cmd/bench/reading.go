package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The bounds.
const (
	statusTimes  = 2.0   // as long as reading the files, at most
	statusMemory = 150.0 // MiB
	historyTimes = 1.5   // as long as git log, at most
	benchCommits = 50_000
	benchEdited  = 200 // services that these commits are about
)

// shape is one of the layouts that status is measured on: what its files are.
type shape struct {
	name, layout string
	files        func(services int, write func(name, text string) error) error
}

var environments = []struct{ name, tag string }{{"staging", newTag}, {"production", oldTag}}

var shapes = []shape{
	{"overlays", "apps/{service}/overlays/{environment}", func(n int, write func(name, text string) error) error {
		return each(n, func(i int, e, tag string) error { return write(pathOf(i, e), overlayOf(i, e, tag)) })
	}},
	{"values", "apps/{service}/values-{environment}.yaml", func(n int, write func(name, text string) error) error {
		return each(n, func(i int, e, tag string) error {
			return write("apps/"+service(i)+"/values-"+e+".yaml", "replicas: 3\n"+valuesOf(i, tag, "")+"service: {port: 80}\n")
		})
	}},
	{"one file, within", `{path: "values-{environment}.yaml", within: "services.{service}"}`, func(n int, write func(name, text string) error) error {
		return inOne(n, write, "values-%s.yaml", "services:\n", func(i int, tag string) string { return "  " + service(i) + ":\n" + valuesOf(i, tag, "    ") })
	}},
	{"one file, a service an image", `{path: "overlays/{environment}", service: image}`, func(n int, write func(name, text string) error) error {
		return inOne(n, write, "overlays/%s/kustomization.yaml", "images:\n", func(i int, tag string) string {
			return fmt.Sprintf("- name: %s\n  newTag: %s\n  digest: %s\n", service(i), tag, digest(i, tag))
		})
	}},
}

func valuesOf(i int, tag, indent string) string {
	return fmt.Sprintf("%[1]simage:\n%[1]s  repository: registry.example.com/shop/%[2]s\n%[1]s  tag: %[3]s\n", indent, service(i), tag)
}

// each does something for all services in all environments.
func each(services int, do func(i int, environment, tag string) error) error {
	var errs []error
	for i := range services {
		for _, e := range environments {
			errs = append(errs, do(i, e.name, e.tag))
		}
	}
	return errors.Join(errs...)
}

// inOne writes a file for each environment with all services in it.
func inOne(services int, write func(name, text string) error, file, head string, item func(i int, tag string) string) error {
	var errs []error
	for _, e := range environments {
		text := strings.Builder{}
		text.WriteString(head)
		for i := range services {
			text.WriteString(item(i, e.tag))
		}
		errs = append(errs, write(fmt.Sprintf(file, e.name), text.String()))
	}
	return errors.Join(errs...)
}

// status compares the board of many services with a program that reads the same files and
// does nothing with them.
func (b *bench) status(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for n, s := range shapes {
		dir := filepath.Join(b.dir, fmt.Sprintf("status-%d", n))
		r, err := imported(ctx, dir, false, func(h *history) {
			h.commit("begin")
			h.file("promotion.yaml", strings.Replace(twoEnvironments, "apps/{service}/overlays/{environment}", s.layout, 1))
		})
		if err != nil {
			return err
		}
		var files []string
		err = s.files(b.large, func(name, text string) error {
			files = append(files, filepath.Join(r.dir, name))
			return writeFile(filepath.Join(r.dir, name), text)
		})
		list := filepath.Join(b.dir, fmt.Sprintf("status-%d.files", n))
		if err := errors.Join(err, writeFile(list, strings.Join(files, "\n"))); err != nil {
			return err
		}
		ours, floor := command{dir: r.dir, name: b.product, args: []string{"status"}}, command{name: self, args: []string{readsArg, list}}
		a, k, err := inTurns(ctx, b.long, ours.run, floor.run)
		if err != nil {
			return err
		}
		b.report(s.name, "kubectl-promote status", a)
		b.report("", fmt.Sprintf("reading %d files", len(files)), k)
		b.most(s.name, a.wall()/k.wall(), "× reading the files", statusTimes, a)
		b.most(s.name, float64(a.memory())/(1<<20), "MiB", statusMemory, a)
	}
	return nil
}

// reads is the floor of status: each file of a list, read once.
func reads(list string) error {
	files, err := readLines(list)
	if err != nil {
		return err
	}
	return inParallel(files, func(name string) error {
		_, err := os.ReadFile(name)
		return err
	})
}

// history compares the history of an environment with what git takes to find the commits
// that are in it.
func (b *bench) history(ctx context.Context) error {
	r, err := imported(ctx, filepath.Join(b.dir, "history"), false, func(h *history) {
		h.commit("begin")
		h.file("promotion.yaml", twoEnvironments)
		h.pairs(benchEdited)
		for n := range benchCommits - 1 {
			h.commit(fmt.Sprintf("deploy %d", n))
			i, tag := n%benchEdited, fmt.Sprintf("v2.%d.0", n)
			h.file(pathOf(i, "production"), overlayOf(i, "production", tag))
		}
	})
	if err != nil {
		return err
	}
	ours := command{dir: r.dir, name: b.product, args: []string{"history", "--env", "production"}}
	log := command{dir: r.dir, name: "git", args: []string{"log", "--first-parent", "-m", "--raw", "--no-renames", "--no-abbrev", "--", ":(glob)apps/*/overlays/production/kustomization.yaml"}}
	a, g, err := inTurns(ctx, b.long, ours.run, log.run)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d commits", benchCommits)
	b.report(what, "kubectl-promote history", a)
	b.report("", "git log of the same paths", g)
	b.most(what, a.wall()/g.wall(), "× git log", historyTimes, a)
	return nil
}
