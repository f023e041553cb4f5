package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/kubepromote/kubepromote/internal/files"
)

// checkPath refuses what must not be read or written, whatever the file system
// says: paths out of the tree, and git's own files. The root itself is not a
// file and refused as well.
func checkPath(name string) error {
	switch {
	case name == "":
		return &Error{Msg: "empty path"}
	case strings.ContainsRune(name, 0):
		return &Error{Msg: "path " + clean(name) + " has a zero byte"}
	case path.IsAbs(name), !filepath.IsLocal(filepath.FromSlash(name)):
		return leadsOut(name)
	case filepath.Separator != '/' && strings.ContainsRune(name, filepath.Separator):
		return &Error{Msg: "path " + clean(name) + " must be written with slashes"}
	}
	for elem := range strings.SplitSeq(name, "/") {
		switch {
		case elem == "..":
			return leadsOut(name)
		case elem == "" || elem == ".":
			return &Error{Msg: "path " + clean(name) + " is not clean", Hint: path.Clean(name)}
		case isGit(elem):
			return &Error{Msg: clean(name) + " belongs to git itself"}
		}
	}
	return nil
}

func checkPaths(names []string) error {
	for _, name := range names {
		if err := checkPath(name); err != nil {
			return err
		}
	}
	return nil
}

// isGit tells whether a path element is git's directory on any file system:
// some ignore case, and Windows drops final dots and blanks and has short names.
func isGit(elem string) bool {
	elem = strings.TrimRight(elem, ". ")
	return strings.EqualFold(elem, ".git") || strings.EqualFold(elem, "git~1")
}

// checkParents refuses paths that git does not see where they seem to be: behind
// a symbolic link, or in another repository inside this one.
func (r *Repo) checkParents(names []string) error {
	err := files.CheckParents(r.root, names, func(name, dir string) error {
		if _, err := os.Lstat(filepath.Join(r.top, filepath.FromSlash(dir), ".git")); err == nil {
			return &Error{Msg: clean(name) + " belongs to another repository, at " + clean(dir)}
		}
		return nil
	})
	return fileError("look at", "the files", err)
}

// checkCase refuses paths that git, told to ignore case, takes for others that it
// knows: it would commit one file's bytes in the place of another one.
func (r *Repo) checkCase(ctx context.Context, names []string) error {
	out, err := r.run(ctx, call{op: "git config", args: []string{"config", "--type=bool", "--default=false", "--get", "core.ignoreCase"}, reads: true})
	if err != nil || strings.TrimSpace(string(out)) != "true" {
		return err
	}
	ours := map[string]string{} // by what git compares
	for _, name := range names {
		for at := name; at != "."; at = path.Dir(at) {
			ours[asciiLower(at)] = at
		}
	}
	out, err = r.run(ctx, call{op: "git ls-files", args: []string{"ls-files", "-z"}, reads: true})
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
	e := &Error{Msg: clean(a) + " and " + clean(b) + " differ in upper and lower case only, and git is told to ignore that (core.ignoreCase)", Hint: "git mv one of them"}
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
			if isGit(part) {
				return true
			}
		}
		return false
	}
	return false
}

func notExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
