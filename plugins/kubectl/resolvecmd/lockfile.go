package resolvecmd

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"github.com/kubepromote/kubepromote/digest/lock"
	"github.com/kubepromote/kubepromote/internal/files"
	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
)

// lockFile is a lock on disk: ours, or an ImagesLock as kbld writes it.
type lockFile struct {
	path string
	lock *lock.Lock
	data []byte // nil where there is no such file yet
	// images is the file's content where it is an ImagesLock, else nil.
	images *lock.ImagesLock
	// unnamed are the images of an ImagesLock that do not say which reference
	// they were resolved from, so that nothing can be answered from them.
	unnamed []string
}

// maxLockFile is just more than what the digest package takes.
const maxLockFile = 16<<20 + 1

// openLock reads a lock file. One that is missing is empty if it may be.
func openLock(path string, mayBeMissing bool) (*lockFile, error) {
	data, err := cli.ReadUpTo(path, maxLockFile)
	if errors.Is(err, fs.ErrNotExist) {
		if !mayBeMissing {
			return nil, &promote.Error{Msg: path, Err: fs.ErrNotExist, Hint: "kubectl promote resolve REF... --lock " + shell.Path(path)}
		}
		l := &lockFile{path: path, lock: &lock.Lock{}}
		if ext := filepath.Ext(path); ext == ".yaml" || ext == ".yml" {
			l.images = &lock.ImagesLock{}
		}
		return l, nil
	}
	if err != nil {
		return nil, cli.FileError(err)
	}
	l := &lockFile{path: path, data: data}
	if bytes.HasPrefix(data, []byte("images.lock")) || !bytes.Contains(data, []byte("ImagesLock")) {
		l.lock, err = lock.ParseLock(filepath.ToSlash(path), data)
		return l, err
	}
	if l.images, err = lock.ParseImagesLock(filepath.ToSlash(path), data); err != nil {
		return nil, err
	}
	if l.lock, l.unnamed, err = l.images.Lock(); err != nil {
		return nil, &promote.Error{Msg: path, Err: err}
	}
	return l, nil
}

// bytes is the file as it shall be. An ImagesLock of which nothing changes stays
// as it is written.
func (l *lockFile) bytes() ([]byte, error) {
	if l.images == nil {
		return l.lock.Bytes(), nil
	}
	updated, err := l.images.Update(l.lock)
	if err != nil {
		return nil, err
	}
	if l.data != nil && reflect.DeepEqual(updated, l.images) {
		return l.data, nil
	}
	return updated.Bytes()
}

// save writes the lock where it has changed, as a whole or not at all.
func (l *lockFile) save(ctx context.Context) (changed bool, err error) {
	data, err := l.bytes()
	if err != nil || bytes.Equal(data, l.data) {
		return false, err
	}
	if l.data == nil {
		return true, createFile(l.path, data)
	}
	root, err := os.OpenRoot(filepath.Dir(l.path))
	if err != nil {
		return false, cli.FileError(err)
	}
	defer root.Close()
	return true, files.Write(ctx, root, []files.File{{Path: filepath.Base(l.path), Data: data, Old: l.data}})
}

// createFile writes a new file, durably; it never replaces one.
func createFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return cli.FileError(err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(cli.FileError(err), os.Remove(path))
	}
	return nil
}
