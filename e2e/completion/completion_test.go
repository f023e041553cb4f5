// Package completion types at real shells, and looks at what they complete through kubectl.
package completion

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const limit = 2 * time.Minute

// shop makes a repository with two services, and a folder with the plugin in it.
func shop(t *testing.T) (dir, bin string) {
	t.Helper()
	if _, err := exec.LookPath("kubectl"); err != nil {
		t.Skip("kubectl is not on PATH: nobody completes a plugin of it")
	}
	dir, bin = t.TempDir(), t.TempDir()
	program := os.Getenv("KUBECTL_PROMOTE")
	if program == "" {
		program = filepath.Join(bin, "built")
		cmd := exec.Command("go", "build", "-o", program, "./cmd/kubectl-promote")
		cmd.Dir = filepath.Join("..", "..")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if err := os.Symlink(program, filepath.Join(bin, "kubectl-promote")); err != nil {
		t.Fatal(err)
	}
	for _, env := range []string{"dev", "staging", "production"} {
		for _, service := range []string{"cart", "catalog"} {
			file := filepath.Join(dir, "apps", service, "overlays", env, "kustomization.yaml")
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte("images:\n- {name: "+service+", newTag: v1}\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	run(t, dir, bin, "", "git", "init", "--quiet")
	run(t, dir, bin, "", "kubectl", "promote", "completion", "install")
	return dir, bin
}

// run runs a program with the plugin on PATH, and gives what it prints.
func run(t *testing.T, dir, bin, in, program string, args ...string) string {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), limit)
	defer stop()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(in)
	cmd.Env = append(os.Environ(), "HOME="+bin, "TERM=dumb", "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}

// needs installs a package where the machine lets it, and skips the test where not.
func needs(t *testing.T, pack string, there func() bool) {
	t.Helper()
	if there() {
		return
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		t.Skipf("there is no %s here, and this test may not install it (it needs apt-get and root)", pack)
	}
	ctx, stop := context.WithTimeout(t.Context(), limit)
	defer stop()
	if out, err := exec.CommandContext(ctx, "apt-get", "install", "-y", "-qq", "--no-install-recommends", pack).CombinedOutput(); err != nil || !there() {
		t.Skipf("there is no %s here, and it cannot be installed: %v\n%s", pack, err, out)
	}
}

func program(name string) func() bool {
	return func() bool { _, err := exec.LookPath(name); return err == nil }
}

// lines are what is typed, and what each shell makes of it.
var lines = []struct{ typed, want string }{
	{"kubectl promote hist", "history"},
	{"kubectl promote plan cat", "catalog"},
	{"kubectl promote cart --to pro", "production"},
	{"kubectl promote cart --dry-r", "--dry-run"},
}

func TestBash(t *testing.T) {
	const scripts = "/usr/share/bash-completion/bash_completion"
	needs(t, "bash-completion", func() bool { _, err := os.Stat(scripts); return err == nil })
	dir, bin := shop(t)
	for _, l := range lines {
		// What bash does on a tab: it splits the line, and calls the function.
		got := run(t, dir, bin, "", "bash", "--norc", "-c", `compopt() { :; }
source `+scripts+`
source <(kubectl completion bash)
COMP_LINE=$1; COMP_POINT=${#1}; COMP_TYPE=9; read -ra COMP_WORDS <<<"$1"; COMP_CWORD=$((${#COMP_WORDS[@]}-1))
__start_kubectl
printf '%s\n' "${COMPREPLY[@]}"`, "bash", l.typed)
		if strings.TrimSpace(got) != l.want {
			t.Errorf("%s: %q, want %q", l.typed, got, l.want)
		}
	}
}

func TestFish(t *testing.T) {
	needs(t, "fish", program("fish"))
	dir, bin := shop(t)
	for _, l := range lines {
		got := run(t, dir, bin, "", "fish", "--no-config", "-c", "kubectl completion fish | source; complete -C '"+l.typed+"'")
		if word, _, _ := strings.Cut(strings.TrimSpace(got), "\t"); word != l.want {
			t.Errorf("%s: %q, want %q", l.typed, got, l.want)
		}
	}
}

// Zsh completes on a terminal alone: it has one of its own for that.
func TestZsh(t *testing.T) {
	needs(t, "zsh", program("zsh"))
	dir, bin := shop(t)
	const script = `zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1="> "; autoload -U compinit; compinit -u -D; source <(kubectl completion zsh); bindkey "^I" complete-word; echo rea""dy'
zpty -r z out '*ready*'
zpty -w -n z "$1"$'\t'
zpty -r -m z out "*$2*" && print -r -- found
zpty -d z
`
	for _, l := range lines {
		if got := run(t, dir, bin, "", "zsh", "-f", "-c", script, "zsh", l.typed, strings.TrimPrefix(l.want, "-")+" "); strings.TrimSpace(got) != "found" {
			t.Errorf("%s: %q is not on the line:\n%s", l.typed, l.want, got)
		}
	}
}
