package e2e

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v3"
)

// ciImage is what the repository of these tests promotes.
const ciImage = "shop/cart"

// The workflows that people copy are checked by actionlint, with the inputs of the action in
// this repository.
func TestWorkflowsAreValid(t *testing.T) {
	lintWorkflows(t, append(glob(t, "../examples/ci/github/*.yaml"), glob(t, "../.github/workflows/*")...)...)
}

func lintWorkflows(t *testing.T, files ...string) {
	t.Helper()
	root := t.TempDir()
	s := newShell(t, root)
	s.run("git", "init", "--quiet")
	write(t, filepath.Join(root, "action.yml"), read(t, "../action.yml"))
	for _, file := range files {
		at := filepath.Join(root, ".github", "workflows", filepath.Base(file))
		write(t, at, strings.ReplaceAll(read(t, file), "uses: kubepromote/kubepromote@v0.1.0", "uses: ./"))
		l, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{WorkingDir: root})
		if err != nil {
			t.Fatal(err)
		}
		faults, err := l.LintFile(at, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			t.Errorf("%s:%d:%d: %s", file, f.Line, f.Column, f.Message)
		}
	}
}

// ci is a repository that workflows run in, with a remote and a registry.
type ci struct {
	*shell
	digest, remote, temp string
	calls                string // what the programs of the machine were called with, which stand for a server
}

func newCI(t *testing.T) *ci {
	t.Helper()
	r := startRegistry(t)
	c := &ci{shell: newShell(t, t.TempDir()), remote: filepath.Join(t.TempDir(), "infra.git"), temp: t.TempDir()}
	ref := r.Host + "/" + ciImage
	layer := filepath.Join(c.temp, "layer.tar")
	for _, tag := range []string{"v1.0.0", "v1.1.0"} {
		if err := writeLayer(layer, ref+":"+tag); err != nil {
			t.Fatal(err)
		}
		c.run("crane", "append", "--oci-empty-base", "--new_layer", layer, "--new_tag", ref+":"+tag)
	}
	c.digest = strings.TrimSpace(c.run("crane", "digest", ref+":v1.0.0"))
	write(t, filepath.Join(c.dir, "promotion.yaml"), `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
metadata: {name: shop}
spec:
  environments:
  - name: dev
  - name: staging
    from: [dev]
    gates:
    - soak: {for: 1h}
  - name: production
    from: [staging]
`)
	for _, environment := range []string{"dev", "staging", "production"} {
		write(t, filepath.Join(c.dir, "apps/cart/overlays", environment, "kustomization.yaml"),
			fmt.Sprintf("images:\n- {name: cart, newName: %s, newTag: v1.0.0, digest: %q}\n", ref, c.digest))
	}
	c.run("git", "init", "--quiet")
	c.run("git", "add", "--all")
	c.longAgo("git", "commit", "--quiet", "--message=begin")
	c.run("git", "init", "--quiet", "--bare", c.remote)
	c.run("git", "remote", "add", "origin", c.remote)
	c.run("git", "push", "--quiet", "--set-upstream", "origin", "HEAD")
	c.calls = filepath.Join(c.temp, "calls")
	// Who commits is said by the workflows.
	c.env = slices.DeleteFunc(c.env, func(v string) bool {
		return strings.HasPrefix(v, "GIT_AUTHOR_") || strings.HasPrefix(v, "GIT_COMMITTER_")
	})
	return c
}

// longAgo runs a program that commits, long before now.
func (c *ci) longAgo(name string, args ...string) {
	c.Helper()
	before := c.in(c.dir)
	before.env = append(slices.Clone(c.env), "GIT_COMMITTER_DATE=2026-01-01T00:00:00Z")
	before.run(name, args...)
}

// program puts a program on the path, before all others, which notes how it is called.
func (c *ci) program(name, script string) {
	c.Helper()
	dir := filepath.Join(c.temp, "programs")
	write(c.T, filepath.Join(dir, name), "#!/bin/sh\necho \""+name+" $*\" >> '"+c.calls+"'\n"+script)
	if err := os.Chmod(filepath.Join(dir, name), 0o755); err != nil {
		c.Fatal(err)
	}
	for i, v := range c.env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok && !strings.HasPrefix(path, dir) {
			c.env[i] = "PATH=" + dir + string(filepath.ListSeparator) + path
		}
	}
}

// step is one of a workflow or an action.
type step struct {
	Name, Uses, Run, ID string
	With, Env           map[string]string
}

// workflow is what is read of a workflow, and of an action.
type workflow struct {
	Jobs map[string]struct{ Steps []step }
	Runs struct{ Steps []step }
}

func parseWorkflow(t *testing.T, file string) []step {
	t.Helper()
	var w workflow
	if err := yaml.Unmarshal([]byte(read(t, file)), &w); err != nil {
		t.Fatal(err)
	}
	steps := w.Runs.Steps
	for _, job := range w.Jobs {
		steps = append(steps, job.Steps...)
	}
	if len(steps) == 0 {
		t.Fatalf("%s has no steps", file)
	}
	return steps
}

var expression = regexp.MustCompile(`\$\{\{ *(.*?) *\}\}`)

// expand puts the values of expressions in. One that a test does not know fails it.
func (c *ci) expand(text string, known map[string]string) string {
	c.Helper()
	return expression.ReplaceAllStringFunc(text, func(whole string) string {
		value, ok := known[expression.FindStringSubmatch(whole)[1]]
		if !ok {
			c.Errorf("expression %s has no value here", whole)
		}
		return value
	})
}

// workflow runs the steps of a file as a runner would, those of the action included, and
// gives the exit status of the first that fails.
func (c *ci) workflow(file string, known map[string]string) (status int, output string) {
	c.Helper()
	return c.steps(parseWorkflow(c.T, file), known)
}

