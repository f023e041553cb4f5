package files

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
)

// fewFiles is up to how many files are made durable one by one. Of more files,
// manyAtOnce are worked on at a time.
const (
	fewFiles   = 8
	manyAtOnce = 8
)

// newMode is that of a new file, less what the user's mask takes away.
const newMode fs.FileMode = 0o666

// Prepare puts all new contents on disk, next to their targets.
func (c *Change) Prepare(ctx context.Context) error {
	whole := SyncsFileSystems && len(c.jobs) > fewFiles
	err := each(ctx, manyAtOnce, c.jobs, func(j *job) error {
		return writeError(j, c.fill(j, !whole))
	})
	if err == nil && whole {
		err = c.syncFileSystems()
	}
	if err = cmp.Or(err, c.hook("prepared", "")); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return interrupted("write", ctx.Err())
	}
	return nil
}

// fill writes one temporary file, anew whatever stands there: it may be the rest
// of an earlier run, or a link that somebody planted.
func (c *Change) fill(j *job, durable bool) (err error) {
	dir, err := c.root.OpenRoot(j.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	mode := newMode
	if !j.New {
		mode = j.info.Mode().Perm()
	}
	create := func() (*os.File, error) {
		return dir.OpenFile(j.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	}
	f, err := create()
	if os.IsExist(err) {
		if err := dir.Remove(j.temp); err != nil {
			return err
		}
		f, err = create()
	}
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, f.Close()) }()
	if j.made, err = f.Stat(); err != nil {
		return err
	}
	if err := c.hook("write", j.Path); err != nil {
		return err
	}
	if _, err := f.Write(j.Data); err != nil {
		return err
	}
	if j.New {
		j.info = j.made
	}
	// The owner comes first, as a change of it takes bits off the mode.
	if keepOwner(f, j.made, j.info) || j.made.Mode() != j.info.Mode() {
		if err := f.Chmod(j.info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)); err != nil {
			return err
		}
	}
	if durable {
		return f.Sync()
	}
	return nil
}

// discard removes the temporary file, if it is the one that was made here.
func (c *Change) discard(j *job) {
	name := path.Join(j.dir, j.temp)
	if j.made == nil {
		return
	}
	if info, err := c.root.Lstat(name); err == nil && os.SameFile(info, j.made) {
		_ = c.root.Remove(name)
	}
	j.made = nil
}

// Replace gives all files their new contents, few of them in their order. It
// cannot be interrupted. If somebody has changed one of the files meanwhile, that
// is found before the first is replaced, but for what happens in these very
// moments.
func (c *Change) Replace() error {
	if err := each(context.Background(), manyAtOnce, c.jobs, c.compare); err != nil {
		return err
	}
	atOnce := 1
	if len(c.jobs) > fewFiles {
		atOnce = manyAtOnce
	}
	if err := each(context.Background(), atOnce, c.jobs, c.replace); err != nil {
		return c.partly(err)
	}
	return nil
}

func (c *Change) compare(j *job) error {
	if j.New {
		return nil // it is not put in the place of another
	}
	info, err := os.Lstat(filepath.Join(c.root.Name(), filepath.FromSlash(j.Path)))
	if err == nil && os.SameFile(info, j.info) && info.Mode() == j.info.Mode() && info.Size() == j.info.Size() && info.ModTime().Equal(j.info.ModTime()) {
		return nil // for now; it is compared by its bytes when it is replaced
	}
	dir, err := c.root.OpenRoot(j.dir)
	if err != nil {
		return fileError("replace", j.Path, err)
	}
	defer dir.Close()
	return j.unchanged(dir, j.base)
}

func (c *Change) replace(j *job) error {
	if err := c.hook("rename", j.Path); err != nil {
		return fileError("replace", j.Path, err)
	}
	dir, err := c.root.OpenRoot(j.dir)
	if err != nil {
		return fileError("replace", j.Path, err)
	}
	defer dir.Close()
	if j.New {
		return j.create(dir)
	}
	exchanged, err := exchange(dir, j.temp, j.base)
	if err == nil && !exchanged {
		if err = j.unchanged(dir, j.base); err == nil {
			err = dir.Rename(j.temp, j.base)
		}
	}
	if err != nil {
		return fileError("replace", j.Path, err)
	}
	if exchanged {
		// What was replaced has the temporary name now.
		if err := j.unchanged(dir, j.temp); err != nil {
			if _, berr := exchange(dir, j.temp, j.base); berr != nil {
				return fileError("put back", j.Path, berr)
			}
			return err
		}
		_ = dir.Remove(j.temp)
	}
	j.replaced, j.made = true, nil
	return nil
}

