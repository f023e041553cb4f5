// Package faults kills promotions in the middle: at a system call, of the program or of
// the git that it has started, and looks at what is left.
package faults

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// pointsVariable has how many faults there are, where no flag says it: a few of a sample are
// quick, and 25 for each way are the 200 that are wanted of a release.
const pointsVariable = "E2E_FAULTS"

var (
	points = flag.Int("points", pointsGiven(), "how many faults there are for each way of delivery; also by the variable "+pointsVariable)
	seed   = flag.Uint64("seed", 1, "what the faults are drawn from; the same ones come from the same number")
)

func pointsGiven() int {
	if n, err := strconv.Atoi(os.Getenv(pointsVariable)); err == nil && n > 0 {
		return n
	}
	return 2
}

// program is the one under test.
func program(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("E2E_KUBECTL_PROMOTE"); named != "" {
		return named
	}
	out := filepath.Join(t.TempDir(), "kubectl-promote")
	build := exec.Command("go", "build", "-o", out, "./cmd/kubectl-promote")
	build.Dir = filepath.Join("..", "..")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

// calls are those in which something is made, changed, or waited for.
var calls = []string{"openat", "write", "?rename,renameat,renameat2", "?link,linkat", "?unlink,unlinkat", "?mkdir,mkdirat", "fsync", "?fdatasync", "execve",
	"?clone,clone3", "close", "?chmod,fchmod", "ftruncate", "pwrite64", "newfstatat", "wait4,waitid", "dup2,?dup3", "?pipe2", "exit_group", "mmap"}

// ways are the ways of delivery: what is typed, and how many services are promoted. Many
// are committed by git fast-import, few by git commit.
var ways = map[string]way{
	"worktree":    {args: []string{"--commit=false"}, services: 3, landed: uncommitted},
	"commit":      {args: []string{"--commit"}, services: 3, landed: committed},
	"commit many": {args: []string{"--commit"}, services: 60, landed: committed},
	"push":        {args: []string{"--push"}, services: 3, shared: true, landed: committed},
	"push by URL": {args: []string{"--push"}, services: 3, far: true, shared: true, landed: committed},
	"pull request": {args: []string{"--pr"}, services: 3, shared: true, landed: proposed, temporary: true,
		pipeline: "  layout: apps/{service}/{environment}\n  environments:\n  - {name: staging}\n  - {name: production, from: [staging], deliver: {mode: pullRequest, forge: gitea}}\n"},
	"merge": {args: []string{"--push"}, services: 3, shared: true, landed: merged,
		pipeline: "  layout: \"{service}\"\n  environments:\n  - {name: staging, branch: env/staging}\n  - {name: production, branch: env/production, from: [staging], strategy: merge}\n"},
	"tag": {args: []string{"--push"}, services: 3, shared: true, landed: tagged,
		pipeline: "  layout: \"{service}\"\n  environments:\n  - {name: staging, strategy: tag}\n  - {name: production, from: [staging], strategy: {tag: {follow: [argocd.yaml]}}}\n"},
}

// way is one of them.
type way struct {
	args     []string
	services int
	far      bool // by the remote's URL
	shared   bool // it ends at the remote
	// pipeline is the spec of the pipeline file; empty for none.
	pipeline string
	// temporary lets objects be that a killed git had begun to write into the clone: a known gap.
	// They cannot be told from those of another git that runs; its gc removes them.
	temporary bool
	// landed says what is wrong once it has come to its end.
	landed func(p *place, w way) string
}

// TestKilled kills each way of delivery at many system calls. Whatever the moment: the
// remote is whole, the clone can be used, the same command brings it to its end, the
// promotion is there once, and nothing is left lying about.
func TestKilled(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace, which kills at a system call, is not on this machine")
	}
	binary := program(t)
	var all atomic.Int32
	t.Cleanup(func() { t.Logf("killed at %d points in all", all.Load()) })
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			draw := rand.New(rand.NewPCG(*seed, uint64(len(name))))
			template := repository(t, way)
			var killed, locked atomic.Int32
			tries := 0
			for int(killed.Load()) < *points && tries < 30**points {
				tries++
				call, when := calls[draw.IntN(len(calls))], 1+int(draw.ExpFloat64()*10)
				p := &place{T: t, binary: binary, dir: t.TempDir(), way: name, call: call, when: when}
				p.copy(template)
				p.serve()
				if p.kill() {
					killed.Add(1)
					all.Add(1)
					t.Logf("point %d: %s, number %d", killed.Load(), call, when)
				}
				p.check(&locked)
				if t.Failed() {
					return
				}
				os.RemoveAll(p.dir)
			}
			if int(killed.Load()) < *points {
				t.Errorf("only %d of %d faults came to pass", killed.Load(), tries)
			}
			t.Logf("%d killed of %d; %d times git's lock had to be removed as the message says", killed.Load(), tries, locked.Load())
		})
	}
}

