package branch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Of more tags than are looked at none is the newest: they come by their names, and the newest
// version was among those that were left out.
func TestTooManyTags(t *testing.T) {
	dir := t.TempDir()
	gitIn(t, dir, "init", "-q")
	gitIn(t, dir, "commit", "-q", "--allow-empty", "-m", "one")
	head := gitIn(t, dir, "rev-parse", "HEAD")
	var packed strings.Builder
	packed.WriteString("# pack-refs with: sorted \n")
	for n := range 20_001 {
		fmt.Fprintf(&packed, "%s refs/tags/v1.0.%05d-dev\n", head, n+10_000)
	}
	if err := os.WriteFile(filepath.Join(dir, ".git", "packed-refs"), []byte(packed.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	clone, err := git.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer clone.Close()
	_, err = InClone(t.Context(), clone).Tags(t.Context(), pipeline.Place{Tag: "{version}-dev"}, nil)
	if err == nil || !strings.Contains(err.Error(), "more than 20000 tags fit {version}-dev") {
		t.Errorf("got %v", err)
	}
}
