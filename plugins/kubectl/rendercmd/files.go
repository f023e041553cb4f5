package rendercmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
)

// The bounds of what is looked at below the folder of a service, and below all of them.
const (
	mostFiles = 20_000
	mostOfAll = 500_000
)

// lister lists folders: those of a branch, or of a file system.
type lister interface {
	ReadDir(name string) ([]fs.DirEntry, error)
}

// below are the files below a folder, none where it is not there.
func below(tree lister, dir string, most int, found []string) ([]string, error) {
	entries, err := tree.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		at := path.Join(dir, e.Name())
		if e.IsDir() {
			if found, err = below(tree, at, most, found); err != nil {
				return nil, err
			}
			continue
		}
		found = append(found, at)
	}
	if len(found) > most {
		return nil, &promote.Error{Msg: fmt.Sprintf("%s has more than %d files", dir, most)}
	}
	return found, nil
}

// stale are the files below the folder of a service that are none of its objects, and none of
// another service.
func stale(tree lister, service string, own []promote.File, all []string) ([]string, error) {
	found, err := below(tree, service, mostFiles, nil)
	keep, others := make(map[string]bool), make(map[string]bool)
	for _, f := range own {
		keep[f.Path] = true
	}
	for _, other := range all {
		others[other] = other != service
	}
	return slices.DeleteFunc(found, func(at string) bool {
		if keep[at] || path.Base(at) == metadata {
			return true
		}
		for dir := path.Dir(at); dir != service; dir = path.Dir(dir) {
			if others[dir] {
				return true
			}
		}
		return false
	}), err
}

// changes are the files of a branch that have to be written, and those to be deleted: also
// all that is there of the services that are gone.
func changes(to reader, rendered map[string][]promote.File, gone, all []string, commit string) (list []promote.File, removed int, err error) {
	over := make(map[string]bool)
	for _, service := range slices.Concat(slices.Sorted(maps.Keys(rendered)), gone) {
		old, err := stale(to, service, rendered[service], all)
		if err != nil {
			return nil, 0, err
		}
		if slices.Contains(gone, service) {
			old = append(old, path.Join(service, metadata))
		}
		for _, at := range old {
			if !over[at] {
				list = append(list, promote.File{Path: at, Gone: true})
			}
			over[at] = true
		}
	}
	removed = len(list)
	for _, service := range slices.Sorted(maps.Keys(rendered)) {
		for _, f := range append(slices.Clone(rendered[service]), promote.File{Path: path.Join(service, metadata), Data: metadataOf(commit)}) {
			is, err := to.ReadFile(f.Path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, 0, err
			}
			if err != nil || !bytes.Equal(is, f.Data) {
				list = append(list, f)
			}
		}
	}
	return list, removed, nil
}

// write writes the files into the folder, all of them or none. What else is in the folders of
// the services is refused: whoever applies them would apply it too.
func (o *options) write(ctx context.Context, rendered map[string][]promote.File) error {
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(o.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var list []files.File
	for _, service := range slices.Sorted(maps.Keys(rendered)) {
		old, err := stale(root.FS().(lister), service, rendered[service], slices.Collect(maps.Keys(rendered)))
		if err != nil {
			return err
		}
		if len(old) > 0 {
			return &promote.Error{Msg: fmt.Sprintf("%s is not rendered, and would be applied with what is", path.Join(o.dir, old[0])), Hint: "rm -r " + shell.Quote(path.Join(o.dir, service))}
		}
		for _, f := range rendered[service] {
			if err := root.MkdirAll(path.Dir(f.Path), 0o755); err != nil {
				return err
			}
			_, err := root.Lstat(f.Path)
			list = append(list, files.File{Path: f.Path, Data: f.Data, New: errors.Is(err, fs.ErrNotExist)})
		}
	}
	if err := files.Write(ctx, root, list); err != nil {
		return err
	}
	o.session.Note("%d files are in %s", len(list), o.dir)
	return nil
}
