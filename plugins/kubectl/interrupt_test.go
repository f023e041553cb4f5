//go:build unix

package kubectl

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const interruptServices = 60

// TestStoppedAtAnyMoment ends a promotion of many services at various moments,
// politely and not, and runs the same command again. Whatever the moment: the
// second run completes it, nothing is lost, and nothing is left lying about.
func TestStoppedAtAnyMoment(t *testing.T) {
	took := promoteInterrupted(t, 0, nil)
	for i, sig := range []os.Signal{os.Interrupt, syscall.SIGKILL} {
		for n := 1; n <= 5; n++ {
			after := took * time.Duration(2*n+i) / 12
			t.Run(fmt.Sprintf("%v after %d sixths", sig, n), func(t *testing.T) {
				promoteInterrupted(t, after, sig)
			})
		}
	}
}

// TestStoppedWhileReading interrupts the reading of a large file, which went on to its end:
// a parser looks at no context.
func TestStoppedWhileReading(t *testing.T) {
	var text bytes.Buffer
	for i := range 40_000 {
		fmt.Fprintf(&text, "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p%d}\nspec: {containers: [{name: c, image: \"r.example.com/s%d:v1\"}]}\n", i, i)
	}
	file := filepath.Join(t.TempDir(), "pods.yaml")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("kubectl-promote", "images", "-f", file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || stderr.String() != "interrupted\n" {
		t.Errorf("exit status %d, %q", code, stderr.String())
	}
}

// promoteInterrupted returns how long the promotion took.
func promoteInterrupted(t *testing.T, after time.Duration, sig os.Signal) time.Duration {
	t.Helper()
	dir := manyServices(t)
	start := time.Now()
	cmd := exec.Command("kubectl-promote", "-C", dir, "--all", "--to", "production", "--offline", "--commit")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Env = testEnv(dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if sig != nil {
		time.Sleep(after)
		_ = cmd.Process.Signal(sig) // it may be done already
	}
	err := cmd.Wait()
	took := time.Since(start)
	if strings.Contains(stderr.String(), "goroutine ") {
		t.Fatalf("a stack trace:\n%s", stderr.String())
	}
	if sig == nil && err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	waitForGit(t, dir)
	run(t, dir, "kubectl-promote", "-C", dir, "--all", "--to", "production", "--offline", "--commit")
	if out := run(t, dir, "git", "-C", dir, "status", "--porcelain"); out != "" {
		t.Errorf("left behind:\n%s", out)
	}
	if out := run(t, dir, "git", "-C", dir, "log", "--format=%s"); strings.Count(out, "\n") != 2 {
		t.Errorf("not one promotion:\n%s", out)
	}
	want := fmt.Sprintf("%d files changed, %d insertions(+), %d deletions(-)", interruptServices, interruptServices, interruptServices)
	if out := run(t, dir, "git", "-C", dir, "show", "--shortstat", "--format="); !strings.Contains(out, want) {
		t.Errorf("not all services: %s", out)
	}
	return took
}

// waitForGit waits for a git commit that the killed program has left running.
func waitForGit(t *testing.T, dir string) {
	t.Helper()
	lock := filepath.Join(dir, ".git", "index.lock")
	for range 100 {
		if _, err := os.Stat(lock); err != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	// The commit goes on for a moment after it has given up the index.
	time.Sleep(200 * time.Millisecond)
}

func manyServices(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i := range interruptServices {
		for env, tag := range map[string]string{"staging": "v2", "production": "v1"} {
			file := filepath.Join(dir, "apps", fmt.Sprintf("svc-%03d", i), "overlays", env, "kustomization.yaml")
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("images:\n- {name: svc, newTag: %s, digest: \"sha256:%s\"}\n", tag, strings.Repeat(tag[1:], 64))
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"config", "user.name", "Ada"}, {"config", "user.email", "ada@example.com"},
		{"config", "gc.auto", "0"}, {"add", "--all"}, {"commit", "--quiet", "--message=start"},
	} {
		run(t, dir, "git", append([]string{"-C", dir}, args...)...)
	}
	return dir
}

func testEnv(home string) []string {
	return append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME="+home, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = testEnv(dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}
