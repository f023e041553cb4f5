package location

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Tree lists directories. Paths are slash-separated; "." is the root.
type Tree interface {
	ReadDir(path string) ([]fs.DirEntry, error)
}

// Finder finds what fits templates in a tree. Each directory is read once.
type Finder struct {
	Tree Tree

	lock sync.Mutex
	read map[string]*listing
}

type listing struct {
	once    sync.Once
	entries []fs.DirEntry
	err     error
}

// Find gives the paths that fit a template in which holes are filled as given, in
// order. What stands behind the last hole is not looked for: the path that it makes
// may not exist.
func (f *Finder) Find(template string, given Holes) ([]Found, error) {
	s := &search{finder: f, file: IsFile(template)}
	s.group.SetLimit(2 * runtime.GOMAXPROCS(0))
	err := s.walk(strings.Split(Fill(template, given), "/"), Found{Path: "."})
	err = cmp.Or(err, s.group.Wait())
	slices.SortFunc(s.found, func(a, b Found) int { return strings.Compare(a.Path, b.Path) })
	return s.found, err
}

// Exists tells whether there is something at a path that a template has made: a file
// where it names one, else a directory. Links to directories are none.
func (f *Finder) Exists(name string) (bool, error) {
	dir, base := path.Dir(name), path.Base(name)
	entries, err := f.list(dir)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == base && e.IsDir() != IsFile(name) }), nil
}

// list reads a directory, or gives nothing where there is none.
func (f *Finder) list(dir string) ([]fs.DirEntry, error) {
	f.lock.Lock()
	if f.read == nil {
		f.read = make(map[string]*listing)
	}
	l := f.read[dir]
	if l == nil {
		l = &listing{}
		f.read[dir] = l
	}
	f.lock.Unlock()
	l.once.Do(func() {
		if l.entries, l.err = f.Tree.ReadDir(dir); errors.Is(l.err, fs.ErrNotExist) {
			l.entries, l.err = nil, nil
		}
	})
	return l.entries, l.err
}

// search is one walk along a template.
type search struct {
	finder *Finder
	file   bool // the template's end is the name of a file
	group  errgroup.Group
	lock   sync.Mutex
	found  []Found
}

// walk goes on from what was found along the rest of the template. The directories of
// the first level that may have many are looked at side by side.
func (s *search) walk(template []string, at Found) error {
	for len(template) > 0 && open(Fill(template[0], at.Holes)) == 0 {
		at.Path, template, at.Listed = path.Join(at.Path, Fill(template[0], at.Holes)), template[1:], false
	}
	if len(template) == 0 {
		s.lock.Lock()
		defer s.lock.Unlock()
		s.found = append(s.found, at)
		return nil
	}
	entries, err := s.finder.list(at.Path)
	if err != nil {
		return err
	}
	first := len(at.Holes)+len(at.Stars) == 0
	for _, e := range entries {
		next := at
		if !s.mayBe(e, len(template) == 1) || !next.take(template[0], e.Name()) {
			continue
		}
		next.Path, next.Listed = path.Join(at.Path, e.Name()), true
		if !first {
			if err := s.walk(template[1:], next); err != nil {
				return err
			}
			continue
		}
		s.group.Go(func() error { return s.walk(template[1:], next) })
	}
	return nil
}

// mayBe tells whether an entry of a directory can stand at a place in the template. At the
// end of one that names no file stands a directory, or a file without an extension.
func (s *search) mayBe(e fs.DirEntry, last bool) bool {
	switch {
	case e.IsDir():
		return !last || !s.file
	case s.file:
		return last
	}
	return last && !strings.Contains(e.Name(), ".")
}
