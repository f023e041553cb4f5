package git

import (
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxIndex bounds the size of an index: some five million files.
const maxIndex = 512 << 20

// nextIndex is an index to come.
type nextIndex struct {
	*index            // nil where git has to make it
	name, mark string // of the file that it is made of
	info       fs.FileInfo
}

// nextIndex reads git's index, and gives the directories what git remembers of them.
func (r *Repo) nextIndex(top *directory) *nextIndex {
	n := &nextIndex{name: filepath.Join(r.gitDir, "index")}
	info, err := os.Lstat(n.name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxIndex || os.Getenv("GIT_INDEX_FILE") != "" {
		return n
	}
	n.info, n.mark = info, r.indexMark()
	data, err := os.ReadFile(n.name)
	if err != nil {
		return n
	}
	n.index = readIndex(data, r.newHash, top)
	return n
}

// useIndex puts an index in the place of git's, if that still is the one that it
// was made of. Nobody else changes it at the same time. The tree is locked.
func (r *Repo) useIndex(n *nextIndex, stats map[string]fileStat) error {
	data, err := n.finish(stats)
	if err != nil {
		return err
	}
	staged, err := r.writeIndex(data, n.info)
	if err != nil {
		return errNotMade
	}
	defer os.Remove(staged)
	return r.replaceIndex(n, staged)
}

const stagedName = "kubepromote-index-"

// writeIndex writes an index into a file of its own. That has the time of the old
// one: git reads each file again that has been changed since, and so sees what was
// changed in the very second in which the index is written, or in which a file's
// state was taken (https://git-scm.com/docs/racy-git).
func (r *Repo) writeIndex(data []byte, old fs.FileInfo) (name string, err error) {
	f, err := os.CreateTemp(r.gitDir, stagedName)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	err = cmp.Or(err, f.Chmod(old.Mode().Perm()))
	if err == nil && !wholeSync {
		err = f.Sync()
	}
	err = cmp.Or(err, f.Close(), os.Chtimes(f.Name(), time.Time{}, old.ModTime()))
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return f.Name(), err
}

// replaceIndex puts the index in its place, if the one that stands there is the
// one that it was made of. Git's lock is a second name of the new index, so that
// a lock that is left behind when this program is killed is known as its own:
// see clearLock.
func (r *Repo) replaceIndex(n *nextIndex, staged string) error {
	lock := r.lockName()
	if err := os.Link(staged, lock); err != nil {
		return errNotMade // held by git, or not known to the file system
	}
	defer os.Remove(lock)
	if n.mark == "" || r.indexMark() != n.mark || os.Rename(staged, n.name) != nil {
		return errNotMade
	}
	return nil
}

func (r *Repo) lockName() string { return filepath.Join(r.gitDir, "index.lock") }

// clearLock removes what a killed run has left of useIndex. The tree is locked: no
// other run is at it.
func (r *Repo) clearLock() {
	lock, err := os.Lstat(r.lockName())
	ours := func(name string) bool {
		info, ierr := os.Lstat(filepath.Join(r.gitDir, name))
		return err == nil && ierr == nil && os.SameFile(info, lock)
	}
	mine := ours("index")
	entries, _ := os.ReadDir(r.gitDir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), stagedName) {
			mine = mine || ours(e.Name())
			_ = os.Remove(filepath.Join(r.gitDir, e.Name()))
		}
	}
	if mine {
		_ = os.Remove(r.lockName())
	}
}

// newHash makes the hash that the repository's objects are named by.
func (r *Repo) newHash() hash.Hash {
	if r.sha256 {
		return sha256.New()
	}
	return sha1.New()
}

// objectName names an object, in binary.
func objectName(h hash.Hash, kind byte, data []byte) []byte {
	fmt.Fprintf(h, "%s %d\x00", typeNames[kind], len(data))
	h.Write(data)
	return h.Sum(nil)
}
