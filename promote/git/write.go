package git

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote"
)

// Write replaces files, all of which exist. Nothing is changed before all
// contents are on disk; then each file is replaced atomically and keeps its
// mode. Files that have these bytes already are left alone.
//
// Cancelling ctx has an effect until the first file is replaced. Should a later
// replacement fail, the error says what was replaced, and the same call again
// completes it.
func (r *Repo) Write(ctx context.Context, files []promote.File) error {
	return (&writer{root: r.root, hook: none}).writeDurably(ctx, files)
}

// WriteFiles is what [Repo.Write] does, for a directory that need not be a Git
// repository.
func WriteFiles(ctx context.Context, root *os.Root, files []promote.File) error {
	t, err := newTree(root)
	if err != nil {
		return err
	}
	defer t.handle.Close()
	return (&writer{root: t, hook: none}).writeDurably(ctx, files)
}

func none(step, path string) error { return nil }

// writer is one run of [WriteFiles], [Repo.Write] or [Repo.Commit].
type writer struct {
	root *tree
	jobs []*job
	// checked, if not nil, is told that all files can be replaced, as far as that
	// is known before.
	checked func()
	// ready, if not nil, is the last word before the first file is replaced.
	ready func() error
	// settle waits until the renames are durable.
	settle func() error
	// hook is asked before each step that changes something; tests let it fail.
	hook func(step, path string) error
}

// job is one file to replace.
type job struct {
	path, dir, temp string
	data, old       []byte
	info            fs.FileInfo
	same, replaced  bool
	// stat is of the new file, once it has its name.
	stat fileStat
}

func (w *writer) writeDurably(ctx context.Context, files []promote.File) error {
	unlock, err := lockTree(ctx, w.root)
	if err != nil {
		return err
	}
	defer unlock()
	if err := w.write(ctx, files); err != nil {
		return err
	}
	return w.settle()
}

// write returns when the files are replaced; settle then waits for the disk. The
// tree is locked.
func (w *writer) write(ctx context.Context, files []promote.File) error {
	w.settle = func() error { return nil }
	if err := w.plan(files); err != nil || len(w.jobs) == 0 {
		return err
	}
	if err := each(ctx, manyAtOnce, w.jobs, w.check); err != nil {
		return err
	}
	if w.checked != nil {
		w.checked()
	}
	var pending []*job
	for _, j := range w.jobs {
		if !j.same {
			pending = append(pending, j)
		}
	}
	if err := w.prepare(ctx, pending); err != nil {
		w.discard(pending)
		return err
	}
	return w.replace(pending)
}

