package git

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/fastimport"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// A commit needs no working tree, and may be on top of any commit. The files keep
// their modes, and nothing else changes.
func TestCommitTreeBare(t *testing.T) {
	t.Parallel()
	files := map[string]string{"run.sh": "1", "rest": "1", "back\\slash": "1"}
	for _, name := range awkward {
		files["odd/"+name] = "1"
	}
	r := newRepo(t, files)
	os.Chmod(filepath.Join(r.Root(), "run.sh"), 0o755)
	gitIn(t, r.Root(), "commit", "-q", "-a", "-m", "mode")
	parent := headOf(t, r)
	gitIn(t, r.Root(), "commit", "-q", "--allow-empty", "-m", "later")
	bare := filepath.Join(t.TempDir(), "bare")
	gitIn(t, t.TempDir(), "clone", "-q", "--bare", r.Root(), bare)
	delete(files, "rest")
	for name := range files {
		files[name] = "2\n" + name
	}
	c := fastimport.Commit{Parent: parent, Files: fileList(files), Message: "promote\n\nKey: value\n", Ref: "refs/promote/test",
		Author: "Ann <ann@example.com> 1700000000 +0130", Committer: "Robot <> 1700000001 -0000"}
	hash, list, err := fastimport.Make(t.Context(), bare, c)
	if err != nil || gitIn(t, bare, "rev-parse", c.Ref) != hash {
		t.Fatal(hash, err)
	}
	got := gitIn(t, bare, "cat-file", "commit", hash)
	tree := gitIn(t, bare, "rev-parse", hash+"^{tree}")
	if want := "tree " + tree + "\nparent " + parent + "\nauthor " + c.Author + "\ncommitter " + c.Committer + "\n\n" + strings.TrimSpace(c.Message); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for i, f := range c.Files {
		if now := gitIn(t, bare, "cat-file", "blob", list[i].Now); now != string(f.Data) {
			t.Errorf("%q: %q", f.Path, now)
		}
		if was := gitIn(t, bare, "cat-file", "blob", list[i].Was); was != "1" {
			t.Errorf("%q was %q", f.Path, was)
		}
		if mode := map[bool]string{true: "100755", false: "100644"}[f.Path == "run.sh"]; list[i].Mode != mode {
			t.Errorf("%q: mode %s", f.Path, list[i].Mode)
		}
	}
	changed := gitIn(t, bare, "diff-tree", "-r", "-z", "--name-status", parent, hash)
	if strings.Count(changed, "M\x00") != len(files) || strings.Count(changed, "\x00") != 2*len(files) {
		t.Errorf("changed: %q", changed)
	}
	if gitIn(t, bare, "rev-parse", "main") == hash {
		t.Error("a branch has moved")
	}
	gitIn(t, bare, "fsck", "--strict")
}

// What cannot be done leaves no reference, no report and no part of a pack.
func TestCommitTreeRefuses(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1", "dir/y": "1"})
	symlink(t, "x", filepath.Join(r.Root(), "link"))
	gitIn(t, r.Root(), "add", "link")
	gitIn(t, r.Root(), "commit", "-q", "-m", "link")
	who := "Ann <ann@example.com> 1700000000 +0000"
	good := fastimport.Commit{Parent: headOf(t, r), Files: fileList(map[string]string{"x": "2"}), Message: "m\n", Ref: r.tempRef(), Author: who, Committer: who}
	for what, change := range map[string]func(c *fastimport.Commit){
		"absent":    func(c *fastimport.Commit) { c.Files[0].Path = "absent" },
		"directory": func(c *fastimport.Commit) { c.Files[0].Path = "dir" },
		"link":      func(c *fastimport.Commit) { c.Files[0].Path = "link" },
		"parent":    func(c *fastimport.Commit) { c.Parent = strings.Repeat("1", 40) },
		"identity":  func(c *fastimport.Commit) { c.Author = "nobody" },
	} {
		c := good
		c.Files = []promote.File{c.Files[0]}
		change(&c)
		hash, _, err := fastimport.Make(t.Context(), r.gitDir, c)
		if hash != "" || err == nil {
			t.Errorf("%s: %q, %v", what, hash, err)
		}
		if kept := what == "parent" || what == "identity"; errors.Is(err, fastimport.ErrNotInParent) == kept {
			t.Errorf("%s: %v", what, err)
		}
		noTrace(t, r)
	}
	if hash, _, err := fastimport.Make(t.Context(), r.gitDir, good); err != nil || !gitcmd.IsHash(hash) {
		t.Error(hash, err)
	}
}

// A run that was killed leaves a reference at most, which the next run takes over.
func TestCommitManyAfterKill(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	d := delivery(t, r, manyFiles("2"))
	id, err := gitcmd.WhoCommits(t.Context(), r.top)
	if err != nil {
		t.Fatal(err)
	}
	_, list, err := fastimport.Make(t.Context(), r.gitDir, fastimport.Commit{Parent: d.Head, Files: d.Files, Message: "killed\n", Author: id.Author, Committer: id.Committer, Ref: r.tempRef(), Store: r.store})
	if err != nil {
		t.Fatal(err)
	}
	// It came as far as the index, and the files.
	var entries []string
	for i, f := range d.Files {
		entries = append(entries, list[i].Mode+" "+list[i].Now+"\t"+f.Path)
	}
	if err := r.stage(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	commitMany(t, r, manyFiles("2"))
	staysAsIs(t, r, "after a kill")
}

// While nothing leads to the commit but our reference, git does not clear it away.
func TestCommitTreeOutlivesRepack(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	tree := filepath.Join(t.TempDir(), "linked")
	gitIn(t, r.Root(), "worktree", "add", "-q", tree)
	linked := open(t, tree)
	d := delivery(t, linked, manyFiles("2"))
	id, err := gitcmd.WhoCommits(t.Context(), linked.top)
	if err != nil {
		t.Fatal(err)
	}
	hash, _, err := fastimport.Make(t.Context(), linked.gitDir, fastimport.Commit{Parent: d.Head, Files: d.Files, Message: "m\n", Author: id.Author, Committer: id.Committer, Ref: linked.tempRef(), Store: linked.store})
	if err != nil {
		t.Fatal(err)
	}
	gitIn(t, r.Root(), "repack", "-a", "-d", "-q")
	gitIn(t, r.Root(), "prune", "--expire=now")
	gitIn(t, r.Root(), "ls-tree", "-r", hash)
}
