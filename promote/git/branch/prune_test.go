package branch

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/internal/files"
)

// The cache of repositories grew for ever: nobody called Prune, and it looked at a time
// that using a repository does not change.
func TestPrune(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		most Bounds
		want string
	}{
		"unused":  {Bounds{Unused: 150 * time.Minute, Repositories: 9, Bytes: 1 << 20}, "[0.git 1.git 2.git locked.git]"},
		"many":    {Bounds{Unused: 9 * time.Hour, Repositories: 2, Bytes: 1 << 20}, "[0.git 1.git locked.git]"},
		"large":   {Bounds{Unused: 9 * time.Hour, Repositories: 9, Bytes: 3500}, "[0.git 1.git 2.git locked.git]"},
		"nothing": {Bounds{Unused: 9 * time.Hour, Repositories: 9, Bytes: 1 << 20}, "[0.git 1.git 2.git 3.git locked.git]"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var busy *os.File
			for i, name := range []string{"0", "1", "2", "3", "locked"} {
				at := filepath.Join(dir, name+".git")
				if err := os.Mkdir(at, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(at, "pack"), make([]byte, 1000), 0o600); err != nil {
					t.Fatal(err)
				}
				used := now.Add(-time.Duration(i) * time.Hour)
				if err := os.Chtimes(at, used, used); err != nil {
					t.Fatal(err)
				}
				busy, _ = os.Open(at)
			}
			defer busy.Close()
			if !files.TryLock(busy) {
				t.Skip("no locks here")
			}
			Cache{Dir: dir}.Prune(now, c.most)
			left, err := filepath.Glob(filepath.Join(dir, "*"))
			for i := range left {
				left[i] = filepath.Base(left[i])
			}
			if slices.Sort(left); err != nil || fmt.Sprint(left) != c.want {
				t.Errorf("%v are left, want %s", left, c.want)
			}
		})
	}
}

// A run that was ended while it pruned left half of a repository, which the next one took for
// whole: it fails at objects that its references name. What was begun is ended by the next.
func TestPruneInterrupted(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.git-X" + gone, "b.git"} {
		if err := os.MkdirAll(filepath.Join(dir, name, "objects"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	Cache{Dir: dir}.Prune(time.Now(), Bounds{Unused: time.Hour, Repositories: 9, Bytes: 1 << 20})
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 || filepath.Base(left[0]) != "b.git" {
		t.Errorf("%v are left", left)
	}
}

// Who had opened a directory of the cache that another program removed got a lock on what
// was not there any more, beside somebody with a lock on the one that was made anew.
func TestLockOfRemoved(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no locks here")
	}
	dir := filepath.Join(t.TempDir(), "a.git")
	first, err := lockDir(dir)
	if err != nil || first == nil {
		t.Fatal(err)
	}
	if again, err := lockDir(dir); again != nil || err != nil {
		t.Errorf("two have it: %v", err)
	}
	late, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	_ = first.Close()
	if !remove(dir) {
		t.Fatal("it is not removed")
	}
	second, err := lockDir(dir)
	if err != nil || second == nil {
		t.Fatal(err)
	}
	defer second.Close()
	if !files.TryLock(late) || standsAt(late, dir) || !standsAt(second, dir) {
		t.Error("what was removed is taken for what is there")
	}
}

// A lock on a branch with a slash in its name, which a killed run has left, stopped all that
// came later. A cache that is emptied keeps nothing that leads to objects which are gone.
func TestPrepareClearsLocks(t *testing.T) {
	dir := t.TempDir()
	if err := prepare(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(dir, "refs", "promote", "remote", "env", "production.lock")
	if err := os.MkdirAll(filepath.Dir(lock), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := prepare(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(lock); err == nil {
		t.Error("the lock is left")
	}
	if err := emptyDir(dir); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}
