package kustomize

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/verify"
)

// Host is where functions run. The zero value reads files from the working
// directory. It keeps what it has read and its sessions with registries for later
// functions, and may be used by one at a time.
type Host struct {
	// Dir is the directory that paths in configurations start from: that of the
	// kustomization. Empty is the working directory.
	Dir string
	// Root is the directory that no path may leave. Empty is the repository that
	// Dir is in or, where there is none, Dir itself.
	Root string
	// Client asks the registries; nil means one with its defaults.
	Client *registry.Client
	// Environment is the one that policies are judged for where a configuration
	// names none; empty is none.
	Environment string
	// Service is the one that the objects are of, where a configuration names none:
	// an approval may be for one service alone. Empty is none.
	Service string
	// Closed hosts have neither files nor registries, for who renders what somebody else
	// has written: a function that needs one ends with [ErrClosed].
	Closed bool

	clients *clients
}

// ErrClosed is the error of a function that needs more than a closed host has.
var ErrClosed = errors.New("the function names a file or asks a registry, and gets neither here")

// clients are shared by the hosts of one build.
type clients struct {
	once       sync.Once
	registries *registry.Client
	resolver   *digest.Resolver
	verifier   *verify.Verifier
}

// At gives the same host for another directory, with the same sessions.
func (h *Host) At(dir string) *Host {
	h.connect()
	return &Host{Dir: dir, Root: h.Root, Client: h.Client, Environment: h.Environment, Service: h.Service, Closed: h.Closed, clients: h.clients}
}

func (h *Host) connect() *clients {
	if h.clients == nil {
		h.clients = &clients{}
	}
	return h.clients
}

func (h *Host) start() (*clients, error) {
	if h.Closed {
		return nil, ErrClosed
	}
	c := h.connect()
	c.once.Do(func() {
		if c.registries = h.Client; c.registries == nil {
			c.registries = registry.New(registry.Options{})
		}
		c.resolver = digest.NewResolver(digest.Options{Client: c.registries})
		c.verifier = verify.New(verify.Options{Client: c.registries})
	})
	return c, nil
}

// maxFile bounds the files that configurations name, in bytes.
const maxFile = 16 << 20

// repositoryMarks are the names that tell the root of a repository.
var repositoryMarks = []string{".git", "promotion.yaml"}

// tree is the part of the file system that a function may read.
type tree struct {
	root *os.Root
	base string // the directory that paths start from, below the root
}

func (h *Host) open() (*tree, error) {
	if h.Closed {
		return nil, ErrClosed
	}
	dir, err := filepath.Abs(h.Dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, readError(h.Dir, err)
	}
	top := h.Root
	if top == "" {
		top = repositoryOf(dir)
	} else if top, err = filepath.EvalSymlinks(top); err != nil {
		return nil, readError(h.Root, err)
	} else if top, err = filepath.Abs(top); err != nil {
		return nil, readError(h.Root, err)
	}
	base, err := filepath.Rel(top, dir)
	if err != nil || !filepath.IsLocal(base) {
		return nil, &pathError{path: h.Dir, msg: "is outside of the root " + top}
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil, readError(top, err)
	}
	return &tree{root: root, base: base}, nil
}

func repositoryOf(dir string) string {
	for up := dir; ; up = filepath.Dir(up) {
		for _, mark := range repositoryMarks {
			if _, err := os.Lstat(filepath.Join(up, mark)); err == nil {
				return up
			}
		}
		if up == filepath.Dir(up) {
			return dir
		}
	}
}

func (t *tree) close() { _ = t.root.Close() } // it was only read from

// pathError is a file that a configuration names and that cannot be used.
type pathError struct{ path, msg, hint string }

// Error is the path and what is wrong with it.
func (e *pathError) Error() string { return e.path + ": " + e.msg }

// HintText gives what to do about it, or "".
func (e *pathError) HintText() string { return e.hint }

func readError(path string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &pathError{path: path, msg: "no such file or directory"}
	}
	return &pathError{path: path, msg: err.Error()}
}

// place gives a path as the root has it.
func (t *tree) place(path string) (string, error) {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return "", &pathError{path, "is absolute", "write it relative to the kustomization"}
	}
	place := filepath.Join(t.base, path)
	if !filepath.IsLocal(place) {
		return "", &pathError{path, "is outside of " + t.root.Name(), "keep it in the repository, or name another root: promote-fn --root DIR"}
	}
	return place, nil
}

// read reads a file that a configuration names.
func (t *tree) read(path string) ([]byte, error) {
	place, err := t.place(path)
	if err != nil {
		return nil, err
	}
	info, err := t.root.Stat(place)
	if err != nil {
		return nil, readError(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, &pathError{path: path, msg: "is not a file"}
	}
	f, err := t.root.Open(place)
	if err != nil {
		return nil, readError(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, readError(path, err)
	}
	if len(data) > maxFile {
		return nil, &pathError{path: path, msg: fmt.Sprintf("is larger than %d MiB", maxFile>>20)}
	}
	return data, nil
}

// directory gives the path of a directory that a configuration names, with no
// links in it.
func (t *tree) directory(path string) (string, error) {
	place, err := t.place(path)
	if err != nil {
		return "", err
	}
	info, err := t.root.Stat(place)
	if err != nil {
		return "", readError(path, err)
	}
	if !info.IsDir() {
		return "", &pathError{path: path, msg: "is not a directory"}
	}
	real, err := filepath.EvalSymlinks(filepath.Join(t.root.Name(), place))
	if err != nil {
		return "", readError(path, err)
	}
	return real, nil
}

// overlay reads an environment's overlay: a file, or the kustomization file of a
// directory.
func (t *tree) overlay(path string) (*overlay.File, error) {
	place, err := t.place(path)
	if err != nil {
		return nil, err
	}
	info, err := t.root.Stat(place)
	if err != nil {
		return nil, readError(path, err)
	}
	name := filepath.ToSlash(path)
	if info.IsDir() {
		if name, err = t.kustomization(place, strings.TrimSuffix(name, "/")); err != nil {
			return nil, err
		}
	}
	data, err := t.read(name)
	if err != nil {
		return nil, err
	}
	return overlay.Parse(name, data)
}

func (t *tree) kustomization(place, dir string) (string, error) {
	var found []string
	for _, name := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		if _, err := t.root.Stat(filepath.Join(place, name)); err == nil {
			found = append(found, dir+"/"+name)
		}
	}
	switch len(found) {
	case 0:
		return "", &pathError{dir, "has no kustomization file", "name a file, or a directory with a kustomization"}
	case 1:
		return found[0], nil
	}
	return "", &pathError{dir, "has several kustomization files: " + strings.Join(found, ", "), "keep one of them"}
}
