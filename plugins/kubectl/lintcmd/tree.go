package lintcmd

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
)

// How far a search goes. A repository that has more is searched in parts.
const (
	maxEntries = 500_000
	maxDepth   = 64
	maxTime    = 5 * time.Minute
)

// treeOf gives the top of the repository that a directory is in, or the directory
// where it is in none. Git is not asked: only a boundary is looked for.
func treeOf(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return "", cli.FileError(err)
	}
	for top := abs; ; top = filepath.Dir(top) {
		if _, err := os.Lstat(filepath.Join(top, ".git")); err == nil {
			return top, nil
		}
		if top == filepath.Dir(top) {
			return abs, nil
		}
	}
}

// inside tells whether a path leads into a tree, wherever its links lead.
func inside(tree, path string) bool {
	abs, err := filepath.Abs(path)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(tree, abs)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
