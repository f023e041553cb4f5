package git

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// NotCheckedOut gives the files of a sparse checkout that git has and the working tree
// has not; none where the checkout is not sparse.
func (r *Repo) NotCheckedOut(ctx context.Context) ([]string, error) {
	// Git writes this file when a checkout becomes sparse, and keeps it.
	if _, err := os.Stat(filepath.Join(r.gitDir, "info", "sparse-checkout")); err != nil {
		return nil, nil
	}
	out, err := r.run(ctx, gitcmd.Call{Op: "git ls-files", Args: []string{"ls-files", "-t", "-z"}, Reads: true})
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.SplitSeq(string(out), "\x00") {
		name, skipped := strings.CutPrefix(line, "S ")
		if !skipped {
			continue
		}
		if _, err := r.root.Lstat(name); notExist(err) {
			names = append(names, name)
		}
	}
	return names, nil
}
