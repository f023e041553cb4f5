package e2e

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// action runs the steps of the action in this repository.
func (c *ci) action(args string, known map[string]string) (status int, output string) {
	c.Helper()
	all := map[string]string{"github.action_path": absolute(c.T, ".."), "inputs.args": args, "inputs.comment": "false", "inputs.waiting": "fail", "inputs.token": "token", "github.event.pull_request.number": ""}
	maps.Copy(all, known)
	return c.steps(parseWorkflow(c.T, "../action.yml"), all)
}

// The runner carries out what a line of a job's output tells it to. Content of the repository
// stands in plans, and set outputs and hid text that way.
func TestActionPrintsNoCommands(t *testing.T) {
	c := newCI(t)
	file := filepath.Join(c.dir, "apps/cart/overlays/production/kustomization.yaml")
	write(t, file, read(t, file)+"patches:\n- patch: |\n    ::add-mask::production ##[error]\n")
	staging := filepath.Join(c.dir, "apps/cart/overlays/staging/kustomization.yaml")
	write(t, staging, strings.ReplaceAll(read(t, staging), "v1.0.0", "v1.1.0"))
	c.run("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--all", "--message=a patch")
	status, output := c.action("plan --all --to production --offline", nil)
	if status != 0 || !strings.Contains(output, "     ::add-mask::production ##[error]") {
		t.Fatalf("exit status %d, and the plan does not show the line\n%s", status, output)
	}
	if got := obeyed(output); len(got) > 0 {
		t.Errorf("the runner would obey %q", got)
	}
	// The first line of the next step counts again.
	if got := obeyed(output + "::warning::next\n"); !slices.Equal(got, []string{"::warning::next"}) {
		t.Errorf("after the step the runner obeys %q", got)
	}
}

// A step that calls the program without the action is guarded as the guide shows it.
func TestGuardedStep(t *testing.T) {
	c := newCI(t)
	c.program("kubectl", "echo '::add-mask::production'; echo '##[error]mine' >&2; printf 'no end of line'; exit 3")
	var guarded []step
	for _, block := range strings.Split(read(t, "../docs/ci.md"), "```") {
		var steps []step
		if text, ok := strings.CutPrefix(block, "yaml\n- run: |\n"); ok {
			if err := yaml.Unmarshal([]byte("- run: |\n"+text), &steps); err != nil {
				t.Fatal(err)
			}
			guarded = append(guarded, steps...)
		}
	}
	status, output := c.steps(guarded, map[string]string{})
	if status != 3 || len(obeyed(output)) > 0 || !strings.Contains(output, "::add-mask::") {
		t.Errorf("exit status %d, obeyed %q\n%s", status, obeyed(output), output)
	}
}

// obeyed gives the lines that a runner of GitHub takes as commands to it, as its
// ActionCommandManager finds them.
func obeyed(output string) (lines []string) {
	stopped := ""
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		token, stop := strings.CutPrefix(line, "::stop-commands::")
		switch {
		case stopped != "" && line == "::"+stopped+"::":
			stopped = ""
		case stopped != "":
		case stop:
			stopped = token
		case strings.HasPrefix(line, "::") || strings.Contains(line, "##["):
			lines = append(lines, line)
		}
	}
	return lines
}

// A quote without its end cut off the words that limit a promotion, and more than was asked
// for was promoted.
func TestActionArguments(t *testing.T) {
	c := newCI(t)
	c.program("kubectl-promote", `for word; do printf '<%s>' "$word"; done`)
	for _, tc := range []struct {
		args   string
		status int
		want   string
	}{
		{"--all --to production --except 'cart --push", 2, "::error::kubectl promote: a quote in args has no end"},
		{`cart --to "production`, 2, "::error::"},
		{`cart --reason 'two words' --to production "" $(x)`, 0, "<cart><--reason><two words><--to><production><><$(x)>"},
		{"cart\n--to\nstaging\n", 0, "<cart><--to><staging>"},
	} {
		write(t, c.calls, "")
		status, output := c.action(tc.args, nil)
		if status != tc.status || !strings.Contains(output, tc.want) {
			t.Errorf("%s: exit status %d, want %d\n%s", tc.args, status, tc.status, output)
		}
		if calls := read(t, c.calls); tc.status != 0 && calls != "" {
			t.Errorf("%s: called\n%s", tc.args, calls)
		}
	}
}

// A token that may only read, as that of a fork's pull request, cannot write the comment: the
// step passes if the check does.
func TestActionWithoutComment(t *testing.T) {
	c := newCI(t)
	c.program("gh", "echo 'Resource not accessible by integration' >&2; exit 1")
	status, output := c.action("check --base HEAD", map[string]string{"inputs.comment": "true", "github.event.pull_request.number": "7"})
	if status != 0 || !slices.ContainsFunc(obeyed(output), func(l string) bool { return strings.HasPrefix(l, "::warning::") }) {
		t.Errorf("exit status %d\n%s", status, output)
	}
}

// macOS has bash 3.2.
func TestActionIsOldBash(t *testing.T) {
	for _, s := range parseWorkflow(t, "../action.yml") {
		if m := regexp.MustCompile(`\b(mapfile|readarray|declare -[An]|local -[An]|wait -n)\b|\$\{\w+(,|\^|@)|&>>|\|&`).FindString(s.Run); m != "" {
			t.Errorf("step %s has %q, which came after bash 3.2", s.Name, m)
		}
	}
}

// The action takes the archive that its own krew-manifest.yaml names, and no other bytes.
func TestActionInstall(t *testing.T) {
	c := newCI(t)
	for i, v := range c.env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			c.env[i] = "PATH=" + strings.TrimPrefix(path, bin+string(filepath.ListSeparator))
		}
	}
	c.program("curl", `while [ $# -gt 2 ]; do if [ "$1" = --output ]; then echo junk > "$2"; fi; shift; done`)
	c.program("uname", "echo x86_64")
	status, output := c.steps(parseWorkflow(t, "../action.yml")[:1], map[string]string{"github.action_path": absolute(t, "..")})
	if status == 0 {
		t.Errorf("other bytes were installed\n%s", output)
	}
	if calls := read(t, c.calls); !regexp.MustCompile(`curl .*--proto =https .* https://github.com/kubepromote/kubepromote/releases/download/v[0-9.]+/kubectl-promote_v[0-9.]+_linux_amd64.tar.gz\n`).MatchString(calls) {
		t.Errorf("asked for\n%s", calls)
	}
}
