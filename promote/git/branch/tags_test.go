package branch

import (
	"context"
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

// A tag that git had not signed, left by a run that was interrupted before it removed it, was
// pushed by the next one. It is removed whatever becomes of the command, and what is there
// without a signature is not pushed.
func TestUnsignedTag(t *testing.T) {
	bare := server(t)
	r := clone(t, bare)
	b := ofRemote(t, r)
	head := gitIn(t, r.Root(), "rev-parse", "HEAD")
	const message = "promote\n"
	gitIn(t, r.Root(), "tag", "-a", "-m", message, "v1-prod", head)
	gitIn(t, r.Root(), "config", "tag.gpgSign", "true")
	err := b.CreateTag(t.Context(), "v1-prod", head, message)
	wantError(t, err, "the tag could not be signed")
	if tags := gitIn(t, bare, "tag"); tags != "" {
		t.Errorf("pushed: %s", tags)
	}

	// The user stops it once the tag is made: nothing is left of it, and nothing is pushed.
	gitIn(t, r.Root(), "tag", "-d", "v1-prod")
	gitIn(t, r.Root(), "config", "tag.gpgSign", "false")
	err = b.CreateTag(&stopped{t.Context(), filepath.Join(r.Root(), ".git", "refs", "tags", "v1-prod")}, "v1-prod", head, message)
	wantError(t, err, "interrupted")
	if tags := gitIn(t, r.Root(), "tag") + gitIn(t, bare, "tag"); tags != "" {
		t.Errorf("left: %s", tags)
	}
}

// stopped is cancelled as soon as a file is there.
type stopped struct {
	context.Context
	file string
}

// Err implements [context.Context].
func (s *stopped) Err() error {
	if _, err := os.Stat(s.file); err == nil {
		return context.Canceled
	}
	return nil
}
