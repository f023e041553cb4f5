package gitcmd

import (
	"path"
	"path/filepath"
	"strings"
)

// CheckPath refuses what must not be read or written, whatever the file system
// says: paths out of the tree, and git's own files. The root itself is not a
// file and refused as well.
func CheckPath(name string) error {
	switch {
	case name == "":
		return &Error{Msg: "empty path"}
	case strings.ContainsRune(name, 0):
		return &Error{Msg: "path " + Clean(name) + " has a zero byte"}
	case path.IsAbs(name), !filepath.IsLocal(filepath.FromSlash(name)):
		return LeadsOut(name)
	case filepath.Separator != '/' && strings.ContainsRune(name, filepath.Separator):
		return &Error{Msg: "path " + Clean(name) + " must be written with slashes"}
	}
	for elem := range strings.SplitSeq(name, "/") {
		switch {
		case elem == "..":
			return LeadsOut(name)
		case elem == "" || elem == ".":
			return &Error{Msg: "path " + Clean(name) + " is not clean", Hint: path.Clean(name)}
		case IsGit(elem):
			return &Error{Msg: Clean(name) + " belongs to git itself"}
		}
	}
	return nil
}

// CheckPaths does that for several.
func CheckPaths(names []string) error {
	for _, name := range names {
		if err := CheckPath(name); err != nil {
			return err
		}
	}
	return nil
}

// IsGit tells whether a path element is git's directory on any file system:
// some ignore case, and Windows drops final dots and blanks and has short names.
func IsGit(elem string) bool {
	elem = strings.TrimRight(elem, ". ")
	return strings.EqualFold(elem, ".git") || strings.EqualFold(elem, "git~1")
}

// GlobQuoter makes a path element match itself only.
var GlobQuoter = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`)
