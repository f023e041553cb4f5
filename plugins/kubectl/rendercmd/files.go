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
	"strings"

	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/promote"
)

// mostFiles bounds what is looked at below the folder of a service.
const mostFiles = 20_000

// lister lists folders: those of a branch, or of a file system.
type lister interface {
	ReadDir(name string) ([]fs.DirEntry, error)
}

// below are the files below a folder, none where it is not there.
func below(tree lister, dir string, found []string) ([]string, error) {
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
			if found, err = below(tree, at, found); err != nil {
				return nil, err
			}
			continue
		}
		found = append(found, at)
	}
	if len(found) > mostFiles {
		return nil, &promote.Error{Msg: fmt.Sprintf("%s has more than %d files", dir, mostFiles)}
	}
	return found, nil
}

// stale are the files below the folder of a service that are none of its objects, and none of
// another service.
func stale(tree lister, service string, own []promote.File, all []string) ([]string, error) {
	found, err := below(tree, service, nil)
	return slices.DeleteFunc(found, func(at string) bool {
		return path.Base(at) == metadata || slices.ContainsFunc(own, func(f promote.File) bool { return f.Path == at }) ||
			slices.ContainsFunc(all, func(other string) bool {
				return strings.HasPrefix(other, service+"/") && strings.HasPrefix(at, other+"/")
			})
	}), err
}

// metadata is where GitOps Promoter and Argo CD's hydrator look for what was rendered.
const metadata = "hydrator.metadata"

// changes are the files of a branch that have to be written, and those to be deleted.
func changes(to interface {
	lister
	ReadFile(name string) ([]byte, error)
}, rendered map[string][]promote.File, all []string, commit string) (list []promote.File, removed int, err error) {
	for _, service := range slices.Sorted(maps.Keys(rendered)) {
		old, err := stale(to, service, rendered[service], all)
		if err != nil {
			return nil, 0, err
		}
		for _, at := range old {
			list = append(list, promote.File{Path: at, Gone: true})
		}
		removed += len(old)
		more := append(slices.Clone(rendered[service]), promote.File{Path: path.Join(service, metadata), Data: []byte(`{"drySha": "` + commit + `"}` + "\n")})
		for _, f := range more {
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
