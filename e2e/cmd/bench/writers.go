package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// The bounds.
const (
	writersTimes = 3.0 // the rate of the loop, at least
	writersMany  = 20
	writersEach  = 5
	pushTimes    = 2.0 // as long as git's own fetch, commit and push, at most
	pushServices = 1000
	pushFiles    = 200_000
)

// writers compares many that promote to one remote at once with as many loops that rebase
// and push until they are let in. All promotions land.
func (b *bench) writers(ctx context.Context) error {
	round := 0
	contest := func(write func(context.Context, *repository, int) (cost, error)) func(context.Context) (cost, error) {
		return func(ctx context.Context) (cost, error) {
			round++
			return b.contest(ctx, filepath.Join(b.dir, fmt.Sprintf("writers-%d", round)), write)
		}
	}
	ours := contest(func(ctx context.Context, r *repository, i int) (cost, error) {
		return command{dir: r.dir, name: b.product, args: []string{service(i), "--to", "production", "--push", "--offline"}}.run(ctx)
	})
	loop := contest(func(ctx context.Context, r *repository, i int) (cost, error) {
		sum, err := b.editByKustomize(r, i).run(ctx)
		if err == nil {
			_, err = r.commit().run(ctx)
		}
		for try := 0; err == nil; try++ {
			if _, err = r.git(ctx, "pull", "--quiet", "--rebase"); err == nil {
				if _, lost := r.git(ctx, "push", "--quiet"); lost == nil || try == 1000 {
					return sum, lost
				}
			}
		}
		return sum, err
	})
	a, k, err := inTurns(ctx, b.long, ours, loop)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d writers, %d promotions", writersMany, writersMany*writersEach)
	b.report(what, "kubectl-promote --push", a)
	b.report("", "git pull --rebase && git push", k)
	b.least(what, k.wall()/a.wall(), "× the rate of the loop", writersTimes, a)
	return nil
}

