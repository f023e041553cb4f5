//go:build unix

package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Opening a named pipe must not wait for somebody to write.
func TestPipe(t *testing.T) {
	t.Parallel()
	root := newDir(t, nil)
	if err := syscall.Mkfifo(filepath.Join(root.Name(), "pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	_, err := Read(root, "pipe")
	wantError(t, err, "pipe is not a regular file")
	wantError(t, Write(t.Context(), root, []File{{Path: "pipe"}}), "pipe is not a regular file")
}

func TestWriteWaitsForLock(t *testing.T) {
	t.Parallel()
	root := newDir(t, map[string]string{"x": "1"})
	list := []File{{Path: "x", Data: []byte("2")}}
	other, err := Begin(t.Context(), root, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Millisecond)
	defer cancel()
	err = Write(ctx, root, list)
	wantError(t, err, "wait for another promotion that writes here: took too long")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	time.AfterFunc(60*time.Millisecond, other.Close)
	if err := Write(t.Context(), root, list); err != nil || get(t, root, "x") != "2" {
		t.Error(err)
	}
}

func TestWriteKeepsOwner(t *testing.T) {
	t.Parallel()
	root := newDir(t, map[string]string{"x": "1"})
	if err := root.Chmod("x", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(root.Name(), "x"), 1234, 2345); err != nil {
		t.Skip(err)
	}
	if err := root.Chmod("x", 0o755|fs.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	if err := Write(t.Context(), root, []File{{Path: "x", Data: []byte("2")}}); err != nil {
		t.Fatal(err)
	}
	info, err := root.Stat("x")
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 1234 || stat.Gid != 2345 || info.Mode() != 0o755|fs.ModeSetuid {
		t.Errorf("owner %d:%d, mode %v", stat.Uid, stat.Gid, info.Mode())
	}
}

// In a directory like /tmp a file of somebody else can be written to but not
// replaced. That is known before the first file is replaced.
func TestKept(t *testing.T) {
	t.Parallel()
	const sticky = fs.ModeDir | fs.ModeSticky | 0o777
	for _, test := range []struct {
		mode            fs.FileMode
		dir, file, user uint32
		want            bool
	}{
		{sticky, 0, 7, 8, true}, {sticky, 0, 0, 8, true}, {sticky, 0, 8, 8, false}, {sticky, 8, 7, 8, false}, {sticky, 7, 7, 0, false},
		{fs.ModeDir | 0o777, 0, 7, 8, false},
	} {
		if got := kept(test.mode, test.dir, test.file, test.user); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
