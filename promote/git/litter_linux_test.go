package git

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A full disk ends git in the middle of what it writes. Nothing of that stays, and the
// same call again commits.
func TestCommitDiskFull(t *testing.T) {
	t.Parallel()
	for _, many := range []bool{false, true} {
		dir := t.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
			t.Skip("cannot mount:", err)
		}
		defer unix.Unmount(dir, unix.MNT_DETACH)
		was, next := map[string]string{"a": "1", "b": "1"}, map[string]string{"a": "2", "b": "3"}
		if many {
			was, next = manyFiles("1"), manyFiles("2")
		}
		full(t, dir, was, next)
	}
}

func full(t *testing.T, dir string, was, next map[string]string) {
	t.Helper()
	repo := filepath.Join(dir, "r")
	put(t, repo, was)
	gitIn(t, dir, "init", "-q", "-b", "main", "r")
	for _, args := range [][]string{{"config", "user.name", "Ada"}, {"config", "user.email", "ada@example.com"}, {"add", "-A"}, {"commit", "-q", "-m", "start"}} {
		gitIn(t, repo, args...)
	}
	r := open(t, repo)
	d := delivery(t, r, next)
	for _, free := range []int{2, 4, 8} {
		fill := filepath.Join(dir, "fill")
		var s unix.Statfs_t
		if err := unix.Statfs(dir, &s); err != nil {
			t.Fatal(err)
		}
		pages := int(s.Bavail) - free - len(next) // files take a page each
		if err := os.WriteFile(fill, bytes.Repeat([]byte("x"), pages*int(s.Bsize)), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := r.Commit(t.Context(), d)
		os.Remove(fill)
		if err == nil {
			return
		}
		left, err2 := exec.Command("find", repo, "-name", "tmp_*", "-o", "-name", "*.lock", "-o", "-name", "fast_import_*").Output()
		if err2 != nil || len(left) > 0 {
			t.Errorf("after %v: left: %s %v", err, left, err2)
		}
	}
	if _, err := r.Commit(t.Context(), d); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(gitIn(t, repo, "status", "--porcelain")); got != "" {
		t.Errorf("status %q", got)
	}
}