// contest has all writers at it, each in a clone of its own, and sees that all have landed.
// The time is that of all of them, the memory that of the largest.
func (b *bench) contest(ctx context.Context, dir string, write func(context.Context, *repository, int) (cost, error)) (cost, error) {
	const all = writersMany * writersEach
	origin, err := imported(ctx, filepath.Join(dir, "origin.git"), true, func(h *history) {
		h.commit("begin")
		h.file("promotion.yaml", twoEnvironments)
		h.pairs(all)
	})
	if err != nil {
		return cost{}, err
	}
	clones := make([]*repository, writersMany)
	for n := range clones {
		clones[n] = &repository{dir: filepath.Join(dir, fmt.Sprint(n))}
		if _, err := origin.git(ctx, "clone", "--quiet", origin.dir, clones[n].dir); err != nil {
			return cost{}, err
		}
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	var sum cost
	var errs []error
	began := time.Now()
	for n, r := range clones {
		group.Go(func() {
			for i := range writersEach {
				one, err := write(ctx, r, n*writersEach+i)
				mu.Lock()
				sum, errs = sum.plus(one), append(errs, err)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	sum.wall = time.Since(began)
	if err := errors.Join(errs...); err != nil {
		return cost{}, err
	}
	return sum, landed(ctx, origin, all)
}

// landed tells whether all services are promoted on the remote.
func landed(ctx context.Context, origin *repository, services int) error {
	text, err := origin.git(ctx, "grep", "--fixed-strings", "-l", "newTag: "+newTag, "main", "--", ":(glob)apps/*/overlays/production/*")
	if n := strings.Count(text, "\n"); err == nil && n != services {
		err = fmt.Errorf("%d of %d promotions have landed", n, services)
	}
	return err
}

// push compares a promotion by URL alone, with nothing in the cache, with what git needs to
// fetch, edit, commit and push the same paths.
func (b *bench) push(ctx context.Context) error {
	origin, err := imported(ctx, filepath.Join(b.dir, "push.git"), true, func(h *history) {
		h.commit("begin")
		h.file("promotion.yaml", twoEnvironments)
		h.pairs(pushServices)
		for n := range pushFiles - 2*pushServices - 1 {
			h.file(fmt.Sprintf("other/%03d/%03d/%d.yaml", n/1000, n/50%20, n), fmt.Sprintf("number: %d\n", n%1000))
		}
	})
	if err != nil {
		return err
	}
	round := 0
	afresh := func(do func(ctx context.Context, dir string) (cost, error)) func(context.Context) (cost, error) {
		return func(ctx context.Context) (cost, error) {
			if _, err := origin.git(ctx, "update-ref", "refs/heads/main", start); err != nil {
				return cost{}, err
			}
			round++
			dir := filepath.Join(b.dir, fmt.Sprintf("push-%d", round))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return cost{}, err
			}
			c, err := do(ctx, dir)
			if err == nil {
				err = landed(ctx, origin, pushServices)
			}
			return c, err
		}
	}
	ours := afresh(func(ctx context.Context, dir string) (cost, error) {
		return command{dir: dir, name: b.product, args: []string{"-C", "file://" + origin.dir, "--all", "--to", "production", "--push", "--offline"}, env: []string{"XDG_CACHE_HOME=" + dir}}.run(ctx)
	})
	a, g, err := inTurns(ctx, b.long, ours, afresh(func(ctx context.Context, dir string) (cost, error) { return pushByGit(ctx, origin, dir) }))
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d services of %d files", pushServices, pushFiles)
	b.report(what, "kubectl-promote -C URL --push", a)
	b.report("", "git fetch, commit and push", g)
	b.most(what, a.wall()/g.wall(), "× git's own", pushTimes, a)
	return nil
}

// pushByGit fetches what is needed of a branch, edits the files, and pushes them.
func pushByGit(ctx context.Context, origin *repository, dir string) (cost, error) {
	var paths strings.Builder
	for i := range pushServices {
		fmt.Fprintln(&paths, pathOf(i, "production"))
	}
	list := filepath.Join(dir, "paths")
	r := &repository{dir: filepath.Join(dir, "clone")}
	if err := errors.Join(writeFile(list, paths.String()), os.MkdirAll(r.dir, 0o755)); err != nil {
		return cost{}, err
	}
	git := func(args ...string) command { return command{dir: r.dir, name: "git", args: args} }
	steps := []command{
		git("init", "--quiet"), git("remote", "add", "origin", "file://"+origin.dir),
		git("fetch", "--quiet", "--depth=1", "--filter=blob:none", "origin", "main"),
		git("read-tree", "FETCH_HEAD"), git("reset", "--quiet", "--soft", "FETCH_HEAD"),
		git("checkout", "--quiet", "FETCH_HEAD", "--pathspec-from-file="+list),
		git("add", "--pathspec-from-file="+list), git("commit", "--quiet", "--message=promote"), git("push", "--quiet", "origin", "HEAD:main"),
	}
	steps[6].prepare = func() error { // what is edited is not what is measured
		var errs []error
		for i := range pushServices {
			errs = append(errs, os.WriteFile(filepath.Join(r.dir, pathOf(i, "production")), []byte(overlayOf(i, "production", newTag)), 0o644))
		}
		return errors.Join(errs...)
	}
	var sum cost
	for _, step := range steps {
		one, err := step.run(ctx)
		if err != nil {
			return cost{}, err
		}
		sum = sum.plus(one)
	}
	return sum, nil
}

// The bounds of a release, in MB.
const (
	programSize = 80.0
	archiveSize = 28.0
)

// size builds what a release has for this machine, and lists what costs most in it.
func (b *bench) size(ctx context.Context) error {
	dir := filepath.Join(b.dir, "release")
	var files []string
	for _, name := range []string{"kubectl-promote", "promote-fn"} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", filepath.Join(dir, name), "./cmd/"+name)
		build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
		files = append(files, name)
	}
	archive := filepath.Join(b.dir, "release.tar.gz")
	tar := exec.CommandContext(ctx, "tar", append([]string{"--use-compress-program=gzip -9", "-cf", archive, "-C", dir}, files...)...)
	if out, err := tar.CombinedOutput(); err != nil {
		return fmt.Errorf("tar: %w\n%s", err, out)
	}
	for _, one := range []struct {
		what, file string
		limit      float64
	}{{"program", filepath.Join(dir, files[0]), programSize}, {"archive of both programs", archive, archiveSize}} {
		info, err := os.Stat(one.file)
		if err != nil {
			return err
		}
		b.most(one.what, float64(info.Size())/1e6, "MB", one.limit, nil)
	}
	most := exec.CommandContext(ctx, "make", "--no-print-directory", "size")
	most.Dir, most.Stdout, most.Stderr = "..", os.Stdout, os.Stderr
	return most.Run()
}
