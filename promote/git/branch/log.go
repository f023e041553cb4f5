package branch

import (
	"context"
	"os"
	"path/filepath"

	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/history"
)

// Log gives the history of the branch, from its newest commit as Fetch has found it. Of a
// repository that is known by its URL all commits and trees are fetched for that, once,
// and of the files those versions that are read.
func (b *Branch) Log(ctx context.Context) (history.Log, error) {
	log := git.LogIn(b.dir, b.gitDir, b.tip)
	if b.objects.fetch == nil {
		return log, nil
	}
	if _, err := os.Lstat(filepath.Join(b.gitDir, "shallow")); err == nil {
		_, err := b.reach(ctx, "fetch the history of "+gitcmd.Clean(b.Where()), "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head",
			"--no-recurse-submodules", "--no-auto-maintenance", "--refetch", "--filter=blob:none", "--unshallow", "--end-of-options", b.remote, b.tip)
		if err != nil {
			return nil, err
		}
		b.objects.changed()
	}
	return &partialLog{log, b}, nil
}

// partialLog is the history of a clone that lacks most versions of files. It follows no
// renames, for which git would have to compare them.
type partialLog struct {
	history.Log
	branch *Branch
}

// Blobs fetches those that are not here at once, and reads them.
func (l *partialLog) Blobs(ctx context.Context, ids []string, visit func(id string, data []byte) error) error {
	if err := l.branch.objects.fetchLacking(ctx, ids); err != nil {
		return err
	}
	return l.Log.Blobs(ctx, ids, visit)
}
