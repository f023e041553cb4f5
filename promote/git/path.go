package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// foreign gives those of the paths that are in another repository inside this one, such
// as a submodule: git here would never see them change. One behind a symbolic link is an
// error, as nobody can say what git sees of it.
func (r *Repo) foreign(names []string) (in map[string]bool, err error) {
	var mu sync.Mutex
	var dirs []string
	err = files.CheckParents(r.root, names, func(_, dir string) error {
		if _, err := os.Lstat(filepath.Join(r.top, filepath.FromSlash(dir), ".git")); err == nil {
			mu.Lock()
			defer mu.Unlock()
			dirs = append(dirs, dir+"/")
		}
		return nil
	})
	if len(dirs) > 0 {
		in = make(map[string]bool)
		for _, name := range names {
			in[name] = slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(name, dir) })
		}
	}
	return in, gitcmd.FileError("look at", "the files", err)
}

// checkCase refuses paths that git, told to ignore case, takes for others that it
// knows: it would commit one file's bytes in the place of another one.
func (r *Repo) checkCase(ctx context.Context, names []string) error {
	out, err := r.run(ctx, gitcmd.Call{Op: "git config", Args: []string{"config", "--type=bool", "--default=false", "--get", "core.ignoreCase"}, Reads: true})
	if err != nil || strings.TrimSpace(string(out)) != "true" {
		return err
	}
	ours := map[string]string{} // by what git compares
	for _, name := range names {
		for at := name; at != "."; at = path.Dir(at) {
			ours[asciiLower(at)] = at
		}
	}
	out, err = r.run(ctx, gitcmd.Call{Op: "git ls-files", Args: []string{"ls-files", "-z"}, Reads: true})
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(string(out), "\x00") {
		for at := path.Clean(name); at != "."; at = path.Dir(at) {
			if own, ok := ours[asciiLower(at)]; ok && own != at {
				return r.sameButForCase(own, at)
			}
		}
	}
	return nil
}

func (r *Repo) sameButForCase(a, b string) error {
	e := &Error{Msg: gitcmd.Clean(a) + " and " + gitcmd.Clean(b) + " differ in upper and lower case only, and git is told to ignore that (core.ignoreCase)", Hint: "git mv one of them"}
	first, err := r.root.Lstat(a)
	second, err2 := r.root.Lstat(b)
	if err == nil && err2 == nil && !os.SameFile(first, second) {
		e.Hint = "git config core.ignoreCase false"
	}
	return e
}

// asciiLower folds case as git does.
func asciiLower(s string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}, s)
}

// reachesGit tells whether a path ends inside a .git directory by way of a
// symbolic link. Such a link is in the tree, so os.Root follows it, but git's
// files hold credentials and hooks.
func (r *Repo) reachesGit(name string) bool {
	abs := r.top
	for elem := range strings.SplitSeq(name, "/") {
		abs = filepath.Join(abs, elem)
		info, err := os.Lstat(abs)
		if err != nil {
			return false
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		real, err := filepath.EvalSymlinks(filepath.Join(r.top, filepath.FromSlash(name)))
		if err != nil {
			return false
		}
		rel, err := filepath.Rel(r.top, real)
		if err != nil {
			return false
		}
		for part := range strings.SplitSeq(filepath.ToSlash(rel), "/") {
			if gitcmd.IsGit(part) {
				return true
			}
		}
		return false
	}
	return false
}

func notExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
