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

// checkParents refuses paths that git does not see where they seem to be:
// behind a symbolic link and, if nested, in another repository inside this one.
func checkParents(root *tree, names []string, nested bool) error {
	type parent struct{ name, dir string }
	var parents []parent
	seen := map[string]bool{".": true}
	for _, name := range names {
		first := len(parents)
		for dir := path.Dir(name); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			parents = append(parents, parent{name, dir})
		}
		// The outermost is the one to be named.
		slices.Reverse(parents[first:])
	}
	return each(context.Background(), manyAtOnce, parents, func(p parent) error {
		return checkParent(root, p.name, p.dir, nested)
	})
}

func checkParent(root *tree, name, dir string, nested bool) error {
	if root.ordinaryPlain(dir) {
		return nil
	}
	info, err := root.Lstat(dir)
	switch {
	case escapes(err):
		return leadsOut(name)
	case err != nil:
		// What is missing is told by who opens it.
		return nil
	case info.Mode()&fs.ModeSymlink != 0:
		return &Error{Msg: clean(name) + " lies behind the symbolic link " + clean(dir)}
	}
	if !nested {
		return nil
	}
	if _, err := root.Lstat(dir + "/.git"); err == nil {
		return &Error{Msg: clean(name) + " belongs to another repository, at " + clean(dir)}
	}
	return nil
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
