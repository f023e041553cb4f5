package forge_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// shop are the files of an infrastructure repository: staging is pushed to, production
// by pull request.
func shop(services int) map[string]string {
	files := map[string]string{"promotion.yaml": `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments:
  - name: dev
  - name: staging
    from: [dev]
    deliver: {mode: push}
  - name: production
    from: [staging]
    deliver: {mode: pullRequest, forge: gitea, labels: [promotion], reviewers: [bob]}
`}
	for n := range services {
		for env, version := range map[string]int{"dev": 3, "staging": 2, "production": 1} {
			files[fmt.Sprintf("apps/s%d/overlays/%s/kustomization.yaml", n, env)] = pinned(n, version)
		}
	}
	return files
}

func pinned(n, version int) string {
	return fmt.Sprintf("images:\n- {name: shop/s%d, newTag: v%d, digest: \"sha256:%064d\"} # kept\n", n, version, version)
}

// fill pushes files to a repository's main branch.
func (r *repository) fill(files map[string]string) (remote string) {
	r.Helper()
	dir, remote := r.TempDir(), server.RemoteWith("alice", r.name, "alice", tokens["alice"])
	r.git(dir, "clone", "-q", remote, ".")
	for name, data := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			r.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
			r.Fatal(err)
		}
	}
	r.git(dir, "add", "-A")
	r.git(dir, "commit", "-q", "-m", "shop")
	r.git(dir, "push", "-q", "origin", "HEAD:main")
	return remote
}

var identity = []string{"GIT_AUTHOR_NAME=Alice", "GIT_AUTHOR_EMAIL=alice@example.com", "GIT_COMMITTER_NAME=Alice", "GIT_COMMITTER_EMAIL=alice@example.com", "GIT_CONFIG_GLOBAL=/dev/null"}

