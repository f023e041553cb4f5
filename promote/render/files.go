package render

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// files is a source as kustomize sees it: read-only, with the repository's root as the
// root. It is for one build.
type files struct {
	filesys.FileSystem // nil: what is not implemented here is not used by a build
	ctx                context.Context
	source             *source

	mu  sync.Mutex
	err error // the first that is no missing file: kustomize takes all for that
}

var errReadOnly = errors.New("the file system is read-only")

// rel is a path of kustomize's relative to the root.
func rel(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(name)), "/")
	if name == "" {
		return "."
	}
	return name
}

func abs(name string) string {
	if name == "." {
		return string(filepath.Separator)
	}
	return filepath.FromSlash("/" + name)
}

func (f *files) failed(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && f.err == nil && !errors.Is(err, fs.ErrNotExist) {
		f.err = err
	}
	return err
}

func (f *files) at(name string) kind {
	if f.ctx.Err() != nil {
		return nothing
	}
	k, err := f.source.at(rel(name))
	if err == nil && k == isLink {
		err = linked(rel(name))
	}
	_ = f.failed(err)
	return k
}

// IsDir implements [filesys.FileSystem].
func (f *files) IsDir(name string) bool { return f.at(name) == isDir }

// Exists implements [filesys.FileSystem].
func (f *files) Exists(name string) bool { return f.at(name) != nothing }

// ReadFile implements [filesys.FileSystem].
func (f *files) ReadFile(name string) ([]byte, error) {
	if err := f.ctx.Err(); err != nil {
		return nil, err
	}
	at := rel(name)
	switch f.at(name) {
	case isDir:
		return nil, fmt.Errorf("%s: is a directory", at)
	case nothing, isLink:
		return nil, &fs.PathError{Op: "open", Path: at, Err: fs.ErrNotExist}
	}
	data, err := f.source.bytes(at)
	return data, f.failed(err)
}

// ReadDir implements [filesys.FileSystem].
func (f *files) ReadDir(name string) ([]string, error) {
	entries, err := f.source.list(rel(name))
	if err != nil {
		return nil, f.failed(err)
	}
	var names []string
	for entry := range entries {
		names = append(names, entry)
	}
	return names, nil
}

// CleanedAbs implements [filesys.FileSystem].
func (f *files) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	at := rel(name)
	switch f.at(name) {
	case isDir:
		return filesys.ConfirmedDir(abs(at)), "", nil
	case isFile:
		return filesys.ConfirmedDir(abs(path.Dir(at))), path.Base(at), nil
	}
	return "", "", fmt.Errorf("'%s' doesn't exist", at)
}

// Glob implements [filesys.FileSystem]; no build asks for it.
func (f *files) Glob(string) ([]string, error) { return nil, errReadOnly }

// Open implements [filesys.FileSystem]; no build asks for it.
func (f *files) Open(string) (filesys.File, error) { return nil, errReadOnly }

// Create implements [filesys.FileSystem].
func (f *files) Create(string) (filesys.File, error) { return nil, errReadOnly }

// Mkdir implements [filesys.FileSystem].
func (f *files) Mkdir(string) error { return errReadOnly }

// MkdirAll implements [filesys.FileSystem].
func (f *files) MkdirAll(string) error { return errReadOnly }

// RemoveAll implements [filesys.FileSystem].
func (f *files) RemoveAll(string) error { return errReadOnly }

// WriteFile implements [filesys.FileSystem].
func (f *files) WriteFile(string, []byte) error { return errReadOnly }

// Walk implements [filesys.FileSystem]; no build asks for it.
func (f *files) Walk(string, filepath.WalkFunc) error { return errReadOnly }
