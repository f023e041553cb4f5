package files

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A full disk is one clear error, and nothing has changed.
func TestWriteDiskFull(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 20} {
		dir := t.TempDir()
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
			t.Skip("cannot mount:", err)
		}
		defer unix.Unmount(dir, unix.MNT_DETACH)
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		var list []File
		for i := range n {
			name := fmt.Sprintf("f%d", i)
			put(t, root, map[string]string{name: "1"})
			list = append(list, File{Path: name, Data: []byte(strings.Repeat("x", 400<<10/n))})
		}
		err = Write(t.Context(), root, list)
		wantError(t, err, "no space left on device")
		wantError(t, err, "write f")
		var e *Error
		if !errors.As(err, &e) || e.Hint != "df -h ." || !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%+v", e)
		}
		noLitter(t, root)
		for _, f := range list {
			if got := get(t, root, f.Path); got != "1" {
				t.Errorf("%s has %d bytes", f.Path, len(got))
			}
		}
	}
}

// A file system that cannot exchange two files is served as well.
func TestExchange(t *testing.T) {
	t.Parallel()
	root := newDir(t, map[string]string{"a": "1", "b": "2"})
	if done, err := exchange(root, "a", "b"); err != nil || !done {
		t.Skip(done, err)
	}
	if got := get(t, root, "a") + get(t, root, "b"); got != "21" {
		t.Errorf("%q", got)
	}
	if _, err := exchange(root, "a", "none"); !os.IsNotExist(err) {
		t.Error(err)
	}
}
