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

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
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
	wantError(t, r.Write(t.Context(), fileList(map[string]string{"pipe": "x"})), "pipe is not a regular file")
}

// Git would wait for a named pipe that stands for its index.
func TestIndexIsPipe(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1"})
	os.Remove(r.index)
	if err := syscall.Mkfifo(r.index, 0o600); err != nil {
		t.Skip(err)
	}
	_, err := r.State(t.Context(), []string{"x"})
	wantError(t, err, "git's index is not a regular file")
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
	_, err := r.run(ctx, gitcmd.Call{Op: "wait", Args: []string{"-c", alias, "slow"}})
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