func (r *repository) git(dir string, args ...string) string {
	r.Helper()
	cmd := exec.CommandContext(r.Context(), "git", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), identity...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// promote runs the command with the repository's URL: there is no clone.
func (r *repository) promote(remote string, args ...string) (out string, status int) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(r.Context(), product, append([]string{"-C", remote, "--offline"}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.TempDir(), &stdout, &stderr
	cmd.Env = append(os.Environ(), append(identity, "KUBEPROMOTE_TOKEN="+tokens["alice"], "XDG_CACHE_HOME="+r.TempDir())...)
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		r.Error(err)
	}
	all := stdout.String() + stderr.String()
	if strings.Contains(all, tokens["alice"]) {
		r.Errorf("the token is shown:\n%s", all)
	}
	return all, cmd.ProcessState.ExitCode()
}

func (r *repository) mustPromote(remote, want string, args ...string) string {
	r.Helper()
	out, status := r.promote(remote, args...)
	if status != 0 || !strings.Contains(out, want) {
		r.Fatalf("promote %v: %d, want %q in\n%s", args, status, want, out)
	}
	return out
}

type pull struct {
	Number int    `json:"number"`
	State  string `json:"state"`
	Merged bool   `json:"merged"`
	Title  string `json:"title"`
	Body   string `json:"body"`
	Head   struct {
		SHA string `json:"sha"`
	} `json:"head"`
	Labels []struct {
		Name string `json:"name"`
	} `json:"labels"`
}

func (r *repository) pulls() []pull {
	r.Helper()
	var all []pull
	r.api("alice", http.MethodGet, "/pulls?state=all", nil, &all)
	return all
}

// The whole way with a URL and nothing else: staging by push, production by a pull
// request that is opened once, brought up to date, needs a review, is merged, and has its
// record on main; one that has nothing left to promote is closed.
func TestWorkflow(t *testing.T) {
	r := newRepository(t)
	remote := r.fill(shop(2))
	r.api("alice", http.MethodPost, "/branch_protections", map[string]any{"rule_name": "main", "required_approvals": 1, "enable_push": true}, nil)

	r.mustPromote(remote, "proposed", "s0", "--to", "production")
	first := r.pulls()
	if len(first) != 1 || first[0].Title != "promote(production): s0 → v2" || len(first[0].Labels) != 1 ||
		!strings.Contains(first[0].Body, "| `s0` | `shop/s0` | `v1` | `v2` |") || !strings.Contains(first[0].Body, "Promotion-Service: s0") {
		t.Fatalf("%+v", first)
	}
	r.mustPromote(remote, "pull request 1, unchanged", "s0", "--to", "production")

	// Something else lands on main: what was reviewed stays as it is.
	r.mustPromote(remote, "pushed", "s1", "--to", "staging")
	r.mustPromote(remote, "pull request 1, unchanged", "s0", "--to", "production")
	if now := r.pulls(); now[0].Head.SHA != first[0].Head.SHA {
		t.Error("the commit was made anew for nothing")
	}
	// The source moves on: the same pull request says so.
	r.mustPromote(remote, "pushed", "s0", "--to", "staging")
	r.mustPromote(remote, "pull request 1, updated", "s0", "--to", "production")
	now := r.pulls()
	if len(now) != 1 || now[0].Title != "promote(production): s0 → v3" {
		t.Fatalf("%+v", now)
	}
	merge := forge.MergeRequest{Head: now[0].Head.SHA}
	if _, err := r.Merge(t.Context(), 1, merge); !errors.Is(err, forge.ErrNotMergeable) {
		t.Fatalf("merged without a review: %v", err)
	}
	r.api("bob", http.MethodPost, "/pulls/1/reviews", map[string]any{"event": "APPROVED", "commit_id": now[0].Head.SHA}, nil)
	if _, err := r.Merge(t.Context(), 1, merge); err != nil {
		t.Fatal(err)
	}
	r.mustPromote(remote, "unchanged", "s0", "--to", "production")
	dir := r.TempDir()
	r.git(dir, "clone", "-q", remote, ".")
	if got, err := os.ReadFile(filepath.Join(dir, "apps/s0/overlays/production/kustomization.yaml")); err != nil || string(got) != pinned(0, 3) {
		t.Errorf("production has %q, %v", got, err)
	}
	cmd := exec.CommandContext(r.Context(), product, "-C", dir, "history", "s0", "--env", "production", "-o", "jsonpath={.items[0].record.from} {.items[0].record.service}")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "staging s0" {
		t.Errorf("history: %q, %v", out, err)
	}

	// A proposal that somebody else's push has made needless is closed.
	r.mustPromote(remote, "proposed", "s1", "--to", "production")
	put := filepath.Join(dir, "apps/s1/overlays/production/kustomization.yaml")
	if err := os.WriteFile(put, []byte(pinned(1, 3)), 0o644); err != nil {
		t.Fatal(err)
	}
	r.git(dir, "commit", "-q", "-a", "-m", "by hand")
	r.git(dir, "push", "-q", "origin", "HEAD:main")
	r.mustPromote(remote, "pull request 2, closed", "s1", "--to", "production")
}

// Pull requests of one service each are closed, with a comment that leads on, when one of
// both is opened; one on which somebody has committed is not.
func TestSuperseded(t *testing.T) {
	r := newRepository(t)
	remote := r.fill(shop(3))
	for n, service := range []string{"s0", "s1", "s2"} {
		r.mustPromote(remote, fmt.Sprintf("pull request %d, opened", n+1), service, "--to", "production")
	}
	dir := r.TempDir()
	r.git(dir, "clone", "-q", "-b", "promote/production/s1", remote, ".")
	r.git(dir, "commit", "-q", "--allow-empty", "-m", "my own")
	r.git(dir, "push", "-q", "origin", "HEAD")
	out := r.mustPromote(remote, "pull request 4, opened", "s0", "s1", "--to", "production")
	if !strings.Contains(out, "pull request 1, closed, as 4 has all of it: ") || strings.Contains(out, "pull request 2, closed") || strings.Contains(out, "pull request 3, closed") {
		t.Errorf("%s", out)
	}
	states := make(map[int]string)
	for _, pr := range r.pulls() {
		states[pr.Number] = pr.State
	}
	if want := map[int]string{1: "closed", 2: "open", 3: "open", 4: "open"}; !maps.Equal(states, want) {
		t.Errorf("%v", states)
	}
	var comments []struct{ Body string }
	r.api("alice", http.MethodGet, "/issues/1/comments", nil, &comments)
	if len(comments) != 1 || !strings.HasPrefix(comments[0].Body, "Replaced by ") || !strings.Contains(comments[0].Body, "/pulls/4, which has all of it.") {
		t.Errorf("%+v", comments)
	}
	r.mustPromote(remote, "pull request 4, unchanged", "s0", "s1", "--to", "production")
}

// A proposal on which somebody has committed is left alone.
func TestProposalOfSomebodyElse(t *testing.T) {
	r := newRepository(t)
	remote := r.fill(shop(1))
	r.mustPromote(remote, "proposed", "s0", "--to", "production")
	dir := r.TempDir()
	r.git(dir, "clone", "-q", "-b", "promote/production/s0", remote, ".")
	r.git(dir, "commit", "-q", "--allow-empty", "-m", "my own")
	r.git(dir, "push", "-q", "origin", "HEAD")
	mine := strings.TrimSpace(r.git(dir, "rev-parse", "HEAD"))
	r.mustPromote(remote, "pushed", "s0", "--to", "staging")
	out, status := r.promote(remote, "s0", "--to", "production")
	if status != 1 || !strings.Contains(out, "has commits that are no promotions, and is left alone") {
		t.Errorf("%d\n%s", status, out)
	}
	if now := r.pulls(); now[0].Head.SHA != mine {
		t.Error("somebody's commit is lost")
	}
}

// What the protection of a branch refuses is said, and nothing is lost.
func TestProtectedBranch(t *testing.T) {
	r := newRepository(t)
	remote := r.fill(shop(1))
	r.api("alice", http.MethodPost, "/branch_protections", map[string]any{"rule_name": "main", "enable_push": false}, nil)
	out, status := r.promote(remote, "s0", "--to", "staging")
	if status != 1 || !strings.Contains(out, "the remote refused it") || !strings.Contains(out, "protected") {
		t.Errorf("%d\n%s", status, out)
	}
}

// Many promote as many services to one branch at once, and then all the same service:
// every promotion lands or finds that another has done it; none is lost, none is done
// twice, and the history is one line. E2E_WRITERS says how many there are: twenty take
// some minutes on two cores.
func TestManyAtOnce(t *testing.T) {
	many := 6
	if n, err := strconv.Atoi(os.Getenv("E2E_WRITERS")); err == nil {
		many = n
	}
	r := newRepository(t)
	remote := r.fill(shop(many))
	race := func(service func(n int) string) (pushed int) {
		var wait sync.WaitGroup
		var lock sync.Mutex
		for n := range many {
			wait.Go(func() {
				out, status := r.promote(remote, service(n), "--to", "staging")
				lock.Lock()
				defer lock.Unlock()
				switch {
				case status != 0:
					t.Errorf("%s: %d\n%s", service(n), status, out)
				case strings.Contains(out, "pushed"):
					pushed++
				case !strings.Contains(out, "unchanged"):
					t.Errorf("%s:\n%s", service(n), out)
				}
			})
		}
		wait.Wait()
		return pushed
	}
	if pushed := race(func(n int) string { return fmt.Sprintf("s%d", n) }); pushed != many {
		t.Errorf("%d of %d say that they have pushed", pushed, many)
	}
	dir := r.TempDir()
	r.git(dir, "clone", "-q", remote, ".")
	for n := range many {
		if got, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("apps/s%d/overlays/staging/kustomization.yaml", n))); err != nil || string(got) != pinned(n, 3) {
			t.Errorf("s%d: %q, %v", n, got, err)
		}
	}
	if commits := strings.Fields(r.git(dir, "rev-list", "--count", "HEAD")); commits[0] != fmt.Sprint(many+2) {
		t.Errorf("%s commits, want %d", commits, many+2)
	}
	if merges := r.git(dir, "rev-list", "--merges", "HEAD"); merges != "" {
		t.Errorf("the history is no line: %s", merges)
	}

	// All the same service: dev gets another version first.
	if err := os.WriteFile(filepath.Join(dir, "apps/s0/overlays/dev/kustomization.yaml"), []byte(pinned(0, 4)), 0o644); err != nil {
		t.Fatal(err)
	}
	r.git(dir, "commit", "-q", "-a", "-m", "dev")
	r.git(dir, "push", "-q", "origin", "HEAD:main")
	// Those who make the same commit in the same second have made one commit.
	if pushed := race(func(int) string { return "s0" }); pushed < 1 {
		t.Error("nobody has pushed it")
	}
	r.git(dir, "pull", "-q", "--ff-only", "origin", "main")
	if commits := strings.Fields(r.git(dir, "rev-list", "--count", "HEAD")); commits[0] != fmt.Sprint(many+4) {
		t.Errorf("%s commits, want %d", commits, many+4)
	}
}

