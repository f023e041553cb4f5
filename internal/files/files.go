package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/unbroken"
)

// File is a path and the bytes that shall stand there. The path is relative to
// the directory and has slashes.
type File struct {
	Path string
	Data []byte
	// Old, if not nil, is what the file must hold when it is replaced, unless it
	// has the new bytes already. If it is nil, the file may hold anything.
	Old []byte
	// New is a file that is not there yet. One that has come in the meantime is an error,
	// unless it has these bytes.
	New bool
}

// Write replaces files, all of which exist but those that are new. Nothing is changed before all
// contents are on disk; then each file is replaced atomically and keeps its mode
// and its owner. Files that have these bytes already are left alone. When it
// returns without an error, all of it is durable.
//
// Cancelling ctx has an effect until the first file is replaced. Should a later
// replacement fail, the error says what was replaced, and the same call again
// completes it. Every error is an [*Error].
func Write(ctx context.Context, root *os.Root, list []File) error {
	c, err := Begin(ctx, root, list)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Prepare(ctx); err != nil {
		return err
	}
	if err := c.Replace(); err != nil {
		return err
	}
	return c.Sync()
}

// Change is files that are about to be replaced.
type Change struct {
	root   *os.Root
	jobs   []*job // of the files that do not have their bytes yet
	unlock func()
	end    func() // of what a signal must not break
	// hook is asked before each step that changes something; tests let it fail.
	hook func(step, path string) error
}

// job is one file to replace.
type job struct {
	File
	dir, base, temp string // the names are in the directory
	was             []byte
	info            fs.FileInfo
	made            fs.FileInfo // of the temporary file, while it is there
	same, replaced  bool
}

// Begin waits until no other run writes below the directory, and finds what can
// be known to stand in the way. It changes nothing. The caller closes the change.
func Begin(ctx context.Context, root *os.Root, list []File) (*Change, error) {
	jobs, err := plan(list)
	if err != nil {
		return nil, err
	}
	end := unbroken.Begin()
	unlock, err := lock(ctx, root)
	if err != nil {
		end()
		return nil, err
	}
	c := &Change{root: root, unlock: unlock, end: end, hook: func(string, string) error { return nil }}
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = f.Path
	}
	if err = CheckParents(root, names, nil); err == nil {
		err = each(ctx, manyAtOnce, jobs, c.check)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	for _, j := range jobs {
		if !j.same {
			c.jobs = append(c.jobs, j)
		}
	}
	return c, nil
}

// Unlock lets other runs write below the directory. It may be called repeatedly.
func (c *Change) Unlock() { c.unlock() }

// Close removes the temporary files that are left, and unlocks.
func (c *Change) Close() {
	for _, j := range c.jobs {
		c.discard(j)
	}
	c.unlock()
	c.end()
}

// plan makes a job of each file and checks the paths.
func plan(list []File) ([]*job, error) {
	known := make(map[string]bool, len(list))
	jobs := make([]*job, len(list))
	for i, f := range list {
		switch {
		case f.Path == "" || f.Path == "." || path.Clean(f.Path) != f.Path || strings.ContainsRune(f.Path, 0):
			return nil, &Error{Msg: "path " + shown(f.Path) + " is not clean"}
		case !filepath.IsLocal(filepath.FromSlash(f.Path)):
			return nil, leadsOut(f.Path)
		case filepath.Separator != '/' && strings.ContainsRune(f.Path, filepath.Separator):
			return nil, &Error{Msg: "path " + shown(f.Path) + " must be written with slashes"}
		case known[f.Path]:
			return nil, &Error{Msg: shown(f.Path) + " is to be written twice"}
		case strings.HasSuffix(f.Path, tempSuffix):
			return nil, &Error{Msg: shown(f.Path) + " has the name of a temporary file"}
		}
		known[f.Path] = true
		base := path.Base(f.Path)
		jobs[i] = &job{File: f, dir: path.Dir(f.Path), base: base, temp: tempName(base)}
	}
	return jobs, nil
}

const tempSuffix = ".kubepromote"

// tempName is always the same for a file: what a crash has left behind is used
// and removed by the next run. File names end at 255 bytes.
func tempName(base string) string {
	if len(base) > 255-1-len(tempSuffix) {
		sum := sha256.Sum256([]byte(base))
		base = hex.EncodeToString(sum[:])
	}
	return "." + base + tempSuffix
}

// lock waits until no other run writes below the directory.
func lock(ctx context.Context, root *os.Root) (unlock func(), err error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, fileError("open", root.Name(), err)
	}
	unlock = func() { _ = dir.Close() } // that gives the lock back
	if err := Lock(ctx, dir); err != nil {
		unlock()
		return nil, interrupted("wait for another promotion that writes here", err)
	}
	return unlock, nil
}

// Lock waits for the lock that TryLock takes, as long as the context lasts.
func Lock(ctx context.Context, dir *os.File) error {
	for !TryLock(dir) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// check looks at one target and changes nothing but what a crash has left
// behind of an earlier run.
func (c *Change) check(j *job) error {
	dir, err := c.root.OpenRoot(j.dir)
	if err != nil {
		return fileError("write", j.Path, err)
	}
	defer dir.Close()
	if j.New {
		if _, err := dir.Lstat(j.base); os.IsNotExist(err) {
			return nil
		}
	}
	if err := j.load(dir); err != nil {
		return err
	}
	if mode := j.info.Mode(); mode&0o200 == 0 {
		return &Error{Msg: shown(j.Path) + " is read-only (mode " + mode.String() + ")", Hint: "chmod u+w " + quote(shown(j.Path)), Err: fs.ErrPermission}
	}
	if in, err := os.Stat(filepath.Join(c.root.Name(), filepath.FromSlash(j.dir))); err == nil && keptByOthers(in, j.info) {
		return &Error{Msg: shown(j.Path) + " belongs to another user, and so does its directory, where only a file's owner may replace it (mode " + in.Mode().String() + ")",
			Hint: `sudo chown "$(id -u)" ` + quote(shown(j.Path)), Err: fs.ErrPermission}
	}
	if j.same = bytes.Equal(j.was, j.Data); j.same {
		if err := dir.Remove(j.temp); err != nil && !os.IsNotExist(err) {
			return fileError("remove", path.Join(j.dir, j.temp), err)
		}
		return nil
	}
	if j.New || j.Old != nil && !bytes.Equal(j.was, j.Old) {
		return j.changed()
	}
	return nil
}

// load reads the target.
func (j *job) load(dir *os.Root) error {
	info, err := dir.Lstat(j.base)
	switch {
	case err != nil:
		return fileError("write", j.Path, err)
	case info.Mode()&fs.ModeSymlink != 0:
		return j.isLink(dir)
	}
	j.was, j.info, err = readOpen(dir, j.base, j.Path)
	if err == nil && !os.SameFile(info, j.info) {
		err = j.changed()
	}
	return err
}

func (j *job) isLink(dir *os.Root) error {
	e := &Error{Msg: shown(j.Path) + " is a symbolic link", Hint: "give the file it points to"}
	if target, err := dir.Readlink(j.base); err == nil && !path.IsAbs(target) {
		e.Hint = "give the file it points to: " + shown(path.Join(j.dir, target))
	}
	return e
}

func (j *job) changed() error {
	return &Error{Msg: shown(j.Path) + " has been changed by somebody else in the meantime", Hint: "run the same command again"}
}
