package git

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/internal/shell"
)

// Locks of others are found before anything is written, and told with their age and
// what to type, for few files and for many.
func TestCommitLocked(t *testing.T) {
	t.Parallel()
	for _, files := range []map[string]string{{"x": "2"}, manyFiles("2")} {
		for _, lock := range []string{"index.lock", "HEAD.lock", "refs/heads/main.lock", "packed-refs.lock"} {
			if lock == "packed-refs.lock" && len(files) < manyPaths {
				continue // git commit does not need it
			}
			r := newRepo(t, files)
			next := map[string]string{}
			for name := range files {
				next[name] = "3"
			}
			at := filepath.Join(r.gitDir, lock)
			put(t, r.gitDir, map[string]string{lock: ""})
			old := time.Now().Add(-3 * time.Hour)
			os.Chtimes(at, old, old)
			d := delivery(t, r, next)
			_, err := r.Commit(t.Context(), d)
			wantError(t, err, filepath.Base(lock)+", made 3h0m")
			if hint := err.(*Error).Hint; hint != "wait for it, or rm "+shell.Quote(at) {
				t.Errorf("%s: hint %q", lock, hint)
			}
			for name, was := range files {
				if got := get(t, r.Root(), name); got != was {
					t.Fatalf("%s: %s is written: %q", lock, name, got)
				}
			}
			os.Remove(at)
			if _, err := r.Commit(t.Context(), d); err != nil {
				t.Error(err)
			}
		}
	}
}

// Half an index in the lock is what a git has left that was ended while it wrote. A
// whole one may be that of a git which waits for its user, an empty one anybody's.
func TestClearIndexLock(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1"})
	index := get(t, r.gitDir, "index")
	for content, stays := range map[string]bool{index[:len(index)/2]: false, index: true, "": true} {
		put(t, r.gitDir, map[string]string{"index.lock": content})
		r.clearIndexLock(time.Now(), nil)
		if _, err := os.Lstat(r.index + ".lock"); (err == nil) != stays {
			t.Errorf("of %d bytes, %d stay: %v", len(index), len(content), err)
		}
		os.Remove(r.index + ".lock")
	}
	put(t, r.gitDir, map[string]string{"index.lock": index[:40]})
	r.clearIndexLock(time.Now().Add(time.Hour), nil)
	if _, err := os.Lstat(r.index + ".lock"); err != nil {
		t.Error("an older one was removed")
	}
}

// A git that could not write its index past a limit for the size of files left an empty
// lock, and the same command could not be run again.
func TestClearLockOverLimit(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1"})
	for signal, stays := range map[string]bool{"XFSZ": false, "KILL": true} {
		put(t, r.gitDir, map[string]string{"index.lock": ""})
		r.clearIndexLock(time.Now(), exec.Command("sh", "-c", "kill -"+signal+" $$").Run())
		if _, err := os.Lstat(r.index + ".lock"); (err == nil) != stays {
			t.Errorf("%s: %v", signal, err)
		}
	}
}

// What a killed run has left of a pack is removed by the next one.
func TestCommitManyRemovesNotedPack(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	put(t, r.store, map[string]string{"pack/tmp_pack_dead": "x"})
	put(t, r.gitDir, map[string]string{"kubepromote-pack": "tmp_pack_dead"})
	commitMany(t, r, manyFiles("2"))
	if left, _ := filepath.Glob(filepath.Join(r.store, "pack", "tmp_pack_*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Lstat(filepath.Join(r.gitDir, "kubepromote-pack")); err == nil {
		t.Error("the note is left")
	}
}

// Told to ignore case, git would commit one file's bytes in the place of another one.
func TestCommitIgnoreCase(t *testing.T) {
	t.Parallel()
	for _, files := range []map[string]string{{"apps/x/f": "1"}, manyFiles("1")} {
		upper := map[string]string{"APPS/x/f": "1", "apps/x/f": "1"}
		for name, data := range files {
			upper[name] = data
		}
		r := newRepo(t, upper)
		if _, err := os.Lstat(filepath.Join(r.Root(), "Apps")); err == nil {
			t.Skip("the file system ignores case")
		}
		gitIn(t, r.Root(), "config", "core.ignoreCase", "true")
		next := map[string]string{}
		for name := range upper {
			next[name] = "2"
		}
		_, err := r.Commit(t.Context(), delivery(t, r, next))
		wantError(t, err, "differ in upper and lower case only")
		if hint := err.(*Error).Hint; hint != "git config core.ignoreCase false" {
			t.Errorf("hint %q", hint)
		}
		if get(t, r.Root(), "APPS/x/f") != "1" {
			t.Error("a file is written")
		}
		gitIn(t, r.Root(), "config", "core.ignoreCase", "false")
		if _, err := r.Commit(t.Context(), delivery(t, r, next)); err != nil {
			t.Error(err)
		}
	}
}

// Git does not list a file beside another that it knows by nearly the same name.
func TestStateIgnoreCase(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"apps/x": "1"})
	gitIn(t, r.Root(), "config", "core.ignoreCase", "true")
	put(t, r.Root(), map[string]string{"apps/X": "2"})
	if get(t, r.Root(), "apps/x") != "1" {
		t.Skip("the file system ignores case")
	}
	state, err := r.State(t.Context(), []string{"apps/x", "apps/X"})
	if err != nil || len(state.Dirty) != 1 || state.Dirty["apps/X"] != "untracked" {
		t.Errorf("%+v, %v", state, err)
	}
}

// A tree that stands for the head's does not get into a commit, and does not make
// files seem changed.
func TestCommitReplacedTree(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1", "other": "1"})
	put(t, r.Root(), map[string]string{"other": "2"})
	gitIn(t, r.Root(), "add", "other")
	tree := gitIn(t, r.Root(), "write-tree")
	gitIn(t, r.Root(), "reset", "-q", "--hard")
	gitIn(t, r.Root(), "replace", gitIn(t, r.Root(), "rev-parse", "HEAD^{tree}"), tree)
	state, err := r.State(t.Context(), []string{"x", "other"})
	if err != nil || len(state.Dirty) != 0 {
		t.Errorf("%+v, %v", state, err)
	}
	if _, err := r.Commit(t.Context(), delivery(t, r, map[string]string{"x": "2"})); err != nil {
		t.Error(err)
	}
	if got := gitIn(t, r.Root(), "show", "HEAD:other"); got != "1" {
		t.Errorf("%q", got)
	}
}

// A monitor of the file system that has not heard of the change yet.
func TestCommitStaleMonitor(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1"})
	monitor := filepath.Join(t.TempDir(), "monitor")
	if err := os.WriteFile(monitor, []byte("#!/bin/sh\nprintf 'token\\0'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	gitIn(t, r.Root(), "config", "core.fsmonitor", monitor)
	gitIn(t, r.Root(), "update-index", "--fsmonitor")
	gitIn(t, r.Root(), "status")
	if _, err := r.Commit(t.Context(), delivery(t, r, map[string]string{"x": "2"})); err != nil {
		t.Error(err)
	}
}
