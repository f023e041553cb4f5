package git

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
)

// commitServed commits many files and tells whether the commit was made without
// git commit, which makes it a loose object.
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
		"split":           {run: []string{"update-index", "--split-index"}},
		"no checksum":     {config: []string{"index.skipHash=true"}, run: []string{"update-index", "--force-write-index"}},
		"shared":          {config: []string{"core.sharedRepository=group"}, run: []string{"version"}},
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
		if served := commitServed(t, r); served != test.served && what != "no checksum" { // an older git writes one
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

// What git remembers of the trees is the new trees': it need not make them anew.
// A directory where something is staged has none, before and after.
func TestIndexTrees(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	put(t, r.Root(), map[string]string{"apps/s1/new": "1"})
	gitIn(t, r.Root(), "add", "apps/s1/new")
	if !commitServed(t, r) {
		t.Error("not served")
	}
	if staged := gitIn(t, r.Root(), "diff", "--cached", "--name-only"); staged != "apps/s1/new" {
		t.Errorf("staged: %q", staged)
	}
	gitIn(t, r.Root(), "commit", "-q", "-m", "new")
	files := manyFiles("3")
	commitMany(t, r, files)
	data, err := os.ReadFile(filepath.Join(r.gitDir, "index"))
	if err != nil {
		t.Fatal(err)
	}
	top := directories(asFiles(files))
	if x := readIndex(data, r.newHash, top); x == nil {
		t.Fatal("not read")
	}
	if want := gitIn(t, r.Root(), "rev-parse", "HEAD:apps/s1/overlays"); fmt.Sprintf("%x", data[top.below["apps"].below["s1"].below["overlays"].cached.at:][:20]) != want {
		t.Error("remembers another tree than ", want)
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

// A promoted file that somebody writes into at once is seen as changed, even if the
// clock is too coarse to show it: the index keeps its time.
func TestIndexSeesLaterChange(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	gitIn(t, r.Root(), "config", "core.trustctime", "false")
	index, file := filepath.Join(r.gitDir, "index"), filepath.Join(r.Root(), "a b.yaml")
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(index, at, at); err != nil {
		t.Fatal(err)
	}
	if !commitServed(t, r) {
		t.Error("not served")
	}
	if info, err := os.Stat(index); err != nil || !info.ModTime().Equal(at) {
		t.Errorf("%v, %v", info.ModTime(), err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("3"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
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

// A run that was killed while it had the index leaves git's lock, which the next
// run knows as its own.
func TestIndexLockLeft(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	index := filepath.Join(r.gitDir, "index")
	staged := filepath.Join(r.gitDir, stagedName+"1")
	if err := os.WriteFile(staged, []byte("an index"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(staged, r.lockName()); err != nil {
		t.Skip("no hard links here: ", err)
	}
	commitMany(t, r, manyFiles("2"))
	staysAsIs(t, r, "after a kill")
	// The run was killed a moment later.
	if err := os.Link(index, r.lockName()); err != nil {
		t.Fatal(err)
	}
	commitMany(t, r, manyFiles("3"))
	staysAsIs(t, r, "after a later kill")
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

// FuzzIndex reads any bytes. What is not exchanged stays, and what the new index
// says of the files is read again from it.
func FuzzIndex(f *testing.F) {
	for _, version := range []string{"2", "4"} {
		r := newRepo(f, map[string]string{"a": "1", "b/c": "1", "b/d/e": "1", "b/d/f": "1"})
		gitIn(f, r.Root(), "update-index", "--index-version="+version)
		data, err := os.ReadFile(filepath.Join(r.gitDir, "index"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:len(data)-sha1.Size])
	}
	f.Add([]byte("DIRC\x00\x00\x00\x02\x00\x00\x00\x00TREE\x00\x00\x00\x06\x000 99\n"))
	// A count that is larger than all entries.
	entry := strings.Repeat("\x00", indexMode) + "\x00\x00\x81\xa4" + strings.Repeat("\x00", 32)
	id := strings.Repeat("i", 20)
	f.Add([]byte("DIRC\x00\x00\x00\x02\x00\x00\x00\x02" + entry + "\x00\x01a\x00" + entry + "\x00\x03b/c" + strings.Repeat("\x00", 7) +
		"TREE\x00\x00\x00\x45\x002 1\n" + id + "b\x009223372036854775807 0\n" + id))
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha1.Sum(body)
		data := append(bytes.Clone(body), sum[:]...)
		files := []promote.File{{Path: "a"}, {Path: "b/d/e"}}
		top := directories(files)
		x := readIndex(data, sha1.New, top)
		if x == nil {
			return
		}
		id, other := bytes.Repeat([]byte("i"), 20), bytes.Repeat([]byte("j"), 20)
		for _, dir := range []*directory{top, top.below["b"], top.below["b"].below["d"]} {
			if dir.was, dir.now = other, other; dir.cached != nil && dir.cached.count >= 0 {
				dir.was = bytes.Clone(x.nameOf(dir.cached))
			}
			x.readTree(dir)
		}
		for _, e := range x.entries {
			for _, f := range top.leaves(map[string]*leaf{}) {
				if string(e.name) == f.Path {
					f.mode, f.was, f.now = "100644", bytes.Clone(data[e.at+indexHash:][:20]), id
				}
			}
		}
		if !x.exchange() {
			return
		}
		out, err := x.finish(map[string]fileStat{"a": {size: 7, mtime: 9}})
		if err != nil || len(out) != len(body)+sha1.Size {
			t.Fatalf("%d bytes become %d, %v", len(body), len(out), err)
		}
		again := readIndex(out, sha1.New, directories(files))
		if again == nil || len(again.entries) != len(x.entries) {
			t.Fatal("not read again")
		}
		for i, e := range again.entries {
			was := x.entries[i]
			if e.at != was.at || !bytes.Equal(e.name, was.name) {
				t.Fatalf("%+v, was %+v", e, was)
			}
			if f := x.leaves[string(e.name)]; f == nil && !bytes.Equal(out[e.at:][:indexHash+20], body[e.at:][:indexHash+20]) {
				t.Fatalf("%q has changed", e.name)
			} else if f != nil && !bytes.Equal(out[e.at+indexHash:][:20], id) {
				t.Fatalf("%q has not changed", e.name)
			}
		}
	})
}
