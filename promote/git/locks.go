package git

import (
	"bytes"
	"crypto/sha1" // what ends git's index
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// free finds, before anything is written, another git that is at work or was ended in
// the middle of it, and directories of git's that this user cannot write to. Packed
// says that git will have to lock its packed references, too.
func (r *Repo) free(packed bool) error {
	for _, dir := range []string{r.gitDir, r.common, r.store} {
		if err := writable(dir); err != nil {
			return &Error{Op: "write to git's directory " + gitcmd.Clean(dir), Msg: files.Reason(err), Hint: `sudo chown -R "$(id -u)" ` + shell.Quote(dir), Err: err}
		}
	}
	return r.locked(packed)
}

// locked tells of git's locks that there are: how old they are, and how to remove them.
func (r *Repo) locked(packed bool) error {
	names := append([]string{r.index + ".lock"}, r.refLocks()...)
	if packed {
		names = append(names, filepath.Join(r.common, "packed-refs.lock"), filepath.Join(r.common, filepath.FromSlash(r.tempRef())+".lock"))
	}
	var found, quoted []string
	var made time.Time
	for _, name := range names {
		if info, err := os.Lstat(name); err == nil {
			found = append(found, filepath.Base(name))
			if made.IsZero() || info.ModTime().Before(made) {
				made = info.ModTime()
			}
			quoted = append(quoted, shell.Quote(name))
		}
	}
	if len(found) == 0 {
		return nil
	}
	// Git commit leaves another one beside that of the index.
	also, _ := filepath.Glob(filepath.Join(r.gitDir, "next-index-*.lock"))
	for _, name := range also {
		quoted = append(quoted, shell.Quote(name))
	}
	age := time.Since(made).Round(time.Second)
	return &Error{Op: "git commit", Hint: "wait for it, or rm " + strings.Join(quoted, " "),
		Msg: fmt.Sprintf("another git is at work here, or was ended in the middle of it: there is %s, made %v ago", articled(found), age)}
}

func articled(names []string) string {
	all := strings.Join(names, " and ")
	if strings.HasPrefix(all, "index") {
		return "an " + all
	}
	return "a " + all
}

// refLocks are the locks of the head and of its branch.
func (r *Repo) refLocks() []string {
	locks := []string{filepath.Join(r.gitDir, "HEAD.lock")}
	if head, err := os.ReadFile(filepath.Join(r.gitDir, "HEAD")); err == nil {
		if ref, ok := strings.CutPrefix(strings.TrimSpace(string(head)), "ref: "); ok {
			locks = append(locks, filepath.Join(r.common, filepath.FromSlash(ref)+".lock"))
		}
	}
	return locks
}

// clearLocks removes the locks of a git commit of ours that was ended in the middle:
// killed, or at a limit for the size of files. That it had the index locked is known by
// a file that it names by its own number, or by half an index in the lock. A reference
// may have been locked by another git, which takes no time: what stays is ours.
func (r *Repo) clearLocks(pid int, begin time.Time, err error) {
	own := filepath.Join(r.gitDir, fmt.Sprintf("next-index-%d.lock", pid))
	if os.Remove(own) != nil {
		r.clearIndexLock(begin, err)
		return
	}
	removeStill(r.refLocks(), begin)
	_ = os.Remove(r.index + ".lock")
}

// clearIndexLock removes a lock with half an index in it, which a git of ours has left
// that was ended while it wrote. That of a git which waits for its user is whole, and
// one that nothing was written to yet may be anybody's, unless ours was ended by err, a
// limit for the size of files: then it is what it could not write to.
func (r *Repo) clearIndexLock(begin time.Time, err error) {
	name := r.index + ".lock"
	if data, rerr := os.ReadFile(name); rerr == nil && (len(data) > 0 || overLimit(err)) && !isWhole(data) {
		removeStill([]string{name}, begin)
	}
}

// isWhole tells whether an index ends with its checksum, or with zeros in its place,
// which git can be told to write.
func isWhole(index []byte) bool {
	for _, size := range []int{sha1.Size, sha256.Size} {
		if len(index) < size {
			continue
		}
		body, end := index[:len(index)-size], index[len(index)-size:]
		sum1, sum256 := sha1.Sum(body), sha256.Sum256(body)
		if bytes.Equal(end, sum1[:]) || bytes.Equal(end, sum256[:]) || len(bytes.Trim(end, "\x00")) == 0 {
			return true
		}
	}
	return false
}

// removeStill removes those of the files that were made since begin and that nobody
// touches for half a second.
func removeStill(names []string, begin time.Time) {
	found := map[string]os.FileInfo{}
	for _, name := range names {
		if info, err := os.Lstat(name); err == nil && info.ModTime().After(begin.Add(-time.Second)) {
			found[name] = info
		}
	}
	if len(found) > 0 {
		time.Sleep(500 * time.Millisecond)
	}
	for name, was := range found {
		now, err := os.Lstat(name)
		if err == nil && os.SameFile(was, now) && now.Size() == was.Size() && now.ModTime().Equal(was.ModTime()) {
			_ = os.Remove(name)
		}
	}
}

// clearObjects removes what a git of ours that has failed, as on a full disk, had begun
// to write to the object store. Git writes these files in one go.
func (r *Repo) clearObjects(begin time.Time) {
	var names []string
	for _, pattern := range []string{"??/tmp_obj_*", "pack/tmp_idx_*"} {
		found, _ := filepath.Glob(filepath.Join(gitcmd.GlobQuoter.Replace(r.store), pattern))
		names = append(names, found...)
	}
	removeStill(names, begin)
}