func (c *ci) steps(steps []step, known map[string]string) (status int, output string) {
	c.Helper()
	for _, s := range steps {
		switch {
		case strings.HasPrefix(s.Uses, "actions/checkout@"):
			continue // newCI has done it
		case strings.HasPrefix(s.Uses, "kubepromote/kubepromote@"):
			inner := map[string]string{"github.event.pull_request.number": known["number"]}
			for name, value := range s.With {
				inner["inputs."+name] = c.expand(value, known)
			}
			status, more := c.action(inner["inputs.args"], inner)
			if output += more; status != 0 {
				return status, output
			}
			continue
		case s.Run == "":
			c.Fatalf("step %q is none that this test knows", s.Name+s.Uses)
		}
		results := filepath.Join(c.temp, "output")
		write(c.T, results, "")
		here := c.in(c.dir)
		here.env = append(slices.Clone(c.env), "GITHUB_OUTPUT="+results, "GITHUB_STEP_SUMMARY="+filepath.Join(c.temp, "summary"), "GITHUB_PATH="+filepath.Join(c.temp, "path"),
			"RUNNER_TEMP="+c.temp, "RUNNER_OS=Linux", "GITHUB_REPOSITORY=shop/infra")
		for name, value := range s.Env {
			here.env = append(here.env, name+"="+c.expand(value, known))
		}
		got, stdout, stderr := here.try("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", c.expand(s.Run, known))
		output += stderr + stdout
		for line := range strings.Lines(read(c.T, results)) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			known["steps."+s.ID+".outputs."+name] = value
		}
		if got != 0 {
			return got, output
		}
	}
	return 0, output
}

// A build enters dev by an event, and goes to staging once it has been in dev for an hour.
// Until then the job passes, as it runs again.
func TestWorkflowsPromote(t *testing.T) {
	c := newCI(t)
	const service, version = "github.event.client_payload.service || inputs.service", "github.event.client_payload.version || inputs.version"
	if status, output := c.workflow("../examples/ci/github/dev.yaml", map[string]string{service: "cart", version: "v1.1.0"}); status != 0 {
		t.Fatalf("exit status %d\n%s", status, output)
	}
	if log := c.in(c.remote).run("git", "log", "-1", "--format=%an %s", "main"); log != "promotions promote(dev): cart → v1.1.0\n" {
		t.Errorf("the remote has %q", log)
	}
	status, output := c.workflow("../examples/ci/github/staging.yaml", map[string]string{})
	if status != 0 || !strings.Contains(output, "waiting") {
		t.Errorf("exit status %d\n%s", status, output)
	}
	c.longAgo("git", "commit", "--quiet", "--amend", "--no-edit")
	c.run("git", "push", "--quiet", "--force", "origin", "HEAD:main")
	if status, output = c.workflow("../examples/ci/github/staging.yaml", map[string]string{}); status != 0 {
		t.Errorf("exit status %d\n%s", status, output)
	}
	if log := c.in(c.remote).run("git", "log", "-1", "--format=%s", "main"); log != "promote(staging): cart → v1.1.0\n" {
		t.Errorf("the remote has %q\n%s", log, output)
	}
	// Who may send an event cannot have anything else done.
	for _, bad := range []map[string]string{{service: "cart --to production", version: "v1.1.0"}, {service: "cart", version: "v1 --override soak"}, {service: "--all", version: "v1"}, {service: "cart", version: "$(touch x)"}} {
		if status, output := c.workflow("../examples/ci/github/dev.yaml", bad); status != 2 || !strings.Contains(output, "::error::") {
			t.Errorf("%v: exit status %d\n%s", bad, status, output)
		}
	}
}

// The check of a pull request is put into one comment, which the next run replaces. No
// forge is asked here: a program stands for its client and notes what it was called with.
func TestWorkflowsCheck(t *testing.T) {
	c := newCI(t)
	c.run("git", "switch", "--quiet", "--create", "change")
	file := filepath.Join(c.dir, "apps/cart/overlays/production/kustomization.yaml")
	write(t, file, strings.ReplaceAll(read(t, file), c.digest, "sha256:"+strings.Repeat("1", 64)))
	c.run("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--all", "--message=a digest of my own")
	known := func() map[string]string {
		return map[string]string{
			"number": "7", "github.event.merge_group.head_ref": "",
			"github.event.merge_group.base_sha || format('origin/{0}', github.event.pull_request.base.ref)":     "origin/main",
			"github.event.merge_group.base_ref || format('refs/heads/{0}', github.event.pull_request.base.ref)": "refs/heads/main",
		}
	}
	for _, tc := range []struct{ found, want string }{
		{"", "gh api --silent -X POST repos/shop/infra/issues/7/comments -F body=@"},
		{"42", "gh api --silent -X PATCH repos/shop/infra/issues/comments/42 -F body=@"},
	} {
		write(t, c.calls, "")
		c.program("gh", `case $* in *--paginate*) echo "`+tc.found+`" ;; esac`)
		status, output := c.workflow("../examples/ci/github/check.yaml", known())
		if status != 3 || !strings.Contains(output, "foreign") {
			t.Errorf("exit status %d, want 3\n%s", status, output)
		}
		if calls := read(t, c.calls); !strings.Contains(calls, tc.want) {
			t.Errorf("%q was not called:\n%s", tc.want, calls)
		}
		if summary := read(t, filepath.Join(c.temp, "summary")); !strings.HasPrefix(summary, "<!-- kubectl promote check -->\n") {
			t.Errorf("the summary is %q", summary)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files: %v", pattern, err)
	}
	return files
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	out, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
