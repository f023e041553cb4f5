package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/internal/files"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"apps/cart/x.yaml": "x\n"})
	sub := open(t, filepath.Join(r.Root(), "apps", "cart"))
	if sub.Root() != r.Root() || sub.Prefix() != "apps/cart" || r.Prefix() != "" {
		t.Errorf("root %q, prefix %q and %q", sub.Root(), sub.Prefix(), r.Prefix())
	}
	tree := filepath.Join(t.TempDir(), "linked")
	gitIn(t, r.Root(), "worktree", "add", "-q", tree)
	linked := open(t, tree)
	if linked.gitDir == linked.common || linked.common != r.common {
		t.Errorf("git dir %q, common %q", linked.gitDir, linked.common)
	}
	odd := filepath.Join(t.TempDir(), "new\nline")
	gitIn(t, t.TempDir(), "init", "-q", odd)
	if got := open(t, odd); filepath.Base(got.Root()) != "new\nline" {
		t.Errorf("root %q", got.Root())
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	bare := t.TempDir()
	gitIn(t, bare, "init", "-q", "--bare")
	for dir, want := range map[string]string{
		empty:                          "is not in a git repository",
		bare:                           "bare repository",
		filepath.Join(empty, "absent"): "is not a directory",
	} {
		_, err := Open(t.Context(), dir)
		wantError(t, err, want)
	}
	// A folder of a clone that looks like a bare repository is not taken for one.
	r := newRepo(t, map[string]string{"bare/HEAD": "ref: refs/heads/main\n", "bare/config": "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n",
		"bare/objects/x": "", "bare/refs/x": ""})
	_, err := Open(t.Context(), filepath.Join(r.Root(), "bare"))
	wantError(t, err, "bare is in a bare repository or in a git directory")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, bare); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOpenDubious(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	r := newRepo(t, nil)
	if err := os.Chown(r.Root(), 12345, 12345); err != nil {
		t.Skip(err)
	}
	_, err := Open(t.Context(), r.Root())
	wantError(t, err, "dubious ownership")
	var e *Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.HintText(), "git config --global --add safe.directory") {
		t.Errorf("hint %q", e.HintText())
	}
}

// A git that is missing or old cannot be tried in parallel: PATH is the process's.
func TestOpenGitProgram(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the old git is a shell script")
	}
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	_, err := Open(t.Context(), ".")
	wantError(t, err, "the git program is not in the PATH")
	script := "#!/bin/sh\ncase \"$*\" in *version*) echo git version 2.30.1;; *) echo usage >&2; exit 129;; esac\n"
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), ".")
	wantError(t, err, "git 2.30.1 is too old, 2.38 or newer is needed")
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"a/x": "text", "empty": ""})
	out := filepath.Join(t.TempDir(), "secret")
	put(t, filepath.Dir(out), map[string]string{"secret": "s"})
	symlink(t, out, filepath.Join(r.Root(), "outside"))
	symlink(t, "../..", filepath.Join(r.Root(), "a", "up"))
	symlink(t, "a/x", filepath.Join(r.Root(), "inside"))
	symlink(t, ".git", filepath.Join(r.Root(), "g"))
	for name, want := range map[string]string{"a/x": "text", "inside": "text", "empty": ""} {
		if data, err := r.ReadFile(name); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for name, want := range map[string]string{
		"outside": "outside leads out of the repository", "a/up/x": "leads out of the repository",
		"../x": "leads out of the repository", "a/../../x": "leads out of the repository", "/etc/passwd": "leads out of the repository",
		".git/config": "belongs to git itself", "a/.GIT/x": "belongs to git itself", "g/config": "belongs to git itself",
		"": "empty path", "a//x": "is not clean", "a/": "is not clean", ".": "is not clean",
		"a": "is not a regular file", "x\x00": "zero byte", "absent": "no such file",
	} {
		_, err := r.ReadFile(name)
		wantError(t, err, want)
		if errors.Is(err, fs.ErrNotExist) != (name == "absent") {
			t.Errorf("%s: fs.ErrNotExist: %v", name, err)
		}
	}
	if err := os.Truncate(filepath.Join(r.Root(), "empty"), files.MaxSize+1); err != nil {
		t.Fatal(err)
	}
	_, err := r.ReadFile("empty")
	wantError(t, err, "empty is larger than 64 MiB")
}

func TestReadDir(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"b/x": "", "a": "", "c": ""})
	for _, name := range []string{"", "."} {
		entries, err := r.ReadDir(name)
		if err != nil || len(entries) != 3 || entries[0].Name() != "a" || !entries[1].IsDir() {
			t.Errorf("%v, %v", entries, err)
		}
	}
	if _, err := r.ReadDir("absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	_, err := r.ReadDir("a")
	wantError(t, err, "a is not a directory")
	_, err = r.ReadDir(".git")
	wantError(t, err, "belongs to git itself")
	symlink(t, "/", filepath.Join(r.Root(), "out"))
	_, err = r.ReadDir("out")
	wantError(t, err, "leads out of the repository")
}

func TestReadAny(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"one/b": "b", "two/b": "b", "two/c": "c", "dir/a/x": "x", "empty/x": "x", "real": "r"})
	symlink(t, "nowhere", filepath.Join(r.Root(), "two", "a"))
	symlink(t, "../real", filepath.Join(r.Root(), "one", "a"))
	symlink(t, t.TempDir(), filepath.Join(r.Root(), "out"))
	for dir, want := range map[string]struct {
		name, data, err string
		have            []string
	}{
		"one":   {"a", "r", "", []string{"a", "b"}},
		"two":   {"b", "b", "", []string{"a", "b", "c"}},
		"dir":   {"a", "", "dir/a is not a regular file", []string{"a"}},
		"empty": {"", "", "not exist", nil},
		"none":  {"", "", "no such file", nil},
		"out":   {"", "", "leads out of the repository", nil},
		"../x":  {"", "", "leads out of the repository", nil},
		".git":  {"", "", "belongs to git itself", nil},
	} {
		found, err := r.ReadAny(dir, []string{"a", "b", "c"})
		if found.Name != want.name || string(found.Data) != want.data || !slices.Equal(found.Have, want.have) {
			t.Errorf("%s: %+v", dir, found)
		}
		if want.err == "" && err != nil || want.err != "" && (err == nil || !strings.Contains(err.Error(), want.err)) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