// repository makes work, a clone, and remote.git, which it pushes to.
func repository(t *testing.T, w way) string {
	t.Helper()
	p := &place{T: t, dir: t.TempDir()}
	work := filepath.Join(p.dir, "work")
	put := func(name, text string) {
		t.Helper()
		name = filepath.Join(work, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pins := func(at, tag string) {
		for n := range w.services {
			put(fmt.Sprintf(at, n), fmt.Sprintf("images:\n- name: s%02d\n  newTag: v%s\n  digest: sha256:%s\n", n, tag, strings.Repeat(tag, 64)))
		}
	}
	commit := func(message string) {
		p.git(work, "add", "-A")
		p.git(work, "commit", "-q", "--allow-empty", "-m", message)
	}
	put("README.md", "infrastructure\n")
	p.git(work, "init", "-q", "-b", "main")
	if w.pipeline != "" {
		put("promotion.yaml", "apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n"+w.pipeline)
	}
	switch {
	case strings.Contains(w.pipeline, "strategy: merge"):
		commit("begin")
		p.git(work, "switch", "-q", "-c", "env/production")
		pins("s%02d/kustomization.yaml", "1")
		commit("production")
		p.git(work, "switch", "-q", "-c", "env/staging")
		pins("s%02d/kustomization.yaml", "2")
		commit("staging")
		p.git(work, "switch", "-q", "main")
	case strings.Contains(w.pipeline, "strategy: tag"):
		put("argocd.yaml", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: x}\nspec:\n  source: {repoURL: https://git.example.com/infra.git, path: s00, targetRevision: HEAD}\n")
		pins("s%02d/kustomization.yaml", "1")
		commit("begin")
		p.git(work, "tag", "v1.0.0-staging")
	default:
		pins("apps/s%02d/staging/kustomization.yaml", "2")
		pins("apps/s%02d/production/kustomization.yaml", "1")
		commit("begin")
	}
	p.git(p.dir, "clone", "-q", "--bare", "work", "remote.git")
	p.git(p.dir+"/remote.git", "config", "uploadpack.allowFilter", "true")
	p.git(p.dir+"/remote.git", "config", "uploadpack.allowAnySHA1InWant", "true")
	p.git(p.dir+"/remote.git", "config", "http.receivepack", "true")
	p.git(work, "remote", "add", "origin", "../remote.git")
	p.git(work, "fetch", "-q", "origin")
	p.git(work, "branch", "-q", "--set-upstream-to=origin/main")
	return p.dir
}

// place is one copy of the repository, and one fault.
type place struct {
	*testing.T
	binary, dir, way, call string
	when                   int
	forge                  *forge // where it has one
}

func (p *place) copy(template string) {
	p.Helper()
	if out, err := exec.Command("cp", "-a", template+"/.", p.dir).CombinedOutput(); err != nil {
		p.Fatalf("%v\n%s", err, out)
	}
	p.git(filepath.Join(p.dir, "work"), "update-index", "-q", "--refresh")
}

func (p *place) environment() []string {
	for _, dir := range []string{"tmp", "cache"} {
		if err := os.MkdirAll(filepath.Join(p.dir, dir), 0o755); err != nil {
			p.Fatal(err)
		}
	}
	return []string{"HOME=" + p.dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + filepath.Join(p.dir, "tmp"), "XDG_CACHE_HOME=" + filepath.Join(p.dir, "cache"),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C", "HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9",
		"KUBEPROMOTE_TOKEN=t0ken", "NO_PROXY=127.0.0.1", "GIT_AUTHOR_NAME=E2E", "GIT_AUTHOR_EMAIL=e2e@example.com", "GIT_COMMITTER_NAME=E2E", "GIT_COMMITTER_EMAIL=e2e@example.com"}
}

// run runs a program in a folder.
func (p *place) run(dir, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(p.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, p.environment()
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		p.Fatalf("%s %s does not end\n%s", name, strings.Join(args, " "), out)
	}
	return strings.TrimSpace(string(out)), err
}

// git runs git, which must succeed.
func (p *place) git(dir string, args ...string) string {
	p.Helper()
	out, err := p.run(dir, "git", args...)
	if err != nil {
		p.Fatalf("%s at %s, %d: git %s: %v\n%s", p.way, p.call, p.when, strings.Join(args, " "), err, out)
	}
	return out
}

func (p *place) work() string   { return filepath.Join(p.dir, "work") }
func (p *place) remote() string { return filepath.Join(p.dir, "remote.git") }

// command is the promotion.
func (p *place) command() []string {
	args := []string{p.binary, "--all", "--to", "production", "--offline"}
	if ways[p.way].far {
		args = append(args, "-C", "file://"+p.remote())
	}
	return append(args, ways[p.way].args...)
}

// kill runs the promotion. Each of its processes is killed at its n-th call, if it comes so
// far; the tracer ends when all have ended, those among them that nobody waits for any more.
func (p *place) kill() bool {
	log := filepath.Join(p.dir, "strace")
	// Not --seccomp-bpf, which is quicker and injects nothing.
	args := []string{"-f", "-qq", "-o", log, "-e", "trace=" + p.call, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", p.call, p.when), "--"}
	_, err := p.run(p.work(), "strace", append(args, p.command()...)...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.Fatal(err)
	}
	text, _ := os.ReadFile(log)
	return bytes.Contains(text, []byte("killed by SIGKILL"))
}

// check looks at what is left, runs the promotion again, and looks once more.
func (p *place) check(locked *atomic.Int32) {
	p.Helper()
	failed := func(format string, args ...any) {
		p.Helper()
		p.Errorf("%s, killed at %s, number %d: %s\nleft in %s", p.way, p.call, p.when, fmt.Sprintf(format, args...), p.keep())
	}
	for _, repo := range []string{p.work(), p.remote()} {
		if out, err := p.run(repo, "git", "fsck", "--strict"); err != nil {
			failed("%s is not whole: %v\n%s", repo, err, out)
			return
		}
	}
	if out, err := p.run(p.work(), "git", "status", "--porcelain"); err != nil {
		failed("the clone cannot be used: %s", out)
		return
	}
	if why := p.again(locked); why != "" {
		failed("the same command again: %s", why)
		return
	}
	// It is there, and once.
	if why := ways[p.way].landed(p, ways[p.way]); why != "" {
		failed("%s", why)
	}
	if out := p.git(p.work(), "status", "--porcelain"); out != "" && p.way != "worktree" {
		failed("the clone is not clean:\n%s", out)
	}
	if litter := p.litter(); len(litter) > 0 {
		failed("this is left: %s", strings.Join(litter, ", "))
	}
}

// count gives the lines that git prints.
func (p *place) count(dir string, args ...string) int {
	p.Helper()
	out := p.git(dir, args...)
	if out == "" {
		return 0
	}
	return strings.Count(out, "\n") + 1
}

func uncommitted(p *place, w way) string {
	if n, files := p.count(p.work(), "log", "--format=%H", "main"), p.count(p.work(), "diff", "--name-only"); n != 1 || files != w.services {
		return fmt.Sprintf("%d commits, and %d files differ", n, files)
	}
	return ""
}

func committed(p *place, w way) string {
	at := p.work()
	if w.shared {
		at = p.remote()
	}
	if n, files := p.count(at, "log", "--format=%H", "main"), p.count(at, "show", "--format=", "--name-only", "main"); n != 2 || files != w.services {
		return fmt.Sprintf("%d commits in place of 2, the newest with %d files", n, files)
	}
	return ""
}

// proposed wants a commit on a branch of its own, and a pull request of it.
func proposed(p *place, _ way) string {
	heads := p.count(p.remote(), "for-each-ref", "refs/heads/promote")
	commits := p.count(p.remote(), "log", "--format=%H", "main..promote/production/"+p.forge.head())
	if main := p.count(p.remote(), "log", "--format=%H", "main"); heads != 1 || commits != 1 || main != 1 || p.forge.opened() != 1 {
		return fmt.Sprintf("%d branches with %d commits, %d commits on main, %d pull requests", heads, commits, main, p.forge.opened())
	}
	return ""
}

// merged wants one merge commit that brings staging's tree.
func merged(p *place, _ way) string {
	if n := p.count(p.remote(), "log", "--first-parent", "--format=%H", "env/production"); n != 3 {
		return fmt.Sprintf("%d commits on env/production in place of 3", n)
	}
	if a, b := p.git(p.remote(), "rev-parse", "env/production^{tree}"), p.git(p.remote(), "rev-parse", "env/staging^{tree}"); a != b {
		return "env/production has other files than env/staging"
	}
	return ""
}

// tagged wants the tag, and what follows it.
func tagged(p *place, _ way) string {
	if a, b := p.git(p.remote(), "rev-parse", "v1.0.0-production^{commit}"), p.git(p.remote(), "rev-parse", "v1.0.0-staging^{commit}"); a != b {
		return "the tag is of another commit"
	}
	if n := p.count(p.remote(), "log", "--format=%H", "main"); n != 2 || !strings.Contains(p.git(p.remote(), "show", "main:argocd.yaml"), "targetRevision: v1.0.0-production") {
		return fmt.Sprintf("%d commits in place of 2, or nothing follows", n)
	}
	return ""
}

var removal = regexp.MustCompile(`(?m)^hint: wait for it, or rm (.*)$`)

// again runs the promotion until it is done. Git's own lock, which a git that was killed
// leaves, is removed where the message says how.
func (p *place) again(locked *atomic.Int32) string {
	command := p.command()
	for range 3 {
		// The other side is killed as well, where it is git on this machine; its locks are its own.
		if left, _ := filepath.Glob(filepath.Join(p.remote(), "refs", "heads", "*", "*.lock")); len(left) > 0 {
			_ = os.Remove(left[0])
		}
		out, err := p.run(p.work(), command[0], command[1:]...)
		if err == nil {
			return ""
		}
		hint := removal.FindStringSubmatch(out)
		if hint == nil {
			return out
		}
		locked.Add(1)
		if out, err := p.run(p.work(), "sh", "-c", "rm "+hint[1]); err != nil {
			return out
		}
	}
	return "it does not come to its end"
}

// litter is what should not be there any more.
func (p *place) litter() []string {
	var found []string
	err := filepath.WalkDir(p.dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == p.remote() {
			return filepath.SkipDir // what a server of git has left that was killed is for its git gc
		}
		rel, _ := filepath.Rel(p.dir, name)
		base := e.Name()
		switch {
		case ways[p.way].temporary && strings.HasPrefix(base, "tmp_obj_"):
		case strings.HasSuffix(base, ".lock"), strings.HasPrefix(base, "tmp_"), strings.HasPrefix(base, ".tmp"), strings.HasPrefix(base, "fast_import_crash"),
			strings.HasPrefix(rel, "tmp/"), strings.HasPrefix(base, "incoming-"), strings.HasPrefix(base, "kubepromote-"):
			found = append(found, rel)
		}
		return nil
	})
	if err != nil {
		p.Fatal(err)
	}
	for _, ref := range strings.Fields(p.git(p.work(), "for-each-ref", "--format=%(refname)", "refs/promote")) {
		if !strings.HasPrefix(ref, "refs/promote/tags/") { // what the remote has, as refs/remotes is
			found = append(found, ref)
		}
	}
	return found
}

// keep moves what is left to where it is not removed, so that it can be looked at.
func (p *place) keep() string {
	kept, err := os.MkdirTemp("", "killed-")
	if err != nil {
		return p.dir
	}
	if out, err := exec.Command("cp", "-a", p.dir+"/.", kept).CombinedOutput(); err != nil {
		return string(out)
	}
	return kept
}