// create gives a new file its name, unless something has that by now.
func (j *job) create(dir *os.Root) error {
	err := dir.Link(j.temp, j.base)
	if err == nil {
		_ = dir.Remove(j.temp)
	} else if _, there := dir.Lstat(j.base); os.IsNotExist(there) { // the file system has no hard links
		err = dir.Rename(j.temp, j.base)
	}
	switch {
	case os.IsExist(err):
		return j.changed()
	case err != nil:
		return fileError("write", j.Path, err)
	}
	j.replaced, j.made = true, nil
	return nil
}

// unchanged compares a file with what was found at the target.
func (j *job) unchanged(dir *os.Root, name string) error {
	info, err := dir.Lstat(name)
	if err != nil {
		return fileError("replace", j.Path, err)
	}
	if info.Mode() != j.info.Mode() {
		return j.changed()
	}
	data, _, err := readOpen(dir, name, j.Path)
	if err == nil && !bytes.Equal(data, j.was) {
		err = j.changed()
	}
	return err
}

// partly says what a replacement that failed has done.
func (c *Change) partly(failed error) error {
	var names []string
	for _, j := range c.jobs {
		if j.replaced {
			names = append(names, shown(j.Path))
		}
	}
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
			failed, n, len(c.jobs), strings.Join(names, ", ")),
		Err: failed,
	}
}

// Sync makes the replacement durable.
func (c *Change) Sync() error {
	err := c.syncDirs()
	if err != nil {
		return &Error{Op: "the files are replaced, but may not survive a crash", Msg: Reason(err), Err: err}
	}
	return nil
}

func (c *Change) syncDirs() error {
	if SyncsFileSystems && len(c.jobs) > fewFiles {
		return c.syncFileSystems()
	}
	var dirs []string
	seen := map[string]bool{}
	for _, j := range c.jobs {
		if !seen[j.dir] {
			seen[j.dir] = true
			dirs = append(dirs, j.dir)
		}
	}
	return each(context.Background(), manyAtOnce, dirs, func(dir string) error { return c.withDir(dir, syncDir) })
}

// syncFileSystems makes all file systems durable that the files are on: parts
// of a tree may be mounted.
func (c *Change) syncFileSystems() error {
	seen := map[uint64]bool{}
	for _, j := range c.jobs {
		if dev := device(j.info); !seen[dev] {
			seen[dev] = true
			if err := c.withDir(j.dir, syncWhole); err != nil {
				return writeError(j, err)
			}
		}
	}
	return nil
}

func (c *Change) withDir(dir string, fn func(*os.File) error) error {
	f, err := c.root.Open(dir)
	if err != nil {
		return fileError("open", dir, err)
	}
	defer f.Close()
	return fileError("write", dir, fn(f))
}

// SyncFileSystem makes everything durable that is on the directory's file system.
// Where [SyncsFileSystems] is false it does nothing.
func SyncFileSystem(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fileError("open", dir, err)
	}
	defer f.Close()
	return fileError("write", dir, syncWhole(f))
}

// writeError names the target, not the temporary file that could not be written.
func writeError(j *job, err error) error {
	err = fileError("write", j.Path, err)
	if e, ok := err.(*Error); ok && noSpace(e.Err) {
		e.Hint = "df -h " + quote(shown(j.dir))
	}
	return err
}

// each runs fn on all items, some at a time but begun in their order, and gives
// the error of the first of them that failed. After an error or the end of ctx
// nothing is begun.
func each[T any](ctx context.Context, atOnce int, items []T, fn func(T) error) error {
	errs := make([]error, len(items))
	group, goOn := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, item := range items {
		group.Go(func() error {
			if goOn.Err() == nil {
				errs[i] = fn(item)
			}
			return errs[i]
		})
	}
	_ = group.Wait() // which gives the error that came first
	if err := cmp.Or(errs...); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return interrupted("write", ctx.Err())
	}
	return nil
}