// Waves of pull requests: the second is opened once the first is merged.
func TestWaves(t *testing.T) {
	r := newRepository(t)
	c := r.clone()
	files := map[string]string{"promotion.yaml": `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  layout: ["apps/{service}/{environment}.yaml"]
  environments:
  - name: staging
  - {name: prod-eu, group: production, from: [staging], gates: [{approvals: {by: [bob]}}], deliver: {mode: pullRequest, forge: gitea}}
  - {name: prod-us, group: production, from: [staging], deliver: {mode: pullRequest, forge: gitea}}
`}
	for name, version := range map[string]int{"staging": 2, "prod-eu": 1, "prod-us": 1} {
		files["apps/cart/"+name+".yaml"] = fmt.Sprintf("image: {repository: 127.0.0.1:1/shop/cart, tag: v%d, digest: \"sha256:%064[1]d\"}\n", version)
	}
	c.commit("shop", time.Hour, files)
	c.git(c.dir, "push", "-q", "origin", "HEAD:main")
	c.run(4, "prod-eu is delivered: pull request 1 is not merged yet; not delivered: prod-us (cart)", "cart", "--to", "production", "--wait", "--timeout", "90s")
	if all := r.pulls(); len(all) != 1 {
		t.Fatalf("%d are open", len(all))
	}
	if _, err := r.Merge(t.Context(), 1, forge.MergeRequest{Head: r.pulls()[0].Head.SHA}); err != nil {
		t.Fatal(err)
	}
	merged := make(chan error, 1)
	go func() { // somebody else
		for {
			if all, err := r.Find(t.Context(), forge.FindRequest{Base: "main"}); err != nil || len(all) > 0 {
				merged <- err
				return
			}
			time.Sleep(time.Second)
		}
	}()
	c.git(c.dir, "pull", "-q", "origin", "main")
	c.run(0, "pull request 2, opened", "cart", "--to", "production", "--wait")
	if err := <-merged; err != nil {
		t.Error(err)
	}
}