// plan makes a job of each file and checks the paths.
func (w *writer) plan(files []promote.File) error {
	known := make(map[string]bool, len(files))
	for _, f := range files {
		if err := checkPath(f.Path); err != nil {
			return err
		}
		if known[f.Path] {
			return &Error{Msg: clean(f.Path) + " is to be written twice"}
		}
		if strings.HasSuffix(f.Path, tempSuffix) {
			return &Error{Msg: clean(f.Path) + " has the name of a temporary file"}
		}
		known[f.Path] = true
		dir := path.Dir(f.Path)
		w.jobs = append(w.jobs, &job{path: f.Path, dir: dir, temp: path.Join(dir, tempName(path.Base(f.Path))), data: f.Data, old: f.Old})
	}
	return nil
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

// lockTree waits until no other run writes below the directory.
func lockTree(ctx context.Context, root *tree) (unlock func(), err error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, fileError("open", root.Name(), err)
	}
	unlock = func() { _ = dir.Close() } // that gives the lock back
	for {
		done, err := tryLock(dir)
		if done && err == nil {
			return unlock, nil
		}
		if err != nil {
			unlock()
			return nil, err
		}
		select {
		case <-ctx.Done():
			unlock()
			return nil, interrupted("wait for another promotion that writes here", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// check looks at one target and changes nothing but what a crash has left
// behind of an earlier run.
func (w *writer) check(j *job) error {
	data, info, plain := w.root.loadPlain(j.path)
	if !plain {
		if err := checkParents(w.root, []string{j.path}, false); err != nil {
			return err
		}
		var err error
		if info, err = w.root.Lstat(j.path); err != nil {
			return fileError("write", j.path, err)
		}
	}
	name := clean(j.path)
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return w.isLink(j.path)
	case !mode.IsRegular():
		return notRegular(j.path)
	case mode&0o200 == 0:
		return &Error{Msg: fmt.Sprintf("%s is read-only (mode %s)", name, mode), Hint: "chmod u+w " + quote(name), Err: fs.ErrPermission}
	}
	j.info = info
	if j.old == nil && info.Size() != int64(len(j.data)) {
		return nil
	}
	if !plain {
		var err error
		if data, err = readRegular(w.root.Root, j.path); err != nil {
			return err
		}
	}
	if j.old != nil && !bytes.Equal(data, j.old) && !bytes.Equal(data, j.data) {
		return &Error{Msg: name + " has been changed by somebody else in the meantime", Hint: "run the same command again"}
	}
	if j.same = bytes.Equal(data, j.data); j.same {
		return w.clear(j)
	}
	return nil
}

func (w *writer) isLink(name string) error {
	e := &Error{Msg: clean(name) + " is a symbolic link", Hint: "give the file it points to"}
	if target, err := w.root.Readlink(name); err == nil && !path.IsAbs(target) {
		e.Hint = "give the file it points to: " + clean(path.Join(path.Dir(name), target))
	}
	return e
}

// prepare puts all new contents on disk, next to their targets.
func (w *writer) prepare(ctx context.Context, jobs []*job) error {
	whole := wholeSync && len(jobs) > fewFiles
	err := each(ctx, manyAtOnce, jobs, func(j *job) error {
		if err := w.fill(j, !whole); err != nil {
			return writeError(j, err)
		}
		return nil
	})
	if err == nil && whole {
		err = w.syncFileSystems(jobs)
	}
	if err != nil {
		return err
	}
	if err := w.hook("prepared", ""); err != nil {
		return err
	}
	if w.ready != nil {
		if err := w.ready(); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return interrupted("write", ctx.Err())
	}
	return nil
}

// fill writes one temporary file.
func (w *writer) fill(j *job, durable bool) (err error) {
	f, err := w.create(j)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	if err := w.hook("write", j.path); err != nil {
		return err
	}
	if _, err := f.Write(j.data); err != nil {
		return err
	}
	if j.stat = statOf(f); !j.stat.like(j.info) {
		// The owner comes first, as a change of it takes bits off the mode.
		keepOwner(f, j.info)
		if err := f.Chmod(j.info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)); err != nil {
			return err
		}
	}
	if durable {
		return f.Sync()
	}
	return nil
}

// create makes the temporary file anew, whatever stands there: it may be the
// rest of an earlier run, or a link that somebody planted.
func (w *writer) create(j *job) (*os.File, error) {
	if f, ok := w.root.createPlain(j.temp, j.info.Mode()); ok {
		return f, nil
	}
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := w.root.OpenFile(j.temp, flags, 0o600)
	if err == nil || !os.IsExist(err) {
		return f, err
	}
	if err := w.root.Remove(j.temp); err != nil {
		return nil, err
	}
	return w.root.OpenFile(j.temp, flags, 0o600)
}

func (w *writer) clear(j *job) error {
	if err := w.root.Remove(j.temp); err != nil && !notExist(err) {
		return fileError("remove", j.temp, err)
	}
	return nil
}

// discard removes the temporary files.
func (w *writer) discard(jobs []*job) {
	for _, j := range jobs {
		_ = w.root.Remove(j.temp)
	}
}

// replace renames all temporary files, few of them in their order, and cannot
// be interrupted.
func (w *writer) replace(jobs []*job) error {
	atOnce := 1
	if len(jobs) > fewFiles {
		atOnce = manyAtOnce
	}
	if err := each(context.Background(), atOnce, jobs, w.rename); err != nil {
		return w.partly(jobs, err)
	}
	synced := later(func() (struct{}, error) { return struct{}{}, w.syncDirs(jobs) })
	w.settle = func() error {
		if _, err := synced(); err != nil {
			return &Error{Op: "the files are replaced, but may not survive a crash", Msg: bare(err), Err: err}
		}
		return nil
	}
	return nil
}

func (w *writer) rename(j *job) error {
	err := w.hook("rename", j.path)
	written := j.stat
	j.stat = fileStat{}
	if err == nil {
		var ok bool
		if j.stat, ok = w.root.renamePlain(j.temp, j.path); !ok {
			err = w.root.Rename(j.temp, j.path)
		}
	}
	if err != nil {
		return fileError("replace", j.path, err)
	}
	j.replaced = true
	// Somebody may have written into it already; that is not what was planned.
	if j.stat.ino != written.ino || j.stat.mtime != written.mtime || j.stat.mtimeNano != written.mtimeNano || j.stat.size != written.size {
		j.stat = fileStat{}
	}
	return nil
}

// stats tells about the files that were written and have not been changed since;
// about others only whether they are executable.
func (w *writer) stats() map[string]fileStat {
	stats := make(map[string]fileStat, len(w.jobs))
	for _, j := range w.jobs {
		j.stat.mode = uint32(j.info.Mode().Perm())
		stats[j.path] = j.stat
	}
	return stats
}

// partly removes what is left of a replacement that failed, and gives the error
// for it.
func (w *writer) partly(jobs []*job, failed error) error {
	var left []*job
	var names []string
	for _, j := range jobs {
		if j.replaced {
			names = append(names, clean(j.path))
		} else {
			left = append(left, j)
		}
	}
	w.discard(left)
	n := len(names)
	if n == 0 {
		return failed
	}
	const most = 10
	if n > most {
		names = append(names[:most], fmt.Sprintf("%d more", n-most))
	}
	return &Error{
		Msg: fmt.Sprintf("%v; %d of %d files are replaced (%s), the same command again completes it",
			failed, n, len(jobs), strings.Join(names, ", ")),
		Err: failed,
	}
}

// writeError names the target, not the temporary file that could not be written.
func writeError(j *job, err error) error {
	err = fileError("write", j.path, err)
	if e, ok := err.(*Error); ok && noSpace(e.Err) {
		e.Hint = "df -h " + quote(clean(j.dir))
	}
	return err
}
