package branch

import (
	"context"
	"github.com/kubepromote/kubepromote/promote/git/internal/stored"

	"github.com/kubepromote/kubepromote/promote/git"
)

// OfCommit gives the files of one commit of a clone, named by its hash: a branch without a
// name, which nobody moves and nothing is committed to. Reads of many files are quicker
// than those of [git.Tree].
func OfCommit(ctx context.Context, r *git.Repo, commit string) (*Branch, error) {
	b := &Branch{ctx: ctx, dir: r.Root(), gitDir: r.GitDir(), objects: &stored.Objects{Dir: r.Root()}, tip: commit}
	var err error
	if b.root, err = b.objects.RootOf(ctx, commit); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}
