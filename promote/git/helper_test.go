package git

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
)

// TestMain keeps the machine's settings of Git away from all tests.
func TestMain(m *testing.M) {
	for _, name := range []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "EMAIL", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"} {
		os.Unsetenv(name)
	}
	os.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	os.Setenv("GIT_CONFIG_SYSTEM", os.DevNull)
	os.Exit(m.Run())
}

// gitIn runs git and gives its trimmed output.
func gitIn(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// newRepo makes a repository with the files committed, and opens it.
func newRepo(t testing.TB, files map[string]string) *Repo {
	t.Helper()
	dir := t.TempDir()
	gitIn(t, dir, "init", "-q", "-b", "main")
	gitIn(t, dir, "config", "user.name", "Ann")
	gitIn(t, dir, "config", "user.email", "ann@example.com")
	gitIn(t, dir, "config", "gc.auto", "0")
	if len(files) > 0 {
		put(t, dir, files)
		gitIn(t, dir, "add", "-A")
		gitIn(t, dir, "commit", "-q", "-m", "first")
	}
	return open(t, dir)
}

func open(t testing.TB, dir string) *Repo {
	t.Helper()
	r, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func put(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func get(t testing.TB, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func symlink(t testing.TB, target, link string) {
	t.Helper()
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
}

func fileList(m map[string]string) []promote.File {
	var files []promote.File
	for name, data := range m {
		files = append(files, promote.File{Path: name, Data: []byte(data)})
	}
	return files
}

// headOf gives the head, or nothing before the first commit.
func headOf(t testing.TB, r *Repo) string {
	t.Helper()
	out, _ := exec.Command("git", "-C", r.Root(), "rev-parse", "--verify", "-q", "HEAD").Output()
	return strings.TrimSpace(string(out))
}

// delivery puts the files on top of the head.
func delivery(t testing.TB, r *Repo, files map[string]string) promote.Delivery {
	t.Helper()
	return promote.Delivery{Head: headOf(t, r), Files: fileList(files), Message: "m"}
}

// wantNotCommitted checks that the files are written and only the commit is missing.
func wantNotCommitted(t testing.TB, r *Repo, d promote.Delivery, hash string, err error, part string) {
	t.Helper()
	wantError(t, err, part)
	var written *promote.NotCommitted
	if hash != "" || !errors.As(err, &written) {
		t.Errorf("commit %q, error %T: %v", hash, err, err)
	}
	for _, f := range d.Files {
		if got := get(t, r.Root(), f.Path); got != string(f.Data) {
			t.Errorf("%q is not written: %q", f.Path, got)
		}
	}
	noLitter(t, r.Root())
	noTrace(t, r)
}

// wantError checks a part of an error's text, and that it is one line.
func wantError(t testing.TB, err error, part string) {
	t.Helper()
	switch {
	case err == nil:
		t.Fatalf("no error, want %q", part)
	case !strings.Contains(err.Error(), part):
		t.Fatalf("error %q, want %q in it", err, part)
	case strings.ContainsAny(err.Error(), "\n\x1b"):
		t.Fatalf("error %q is not one plain line", err)
	}
}

// noLitter checks that no temporary file is left.
func noLitter(t testing.TB, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".kubepromote") {
			t.Errorf("left behind: %s", p)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// awkward are file names that a careless use of git takes for something else.
var awkward = []string{"a b.yaml", "-rf", "new\nline", "ä/ö ü.yaml", ":(glob)*", "*.yaml", "tab\tquote\"", "HEAD", "x missing"}
