package doctorcmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/git"
)

// The scripts run where both programs are on PATH.
func TestCompletion(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("programs have other names there")
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	for _, step := range []struct{ program, state, check string }{{"", missing, "plugin"}, {plugin, missing, "completion"}, {completer, ok, "completion"}} {
		if step.program != "" {
			if err := os.WriteFile(filepath.Join(dir, step.program), []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		d := &doctor{session: &cli.Session{}}
		if d.completion(); len(d.found) != 1 || d.found[0].State != step.state || d.found[0].Check != step.check {
			t.Errorf("with %q: %+v", step.program, d.found)
		}
	}
}

// krew's index does not have the plugin, and hosted runners no krew: the hint is about the
// program that is there already.
func TestOnPath(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths are other ones there")
	}
	for program, want := range map[string]string{
		"/opt/a b/kubectl-promote": `export PATH='/opt/a b':"$PATH"`,
		"/usr/local/bin/promote":   "mkdir -p ~/.local/bin && cp /usr/local/bin/promote ~/.local/bin/kubectl-promote",
	} {
		if got := onPath(program, nil); got != want {
			t.Errorf("%s: %s, want %s", program, got, want)
		}
	}
}

// A git that fails to say whether a clone is shallow was one that has all of it.
func TestSettingsOfGitThatFails(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the git of this test is a shell script")
	}
	real, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	dir, bin := t.TempDir(), t.TempDir()
	if out, err := exec.Command(real, "init", "--quiet", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	repo, err := git.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte("#!/bin/sh\necho 'fatal: disk is gone' >&2\nexit 128\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	d := &doctor{session: &cli.Session{}}
	d.settings(t.Context(), repo)
	for _, f := range d.found {
		if f.State != unknown {
			t.Errorf("%+v", f)
		}
	}
	if d.status() != 5 {
		t.Errorf("%+v", d.found)
	}
}

// What is missing counts before what could not be told.
func TestStatus(t *testing.T) {
	d := &doctor{session: &cli.Session{}}
	for _, step := range []struct {
		state string
		want  int
	}{{ok, 0}, {unknown, 5}, {missing, 1}, {ok, 1}} {
		d.note(step.state, "x", "", "%s %d", step.state, len(d.found))
		if got := d.status(); got != step.want {
			t.Errorf("after %s: %d, want %d", step.state, got, step.want)
		}
	}
}
