package gitcmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A run that was killed cannot remove its temporary files. The next one does, and leaves
// those of a run that goes on. Before, they stayed in the system's own directory for good.
func TestTemporary(t *testing.T) {
	dir := t.TempDir()
	ended := exec.Command("git", "version")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{ended.Process.Pid, os.Getpid()} {
		if err := os.MkdirAll(filepath.Join(dir, fmt.Sprintf("kubepromote-index-%d-1", pid)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	made, err := os.MkdirTemp(dir, Temporary(dir, "index"))
	if err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 || filepath.Dir(made) != dir {
		t.Errorf("%v, %v, made %s", left, err, made)
	}
}
