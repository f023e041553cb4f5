package discovery

import (
	"context"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// mostEntries is how many files and folders are looked at.
const mostEntries = 1_000_000

// mostDepth is how deep folders are entered.
const mostDepth = 24

// skipped are folders that hold no part of a repository's own configuration.
var skipped = set(`node_modules vendor testdata fixtures __tests__ third_party target dist`)

// kustomizations are the names that kustomize knows.
var kustomizations = set(`kustomization.yaml kustomization.yml Kustomization`)

// walker lists the files of a tree that may hold pins, folder by folder, some at a
// time.
type walker struct {
	tree Tree
	lock sync.Mutex
	wake *sync.Cond
	// open are folders to be listed yet, and busy those that are being listed.
	open    []string
	busy    int
	entries int
	limited bool
	err     error
	files   []string
}

// Files lists the files of a tree that may hold pins, or what else a person has written
// for a cluster, in order, and tells whether it ended at the limit.
func Files(ctx context.Context, tree Tree) (files []string, limited bool, err error) {
	files, limited, err = allFiles(ctx, tree)
	return slices.DeleteFunc(files, isCompose), limited, err
}

// allFiles are Files with those of Docker Compose.
func allFiles(ctx context.Context, tree Tree) (files []string, limited bool, err error) {
	if l, ok := tree.(Lister); ok {
		all, err := l.Files(ctx)
		limited = len(all) > mostEntries
		return choose(all[:min(len(all), mostEntries)]), limited, err
	}
	w := &walker{tree: tree, open: []string{"."}}
	w.wake = sync.NewCond(&w.lock)
	stop := context.AfterFunc(ctx, func() { w.fail(context.Cause(ctx)) })
	defer stop()
	var wait sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		wait.Go(w.run)
	}
	wait.Wait()
	slices.Sort(w.files)
	return w.files, w.limited, w.err
}

func (w *walker) fail(err error) {
	w.lock.Lock()
	defer w.lock.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.wake.Broadcast()
}

func (w *walker) run() {
	w.lock.Lock()
	defer w.lock.Unlock()
	for {
		for len(w.open) == 0 && w.busy > 0 && w.err == nil {
			w.wake.Wait()
		}
		if len(w.open) == 0 || w.err != nil {
			w.wake.Broadcast()
			return
		}
		dir := w.open[len(w.open)-1]
		w.open = w.open[:len(w.open)-1]
		w.busy++
		w.lock.Unlock()
		entries, err := w.tree.ReadDir(dir)
		w.lock.Lock()
		w.busy--
		w.add(dir, entries, err)
		w.wake.Broadcast()
	}
}

// add notes what a folder has. One that cannot be listed is an error: nobody knows which
// pins are in it.
func (w *walker) add(dir string, entries []fs.DirEntry, err error) {
	if err != nil {
		if w.err == nil {
			w.err = err
		}
		return
	}
	chart := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == "Chart.yaml" })
	for _, e := range entries {
		if w.entries++; w.entries > mostEntries {
			w.limited, w.open = true, nil
			return
		}
		name := e.Name()
		at := path.Join(dir, name)
		switch {
		case !readable(name):
		case e.IsDir():
			if !skipped[name] && !(chart && ofChart[name]) && strings.Count(at, "/") < mostDepth && !w.limited {
				w.open = append(w.open, at)
			}
		case e.Type().IsRegular() && mayHold(at):
			w.files = append(w.files, at)
		}
	}
}

// ofChart are the folders of a chart that are none of its pins.
var ofChart = set(`templates charts`)

// readable tells names that are looked at: none that is hidden, and none that would look
// like a hole in a template.
func readable(name string) bool {
	return !strings.HasPrefix(name, ".") && !strings.ContainsAny(name, "{}*\x00")
}

// choose takes the files that a walk would find out of all that there are.
func choose(all []string) []string {
	charts := make(map[string]bool)
	for _, file := range all {
		if path.Base(file) == "Chart.yaml" {
			charts[path.Dir(file)] = true
		}
	}
	entered := map[string]bool{".": true} // folders that are looked into, or not
	var enter func(dir string) bool
	enter = func(dir string) bool {
		in, ok := entered[dir]
		if !ok {
			parent, name := path.Dir(dir), path.Base(dir)
			in = readable(name) && !skipped[name] && !(charts[parent] && ofChart[name]) && strings.Count(dir, "/") < mostDepth && enter(parent)
			entered[dir] = in
		}
		return in
	}
	var out []string
	for _, file := range all {
		if fs.ValidPath(file) && readable(path.Base(file)) && enter(path.Dir(file)) && mayHold(file) {
			out = append(out, file)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// mayHold tells by its name whether a file may hold pins. One without extension
// may where it or a folder around it is named like an environment.
func mayHold(file string) bool {
	name := path.Base(file)
	if isCompose(name) {
		return true // to be told of
	}
	for _, f := range foreign {
		if strings.HasPrefix(name, f) || strings.Contains(name, f) && strings.HasSuffix(name, "ml") {
			return false
		}
	}
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json", ".env", ".properties":
		return true
	case "":
		if name == "Kustomization" {
			return true
		}
		lower := strings.ToLower(name)
		return lower == name && !strings.HasSuffix(name, "file") && len(readings(file, false)) > 0
	}
	return false
}
