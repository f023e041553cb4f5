package git

import (
	"context"
	"os"
	"path"
	"sync"
	"sync/atomic"
)

// fewFiles is up to how many files are made durable one by one. Of more files,
// manyAtOnce are worked on at a time.
const (
	fewFiles   = 8
	manyAtOnce = 8
)

// each runs fn on all items, some at a time but begun in their order, and gives
// the error of the first of them that failed. After an error or the end of ctx
// nothing is begun.
func each[T any](ctx context.Context, atOnce int, items []T, fn func(T) error) error {
	errs := make([]error, len(items))
	var next atomic.Int64
	var failed atomic.Bool
	var wait sync.WaitGroup
	for range min(atOnce, len(items)) {
		wait.Go(func() {
			for ctx.Err() == nil && !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(items) {
					return
				}
				if errs[i] = fn(items[i]); errs[i] != nil {
					failed.Store(true)
				}
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return interrupted("write", ctx.Err())
	}
	return nil
}

// syncDirs makes the renames durable.
func (w *writer) syncDirs(jobs []*job) error {
	if wholeSync && len(jobs) > fewFiles {
		return w.syncFileSystems(jobs)
	}
	var dirs []string
	seen := map[string]bool{}
	for _, j := range jobs {
		if !seen[j.dir] {
			seen[j.dir] = true
			dirs = append(dirs, j.dir)
		}
	}
	return each(context.Background(), manyAtOnce, dirs, func(dir string) error { return w.withDir(dir, syncDir) })
}

// syncFileSystems makes all file systems durable that the files are on: parts
// of a tree may be mounted.
func (w *writer) syncFileSystems(jobs []*job) error {
	seen := map[uint64]bool{}
	for _, j := range jobs {
		if dev := device(j.info); !seen[dev] {
			seen[dev] = true
			if err := w.withDir(path.Dir(j.path), syncWhole); err != nil {
				return writeError(j, err)
			}
		}
	}
	return nil
}

func (w *writer) withDir(dir string, fn func(*os.File) error) error {
	f, err := w.root.Open(dir)
	if err != nil {
		return fileError("open", dir, err)
	}
	defer f.Close()
	if err := fn(f); err != nil {
		return fileError("write", dir, err)
	}
	return nil
}
