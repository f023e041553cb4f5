package git

import (
	"errors"
	"os"
)

// tree is a directory with everything below it. The root serves every path and
// never leads out, but opens each element of a path for each operation. Most
// paths are plain: no symbolic link is on the way. The methods whose names end
// in Plain reach those by one system call, on systems that have one for it, and
// say so; what they do not serve goes through the root, which also finds the
// words for what is wrong.
type tree struct {
	*os.Root
	handle *os.File // the same directory
}

// errNotPlain says that the root has to serve the path.
var errNotPlain = errors.New("not a plain path")

func newTree(root *os.Root) (*tree, error) {
	handle, err := root.Open(".")
	if err != nil {
		return nil, fileError("open", root.Name(), err)
	}
	return &tree{Root: root, handle: handle}, nil
}

// Close closes the root too.
func (t *tree) Close() error {
	err := t.Root.Close()
	if herr := t.handle.Close(); err == nil {
		err = herr
	}
	return err
}
