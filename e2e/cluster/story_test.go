package cluster_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shop is a repository with a pipeline, on a branch of its own.
type shop struct {
	*testing.T
	dir        string
	kubeconfig string
}

func (s shop) write(name, text string) {
	s.Helper()
	file := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		s.Fatal(err)
	}
}

func (s shop) run(program string, args ...string) (out string, status int) {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), program, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "HOME="+s.dir, "GIT_CONFIG_NOSYSTEM=1", "TZ=UTC",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.com")
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// commit records all files and gives the commit.
func (s shop) commit(subject string) string {
	s.Helper()
	for _, args := range [][]string{{"add", "-A", "."}, {"commit", "-q", "-m", subject}} {
		if out, status := s.run("git", args...); status != 0 {
			s.Fatal(out)
		}
	}
	out, _ := s.run("git", "rev-parse", "HEAD")
	return strings.TrimSpace(out)
}

// gates asks the gates of production, and wants an exit status and a text.
func (s shop) gates(status int, want string) {
	s.Helper()
	out, got := s.run(product, "-q", "gates", "cart", "--to", "production")
	if got != status || !strings.Contains(out, want) {
		s.Errorf("got %d\n%s\nwant %d, %q", got, out, status, want)
	}
}

func pin(tag, digest string) string {
	return "images:\n- {name: cart, newName: 127.0.0.1:1/shop/cart, newTag: " + tag + ", digest: \"" + digest + "\"}\n"
}

// What stands in Git comes to the cluster in its time: Argo CD has to be at the commit, the
// pods have to run the image, and only then may it go on. The promotion has what was seen in
// its record.
func TestStory(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	ns := namespace(t, "story")
	s := shop{T: t, dir: t.TempDir()}
	s.kubeconfig = kubeconfig(t, newUser(t, "robot", ns, storyRole(t)), ns, "staging")
	s.write("promotion.yaml", `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments:
  - name: staging
    health: {context: staging, kind: Deployment, argocd: {application: "{service}-{environment}", namespace: story}}
  - name: production
    from: [staging]
    gates:
    - health: {}
    - soak: {for: 1s, healthy: true}
`)
	s.write("apps/cart/overlays/staging/kustomization.yaml", pin("v1", sha("1")))
	s.write("apps/cart/overlays/production/kustomization.yaml", pin("v1", sha("1")))
	if out, status := s.run("git", "init", "-q", "-b", "main"); status != 0 {
		t.Fatal(out)
	}
	before := s.commit("begin")
	s.write("apps/cart/overlays/staging/kustomization.yaml", pin("v2", sha("2")))
	promoted := s.commit("v2 in staging")
	s.write("README", "more")
	head := s.commit("something else")

	const repository = "127.0.0.1:1/shop/cart"
	is := func(revision, health string) map[string]any {
		return parse(t, `{status: {reconciledAt: "2026-01-02T12:01:00Z", health: {status: `+health+`, lastTransitionTime: "2026-01-02T11:00:00Z"}, sync: {status: Synced, revision: `+revision+`}}}`).Object["status"].(map[string]any)
	}
	s.gates(4, "Deployment story/cart: it is not there")
	create(t, deploymentOf(ns, "cart", repository+":v1", rolledOut))
	pod := create(t, podOf(ns, "cart", "1", repository+":v1", repository+"@"+sha("1")))
	argo := create(t, application(ns, "cart-staging", "null"))
	s.gates(4, "it has no status yet")
	setStatus(t, argo, is(before, "Healthy"))
	s.gates(4, before[:12]+" is live, which does not have "+promoted[:12])
	setStatus(t, argo, is(strings.Repeat("f", 40), "Healthy"))
	s.gates(5, "this clone has no commit")
	setStatus(t, argo, is(head, "Degraded"))
	s.gates(3, "it is degraded")
	setStatus(t, argo, is(head, "Healthy"))
	s.gates(4, "container app runs sha256:111111111111, and not sha256:222222222222")
	if err := admin.Delete(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	create(t, podOf(ns, "cart", "2", repository+":v2", repository+"@"+sha("2")))
	s.gates(0, "and run sha256:222222222222")
	live := func(status int, want string) {
		t.Helper()
		out, got := s.run(product, "status", "--live")
		if got != status || !strings.Contains(out, want) {
			t.Errorf("status --live: got %d\n%s\nwant %d, %q", got, out, status, want)
		}
	}
	live(0, "v2 healthy")
	setStatus(t, argo, is(before, "Healthy"))
	live(0, "cart in staging: waiting: staging: Application story/cart-staging: "+before[:12]+" is live, which does not have "+promoted[:12])
	setStatus(t, argo, is(head, "Healthy"))
	if out, status := s.run(product, "-q", "cart", "--to", "production", "--commit"); status != 0 {
		t.Fatal(out)
	}
	out, _ := s.run("git", "log", "-1", "--format=%B")
	if !strings.Contains(out, "Promotion-Gate: health=pass; staging: Deployment story/cart: 1 of 1 pods are available, and run sha256:222222222222") {
		t.Error(out)
	}
}

// storyRole makes the documented role under another name.
func storyRole(t *testing.T) string {
	t.Helper()
	o := parse(t, role(t))
	o.SetName("story")
	if err := admin.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return o.GetName()
}
