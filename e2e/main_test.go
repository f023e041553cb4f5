package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/e2e/internal/peers"
	"github.com/kubepromote/kubepromote/e2e/internal/registry"
)

// bin is the folder of the programs under test and of their peers.
var bin string

func TestMain(m *testing.M) {
	var err error
	if bin, err = peers.Build(context.Background(), os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(signedRelease.dir)
	os.Exit(status)
}

// commandLimit bounds every command that a test runs.
const commandLimit = 2 * time.Minute

// environment is what all commands of a test get, in place of the caller's: a
// home of their own, no configuration but theirs, and a proxy that refuses
// everything beyond the loopback interface.
func environment(home string) ([]string, error) {
	for _, dir := range []string{"docker", "tmp"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o755); err != nil {
			return nil, err
		}
	}
	gitconfig := filepath.Join(home, "gitconfig")
	if err := os.WriteFile(gitconfig, []byte("[init]\n\tdefaultBranch = main\n"), 0o644); err != nil {
		return nil, err
	}
	const nowhere = "http://127.0.0.1:9"
	return []string{
		"HOME=" + home,
		"PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH"),
		"TMPDIR=" + filepath.Join(home, "tmp"),
		"DOCKER_CONFIG=" + filepath.Join(home, "docker"),
		"KUBECONFIG=" + filepath.Join(home, "no-kubeconfig"),
		"HTTP_PROXY=" + nowhere, "HTTPS_PROXY=" + nowhere,
		"http_proxy=" + nowhere, "https_proxy=" + nowhere,
		"COSIGN_PASSWORD=",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + gitconfig,
		"GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=E2E", "GIT_AUTHOR_EMAIL=e2e@example.com",
		"GIT_COMMITTER_NAME=E2E", "GIT_COMMITTER_EMAIL=e2e@example.com",
		"LC_ALL=C",
	}, nil
}

// shell runs commands for a test, in one folder and with one environment.
type shell struct {
	*testing.T
	dir string
	env []string
}

func newShell(t *testing.T, dir string) *shell {
	t.Helper()
	env, err := environment(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &shell{T: t, dir: dir, env: env}
}

// in gives the same shell in another folder.
func (s *shell) in(dir string) *shell {
	return &shell{T: s.T, dir: dir, env: s.env}
}

// run runs a program that must succeed and gives its standard output.
func (s *shell) run(name string, args ...string) string {
	s.Helper()
	stdout, _ := s.exits(0, name, args...)
	return stdout
}

// exits runs a program that must end with a status and gives its output.
func (s *shell) exits(status int, name string, args ...string) (stdout, stderr string) {
	s.Helper()
	got, stdout, stderr := s.try(name, args...)
	if got != status {
		s.Fatalf("%s %s\nexit status %d, want %d\n%s%s", name, strings.Join(args, " "), got, status, stdout, stderr)
	}
	return stdout, stderr
}

// try runs a program and gives its exit status and output.
func (s *shell) try(name string, args ...string) (status int, stdout, stderr string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(name), args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if ctx.Err() != nil || err != nil && !errors.As(err, &exit) {
		s.Fatalf("%s %s: %v (%v)\n%s", name, strings.Join(args, " "), err, ctx.Err(), errs.String())
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// start starts a program, whose end the test has to wait for.
func (s *shell) start(name string, args ...string) *exec.Cmd {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), program(name), args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	return cmd
}

// program prefers what was built here to what the machine has.
func program(name string) string {
	if built := filepath.Join(bin, name); isFile(built) {
		return built
	}
	return name
}

func isFile(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular()
}

// needs skips a test, with the reason, where the machine lacks a program that
// is not built here.
func needs(t *testing.T, name, why string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not on PATH: %s", name, why)
	}
}

func startRegistry(t *testing.T) *registry.Registry {
	t.Helper()
	r, err := registry.Start(t.Context(), registry.Options{Program: filepath.Join(bin, "registry"), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
