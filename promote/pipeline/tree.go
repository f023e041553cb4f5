package pipeline

import "io/fs"

// Paths are slash-separated and relative to the repository's root everywhere in
// this package.

// Tree reads files. An implementation never follows a path or a symbolic link
// out of the repository: that is an error, not fs.ErrNotExist.
type Tree interface {
	// ReadFile gives a file's bytes, or an error that is fs.ErrNotExist.
	ReadFile(path string) ([]byte, error)
	// ReadAny reads the first of the names that is a file of the directory. The
	// error is fs.ErrNotExist where none is; Found.Have is set beside an error too.
	ReadAny(dir string, names []string) (Found, error)
	// ReadDir lists a directory, or gives an error that is fs.ErrNotExist.
	ReadDir(path string) ([]fs.DirEntry, error)
}

// Found is what a directory has of some names.
type Found struct {
	// Have are the names that it has, whatever they stand for.
	Have []string
	// Name is the one that was read, with its Data.
	Name string
	Data []byte
}
