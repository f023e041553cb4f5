package git

import (
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
