//go:build unix

package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
)

// Opening a named pipe must not wait for somebody to write.
func TestReadPipe(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1"})
	if err := syscall.Mkfifo(filepath.Join(r.Root(), "pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	_, err := r.ReadFile("pipe")
	wantError(t, err, "pipe is not a regular file")
	_, err = r.ReadDir("pipe")
	wantError(t, err, "pipe is not a directory")
	wantError(t, r.Write(t.Context(), asFiles(map[string]string{"pipe": "x"})), "pipe is not a regular file")
}

func TestWriteWaitsForLock(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1"})
	other, err := os.Open(r.Root())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if ok, err := tryLock(other); !ok || err != nil {
		t.Fatal(ok, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Millisecond)
	defer cancel()
	files := asFiles(map[string]string{"x": "2"})
	err = r.Write(ctx, files)
	wantError(t, err, "wait for another promotion that writes here")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	time.AfterFunc(60*time.Millisecond, func() { other.Close() })
	if err := r.Write(t.Context(), files); err != nil || get(t, r.Root(), "x") != "2" {
		t.Error(err)
	}
}

// Cancelling ends git and its children, which have a group of their own.
func TestCancelKillsGroup(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil)
	pidFile := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for range 500 {
			if data, err := os.ReadFile(pidFile); err == nil && len(data) > 1 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	begin := time.Now()
	alias := "alias.slow=!trap '' TERM; sleep 60 & echo $! > '" + pidFile + "'; wait"
	_, err := r.run(ctx, call{op: "wait", args: []string{"-c", alias, "slow"}})
	if !errors.Is(err, context.Canceled) || time.Since(begin) > 8*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
	var pid int
	fmt.Sscan(get(t, filepath.Dir(pidFile), "pid"), &pid)
	for range 100 {
		if state, _ := exec.Command("ps", "-o", "stat=", "-p", fmt.Sprint(pid)).Output(); len(state) == 0 || state[0] == 'Z' {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("the child %d still runs", pid)
}

func TestWriteKeepsOwner(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1"})
	file := filepath.Join(r.Root(), "x")
	if err := os.Chown(file, 1234, 2345); err != nil {
		t.Skip(err)
	}
	if err := r.Write(t.Context(), []promote.File{{Path: "x", Data: []byte("2")}}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 1234 || stat.Gid != 2345 {
		t.Errorf("owner %d:%d", stat.Uid, stat.Gid)
	}
}
