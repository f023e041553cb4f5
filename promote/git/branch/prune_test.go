package branch

import (
	"fmt"
	"os"
	"path/filepath"
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
