package git

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// commitServed commits many files and tells whether the commit was made by git
// fast-import: git commit makes it a loose object.
func commitServed(t *testing.T, r *Repo) bool {
	t.Helper()
	loose := counted(t, r, "count")
	commitMany(t, r, manyFiles("2"))
	return counted(t, r, "count") == loose
}

// staysAsIs checks that git finds nothing to do, neither by the index alone nor by
// reading the files.
func staysAsIs(t *testing.T, r *Repo, what string) {
	t.Helper()
	if left := gitIn(t, r.Root(), "diff-files", "--name-only"); left != "" {
		t.Errorf("%s: by their state, these have changed: %q", what, left)
	}
	if left := gitIn(t, r.Root(), "diff-index", "--cached", "--name-only", "HEAD", "--"); left != "" {
		t.Errorf("%s: staged: %q", what, left)
	}
	if left := gitIn(t, r.Root(), "status", "--porcelain"); left != "" {
		t.Errorf("%s: status %q", what, left)
	}
	if tree, head := gitIn(t, r.Root(), "write-tree"), gitIn(t, r.Root(), "rev-parse", "--verify", "HEAD^{tree}"); tree != head {
		t.Errorf("%s: the index makes tree %s, the head has %s", what, tree, head)
	}
}

// Every form that an index has is kept, or left to git.
func TestIndexForms(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		config []string
		run    []string
		served bool
	}{
		"version 2":       {run: []string{"update-index", "--index-version=2"}, served: true},
		"version 3":       {run: []string{"add", "-N", "new"}, served: true},
		"version 4":       {run: []string{"update-index", "--index-version=4"}, served: true},
		"untracked cache": {run: []string{"update-index", "--untracked-cache"}, served: true},
		"ends, offsets": {config: []string{"index.recordEndOfIndexEntries=true", "index.recordOffsetTable=true", "index.threads=2"},
			run: []string{"update-index", "--force-write-index"}, served: true},
		"no cached trees": {run: []string{"read-tree", "HEAD"}, served: true},
		"split":           {run: []string{"update-index", "--split-index"}, served: true},
		"split by config": {config: []string{"core.splitIndex=true"}, run: []string{"update-index", "--split-index"}},
		"sparse":          {run: []string{"sparse-checkout", "set", "--cone", "--sparse-index", "apps", "odd", "ä"}},
		"no checksum":     {config: []string{"index.skipHash=true"}, run: []string{"update-index", "--force-write-index"}, served: true},
		"shared":          {config: []string{"core.sharedRepository=group"}, run: []string{"version"}, served: true},
		"file monitor":    {run: []string{"update-index", "--force-write-index", "--fsmonitor"}, served: true},
		"a hook":          {run: []string{"version"}},
	} {
		r := newRepo(t, manyFiles("1"))
		for _, c := range test.config {
			key, value, _ := strings.Cut(c, "=")
			gitIn(t, r.Root(), "config", key, value)
		}
		if what == "a hook" {
			hook(t, r, "post-index-change", "exit 0\n")
		}
		put(t, r.Root(), map[string]string{"new": "1"})
		gitIn(t, r.Root(), test.run...)
		if what != "version 3" {
			os.Remove(filepath.Join(r.Root(), "new"))
		}
		before := gitIn(t, r.Root(), "ls-files", "--stage", "new")
		if served := commitServed(t, r); served != test.served {
			t.Errorf("%s: served %v", what, served)
		}
		if what == "version 3" {
			if now := gitIn(t, r.Root(), "ls-files", "--stage", "new"); now != before {
				t.Errorf("%s: %q, was %q", what, now, before)
			}
			gitIn(t, r.Root(), "rm", "-q", "--cached", "new")
			os.Remove(filepath.Join(r.Root(), "new"))
		}
		staysAsIs(t, r, what)
	}
}

// A file that was changed in the second in which the index was written may look as
// it was, as long as the index is not younger. A new index must not hide it.
func TestIndexHidesNothing(t *testing.T) {
	t.Parallel()
	files := manyFiles("1")
	files["rest"], files["calm"] = "1", "1"
	r := newRepo(t, files)
	gitIn(t, r.Root(), "config", "core.trustctime", "false")
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	for _, name := range []string{"rest", "calm"} {
		if err := os.Chtimes(filepath.Join(r.Root(), name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	gitIn(t, r.Root(), "update-index", "--refresh")
	if err := os.WriteFile(filepath.Join(r.Root(), "rest"), []byte("2"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, when := range map[string]time.Time{"rest": at, ".git/index": at} {
		if err := os.Chtimes(filepath.Join(r.Root(), name), when, when); err != nil {
			t.Fatal(err)
		}
	}
	if !commitServed(t, r) {
		t.Error("not served")
	}
	if left := gitIn(t, r.Root(), "diff-files", "--name-only"); left != "rest" {
		t.Errorf("changed: %q", left)
	}
	if left := gitIn(t, r.Root(), "status", "--porcelain"); left != "M rest" {
		t.Errorf("status %q", left)
	}
}

// A promoted file that somebody writes into at once is seen as changed, though it
// has the same size and the clock may be too coarse to show it.
func TestIndexSeesLaterChange(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	gitIn(t, r.Root(), "config", "core.trustctime", "false")
	if !commitServed(t, r) {
		t.Error("not served")
	}
	put(t, r.Root(), map[string]string{"a b.yaml": "3"})
	if left := gitIn(t, r.Root(), "status", "--porcelain"); left != `M "a b.yaml"` {
		t.Errorf("status %q", left)
	}
}

// Where the files hold what is to be committed already, nothing is written, and
// their state is not known: git looks at them, and finds them unchanged.
func TestIndexOfWhatIsThere(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	put(t, r.Root(), manyFiles("2"))
	if !commitServed(t, r) {
		t.Error("not served")
	}
	staysAsIs(t, r, "what is there")
}

// An index that somebody changes in the meantime is not overwritten.
func TestIndexChangedMeanwhile(t *testing.T) {
	t.Parallel()
	files := manyFiles("1")
	files["rest"] = "1"
	r := newRepo(t, files)
	put(t, r.Root(), map[string]string{"rest": "2"})
	d := delivery(t, r, manyFiles("2"))
	d.Ready = func(context.Context) error {
		time.Sleep(50 * time.Millisecond) // the index has been read by then, mostly
		gitIn(t, r.Root(), "add", "rest")
		return nil
	}
	if _, err := r.Commit(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if staged := gitIn(t, r.Root(), "diff", "--cached", "--name-only"); staged != "rest" {
		t.Errorf("staged: %q", staged)
	}
	if left := gitIn(t, r.Root(), "status", "--porcelain"); left != "M  rest" {
		t.Errorf("status %q", left)
	}
	noTrace(t, r)
}
