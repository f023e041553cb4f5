package branch

import (
	"cmp"
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// Bounds are those of a cache.
type Bounds struct {
	// Unused is how long a repository is kept that nobody uses.
	Unused time.Duration
	// Repositories and Bytes are how many, and how much, are kept in all.
	Repositories int
	Bytes        int64
}

// kept is a repository in a cache.
type kept struct {
	dir   string
	used  time.Time
	bytes int64
}

// Prune removes from a cache what nobody has used for a time, and then what was not used for
// the longest, until it is within its bounds. What another program is at stays. It is called
// by who has filled the cache; an error is nobody's loss, as all of it can be fetched again.
func (c Cache) Prune(now time.Time, most Bounds) {
	if c.Dir == "" {
		return
	}
	at := gitcmd.GlobQuoter.Replace(c.Dir)
	left, _ := filepath.Glob(filepath.Join(at, "*"+gone))
	for _, dir := range left {
		_ = os.RemoveAll(dir) // of a run that was ended meanwhile
	}
	found, _ := filepath.Glob(filepath.Join(at, "*.git"))
	var all []kept
	for _, dir := range found {
		if info, err := os.Stat(dir); err == nil {
			all = append(all, kept{dir, info.ModTime(), sizeOf(dir)})
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Compare(b.used.UnixNano(), a.used.UnixNano()) })
	sum := int64(0)
	for n, one := range all {
		if sum += one.bytes; n < most.Repositories && sum <= most.Bytes && now.Sub(one.used) < most.Unused {
			continue
		}
		if remove(one.dir) {
			sum -= one.bytes
		}
	}
}

// gone ends the name of a repository that is being removed. Nobody takes it for one.
const gone = ".gone"

// remove removes a repository unless another program is at it, and tells whether it has. It
// goes as a whole: half of one looks like a repository, and lacks what its references name.
func remove(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	if !files.TryLock(f) || !standsAt(f, dir) {
		return false
	}
	away := dir + "-" + rand.Text() + gone
	return os.Rename(dir, away) == nil && os.RemoveAll(away) == nil
}

// sizeOf is how many bytes the files of a folder have.
func sizeOf(dir string) int64 {
	sum := int64(0)
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it has just gone
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum
}
