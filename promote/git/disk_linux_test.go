package git

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubepromote/kubepromote/promote"
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
		var files []promote.File
		for i := range n {
			name := fmt.Sprintf("f%d", i)
			put(t, dir, map[string]string{name: "1"})
			files = append(files, promote.File{Path: name, Data: []byte(strings.Repeat("x", 400<<10/n))})
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		err = WriteFiles(t.Context(), root, files)
		root.Close()
		wantError(t, err, "no space left on device")
		wantError(t, err, "write f")
		var e *Error
		if !errors.As(err, &e) || e.Hint != "df -h ." || !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%+v", e)
		}
		noLitter(t, dir)
		for _, f := range files {
			if got := get(t, dir, f.Path); got != "1" {
				t.Errorf("%s has %d bytes", f.Path, len(got))
			}
		}
	}
}
