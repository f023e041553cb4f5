package e2e

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// gitlabJob is what a runner of GitLab does.
type gitlabJob struct {
	BeforeScript []string `yaml:"before_script"`
	Script       []string
}

// parseGitLab reads jobs, each with what it extends.
func parseGitLab(t *testing.T, text string) map[string]gitlabJob {
	t.Helper()
	var jobs map[string]gitlabJob
	if err := yaml.Unmarshal([]byte(text), &jobs); err != nil {
		t.Fatal(err)
	}
	for name, job := range jobs {
		if len(job.BeforeScript) == 0 {
			job.BeforeScript = jobs[".promotion"].BeforeScript
			jobs[name] = job
		}
	}
	return jobs
}

// runs runs a job as a runner does: all its lines in one shell.
func (c *ci) runs(want int, job gitlabJob) {
	c.Helper()
	if len(job.Script) == 0 {
		c.Fatal("there is no such job")
	}
	c.exits(want, "bash", "-eo", "pipefail", "-c", strings.Join(append(slices.Clone(job.BeforeScript), job.Script...), "\n"))
}

// gitlab has the remote behind a server that anybody may read, and that takes pushes with
// the token.
func (c *ci) gitlab(token string) {
	c.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		c.Fatal(err)
	}
	backend := &cgi.Handler{Path: git, Args: []string{"http-backend"},
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(c.remote), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=oauth2"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if strings.Contains(r.URL.String(), "git-receive-pack") && (user != "oauth2" || password != token) {
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	c.Cleanup(server.Close)
	c.run("git", "remote", "set-url", "origin", server.URL+"/infra.git")
	c.env = append(c.env, "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1", "CI_SERVER_URL="+server.URL, "CI_PROJECT_PATH=infra", "CI_PROJECT_DIR="+c.dir,
		"CI_DEFAULT_BRANCH=main", "CI_COMMIT_BRANCH=main", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main", "CI_MERGE_REQUEST_IID=7", "CI_COMMIT_SHA=HEAD",
		"GITLAB_USER_NAME=Ada", "GITLAB_USER_EMAIL=ada@example.com", "PROMOTION_TOKEN="+token)
}

// The jobs for GitLab are run as they stand, and push to a server that wants a token. They
// could not: git is run without the job's variables, and the helper had none to print.
func TestGitLabJobs(t *testing.T) {
	c := newCI(t)
	c.gitlab("secret")
	jobs := parseGitLab(t, read(t, "../examples/ci/gitlab/promotions.yaml"))
	c.env = append(c.env, "SERVICE=cart", "VERSION=v1.1.0")
	c.runs(0, jobs["to dev"])
	if log := c.in(c.remote).run("git", "log", "-1", "--format=%an %s", "main"); log != "promotions promote(dev): cart → v1.1.0\n" {
		t.Errorf("the remote has %q", log)
	}
	c.runs(4, jobs["to staging"])
	c.env = append(c.env, "PROMOTION_TOKEN=") // it is protected
	c.runs(0, jobs["promotion check"])
	c.env = append(c.env, "VERSION=v1.0.0")
	if status, _, stderr := c.try("bash", "-ec", strings.Join(append(jobs["to dev"].BeforeScript, jobs["to dev"].Script...), "\n")); status != 1 {
		t.Errorf("pushed without a token: exit status %d\n%s", status, stderr)
	}
	t.Log("the job that opens merge requests is not run: it needs GitLab's own server")
}

// What init writes for a forge works as it is written. It pushed without what others had
// pushed in the meantime, and took a service's name for a flag.
func TestInitWorkflows(t *testing.T) {
	written := func(c *ci, forge, path string) string {
		_, text, found := strings.Cut(c.run("kubectl-promote", "init", "--dry-run", "--ci", forge), "# --- "+path+"\n")
		if !found {
			t.Fatalf("init writes no %s", path)
		}
		return text
	}
	moved := func(c *ci, to string) {
		t.Helper()
		if log := c.in(c.remote).run("git", "log", "-1", "--format=%an %s", "main"); log != "Ada promote("+to+"): cart → v1.1.0\n" {
			t.Errorf("the remote has %q", log)
		}
	}
	c := newCI(t)
	write(t, filepath.Join(c.dir, "apps/cart/overlays/staging/kustomization.yaml"),
		strings.ReplaceAll(read(t, filepath.Join(c.dir, "apps/cart/overlays/staging/kustomization.yaml")), "v1.0.0", "v1.1.0"))
	c.run("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--all", "--message=v1.1.0")
	c.run("git", "push", "--quiet", "origin", "HEAD")
	file := filepath.Join(c.temp, "promote.yml")
	write(t, file, written(c, "github", ".github/workflows/promote.yml"))
	lintWorkflows(t, file)
	c.env = append(c.env, "GITHUB_ACTOR=Ada")
	if status, output := c.workflow(file, map[string]string{"inputs.service": "--all", "inputs.to": "production"}); status != 2 {
		t.Errorf("a flag for a service: exit status %d\n%s", status, output)
	}
	if status, output := c.workflow(file, map[string]string{"inputs.service": "cart", "inputs.to": "production"}); status != 0 {
		t.Errorf("exit status %d\n%s", status, output)
	}
	moved(c, "production")

	c.run("git", "push", "--quiet", "--force", "origin", "HEAD~1:main")
	c.run("git", "reset", "--quiet", "--hard", "HEAD~1")
	c.gitlab("secret")
	for _, name := range []string{"curl", "sha256sum", "tar"} {
		c.program(name, "")
	}
	c.env = append(c.env, "SERVICE=cart", "TO=production")
	c.runs(0, parseGitLab(t, written(c, "gitlab", ".gitlab/promote.yml"))["promote"])
	moved(c, "production")
}
