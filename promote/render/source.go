package render

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/yamlbound"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// maxRead bounds what is read for all that is rendered of one tree, in bytes.
const maxRead = 512 << 20

// kind is what stands at a path.
type kind int

const (
	nothing kind = iota
	isFile
	isDir
	isLink
)

// source is a tree with files laid over it. What was read is kept: bases are shared.
type source struct {
	tree  pipeline.Tree // nil where below is not
	below *source
	over  map[string][]byte // files; nil bytes are a file that is gone

	mu    sync.Mutex
	read  int
	dirs  map[string]map[string]kind
	files map[string]content
	nodes map[string]*node // kustomizations, by directory
	texts map[string][]document
	// shared are bases, by directory.
	shared map[string]*shared
}

// content is what was read of a file.
type content struct {
	data []byte
	err  error
	// again tells that the tree could not be read, which may be another time: it is not kept.
	again bool
}

func newSource(tree pipeline.Tree) *source {
	return &source{tree: tree, dirs: make(map[string]map[string]kind), files: make(map[string]content), nodes: make(map[string]*node), texts: make(map[string][]document), shared: make(map[string]*shared)}
}

func (s *source) with(files map[string][]byte) *source {
	out := newSource(nil)
	out.below, out.over = s, files
	return out
}

// list gives what a directory has; nothing where there is none.
func (s *source) list(dir string) (map[string]kind, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.dirs[dir]; ok {
		return found, nil
	}
	found := make(map[string]kind)
	if s.below != nil {
		there, err := s.below.list(dir)
		if err != nil {
			return nil, err
		}
		for name, k := range there {
			found[name] = k
		}
		s.layOver(dir, found)
		s.dirs[dir] = found
		return found, nil
	}
	entries, err := s.tree.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			found[e.Name()] = isLink
		case e.IsDir():
			found[e.Name()] = isDir
		default:
			found[e.Name()] = isFile
		}
	}
	s.dirs[dir] = found
	return found, nil
}

// layOver notes the files over a directory.
func (s *source) layOver(dir string, found map[string]kind) {
	for name, data := range s.over {
		rest, ok := name, true
		if dir != "." {
			rest, ok = strings.CutPrefix(name, dir+"/")
		}
		first, _, deeper := strings.Cut(rest, "/")
		switch {
		case !ok:
		case deeper:
			found[first] = isDir
		case data == nil:
			delete(found, first)
		default:
			found[first] = isFile
		}
	}
}

// at tells what stands at a clean path. A link on the way is one: what it leads to is not
// where it is, and kustomize resolves paths from there.
func (s *source) at(name string) (kind, error) {
	if name == "." {
		return isDir, nil
	}
	dir := "."
	for n, step := range strings.Split(name, "/") {
		entries, err := s.list(dir)
		if err != nil {
			return nothing, err
		}
		k := entries[step]
		if rest := strings.Count(name, "/") - n; rest == 0 || k != isDir {
			if k == isFile && rest > 0 {
				k = nothing
			}
			return k, nil
		}
		dir = path.Join(dir, step)
	}
	return nothing, nil
}

// bytes gives the content of a file.
func (s *source) bytes(name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.files[name]; ok {
		return c.data, c.err
	}
	c := s.readBytes(name)
	if !c.again {
		s.files[name] = c
	}
	return c.data, c.err
}

func (s *source) readBytes(name string) content {
	if data, ok := s.over[name]; ok && data == nil {
		return content{err: &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}}
	} else if ok {
		return content{data: data, err: bounded(name, data)}
	}
	if s.below != nil {
		data, err := s.below.bytes(name) // which keeps what is to be kept
		return content{data, err, err != nil}
	}
	data, err := s.tree.ReadFile(name)
	if err != nil {
		return content{err: err, again: !errors.Is(err, fs.ErrNotExist)}
	}
	err = bounded(name, data)
	if s.read += len(data); err == nil && s.read > maxRead {
		err = &promote.Error{Msg: fmt.Sprintf("more than %d MiB were read", maxRead>>20), Hint: "render fewer services at once"}
	}
	return content{data: data, err: err}
}

// bounded refuses what would take too much memory when it is parsed, and what is written
// out in it.
func bounded(name string, data []byte) error {
	if err := yamlbound.Check(data); err != nil {
		return &promote.Error{Msg: name + ": " + err.Error(), Hint: "write it without aliases, or in parts"}
	}
	if line, err := yamlbound.CheckNested(data); err != nil {
		return &promote.Error{Msg: fmt.Sprintf("%s:%d: %v", name, line, err), Hint: "write it without aliases"}
	}
	return nil
}
