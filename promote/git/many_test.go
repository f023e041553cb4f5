package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
)

// manyFiles are enough files for git fast-import, with awkward names.
func manyFiles(text string) map[string]string {
	files := map[string]string{`back\slash`: text, "\"quoted\"": text, " blank ": text}
	for _, name := range awkward {
		files[name], files["odd/"+name] = text, text
	}
	for i := range manyPaths {
		files[fmt.Sprintf("apps/s%d/overlays/production/kustomization.yaml", i)] = fmt.Sprint(text, i)
	}
	return files
}

func names(files map[string]string) []string {
	var paths []string
	for name := range files {
		paths = append(paths, name)
	}
	return paths
}

// counted gives one of the figures of git count-objects.
func counted(t *testing.T, r *Repo, what string) string {
	t.Helper()
	for line := range strings.Lines(gitIn(t, r.Root(), "count-objects", "-v")) {
		if n, ok := strings.CutPrefix(line, what+": "); ok {
			return strings.TrimSpace(n)
		}
	}
	t.Fatal("no", what)
	return ""
}

// noTrace checks that no file is left in the git directory but git's own.
func noTrace(t testing.TB, r *Repo) {
	t.Helper()
	for _, pattern := range []string{"kubepromote*", "*.lock", "fast_import_crash*", "../.git/objects/pack/*.keep", "../.git/objects/pack/tmp_*"} {
		if left, _ := filepath.Glob(filepath.Join(r.gitDir, pattern)); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
	if refs := gitIn(t, r.Root(), "for-each-ref", "refs/promote"); refs != "" {
		t.Errorf("left behind: %s", refs)
	}
}

// commitAll commits the files and checks that the commit holds what is stored
// of them, on top of the old head.
func commitAll(t *testing.T, r *Repo, files, stored map[string]string) {
	t.Helper()
	d := delivery(t, r, files)
	hash, err := r.Commit(t.Context(), d)
	if err != nil || headOf(t, r) != hash {
		t.Fatal(hash, err)
	}
	if parent := gitIn(t, r.Root(), "log", "-1", "--format=%P"); parent != d.Head {
		t.Errorf("parent %q, the head was %q", parent, d.Head)
	}
	noTrace(t, r)
	noLitter(t, r.Root())
	head, err := r.Committed(t.Context(), names(stored))
	if err != nil || len(head) != len(stored) {
		t.Fatalf("%d files of %d, %v", len(head), len(stored), err)
	}
	for name, want := range stored {
		if string(head[name]) != want {
			t.Errorf("%q: %q", name, head[name])
		}
	}
	gitIn(t, r.Root(), "fsck", "--strict")
}

func commitMany(t *testing.T, r *Repo, files map[string]string) {
	t.Helper()
	commitAll(t, r, files, files)
}

// All objects are in one pack. Had a path or a mode been stored otherwise than
// git sees it, the files would not be clean.
func TestCommitMany(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		dir := t.TempDir()
		if out, err := exec.Command("git", "init", "-q", "--object-format="+format, dir).CombinedOutput(); err != nil {
			t.Skipf("this git has one format of objects only: %v: %s", err, out)
		}
		gitIn(t, dir, "config", "user.name", "Ann")
		gitIn(t, dir, "config", "user.email", "ann@example.com")
		gitIn(t, dir, "config", "gc.auto", "0")
		put(t, dir, manyFiles("1"))
		put(t, dir, map[string]string{"rest": "1", "staged": "1", "apps/s1/overlays/production/beside": "1"})
		os.Chmod(filepath.Join(dir, "a b.yaml"), 0o755)
		gitIn(t, dir, "add", "-A")
		gitIn(t, dir, "commit", "-q", "-m", "first")
		gitIn(t, dir, "gc", "-q")
		put(t, dir, map[string]string{"rest": "2", "staged": "2", "new": "1"})
		gitIn(t, dir, "add", "staged")
		gitIn(t, dir, "gc", "-q", "--prune=now") // staged has a loose object, kept by the index
		loose := counted(t, open(t, dir), "count")
		r := open(t, dir)
		commitMany(t, r, manyFiles("2"))
		if now, packs := counted(t, r, "count"), counted(t, r, "packs"); now != loose || packs != "2" {
			t.Errorf("%s: %s loose objects of %s, %s packs", format, now, loose, packs)
		}
		if mode := gitIn(t, dir, "ls-tree", "HEAD", "a b.yaml"); !strings.HasPrefix(mode, "100755 ") {
			t.Errorf("mode %s", mode)
		}
		if left := gitIn(t, dir, "status", "--porcelain"); left != "M rest\nM  staged\n?? new" {
			t.Errorf("status %q", left)
		}
		if log := gitIn(t, dir, "reflog", "-1", "--format=%gs"); log != "commit: m" {
			t.Errorf("reflog %q", log)
		}
		if changed := gitIn(t, dir, "diff", "--name-only", "HEAD^", "HEAD", "--"); strings.Count(changed, "\n")+1 != len(manyFiles("")) {
			t.Errorf("changed: %s", changed)
		}
	}
}

// A file's new contents may be there already, and one object may be in many
// files.
func TestCommitManySizes(t *testing.T) {
	t.Parallel()
	files := manyFiles("1")
	r := newRepo(t, files)
	for name := range files {
		files[name] = strings.Repeat(name, (40<<10)/len(name))
	}
	files["a b.yaml"], files["HEAD"] = "", "1"
	put(t, r.Root(), map[string]string{"HEAD": "1", "a b.yaml": ""})
	commitMany(t, r, files)
	if left := gitIn(t, r.Root(), "status", "--porcelain"); left != "" {
		t.Errorf("status %q", left)
	}
}

// Not parallel: the environment is the process's.
func TestCommitManyNames(t *testing.T) {
	r := newRepo(t, manyFiles("1"))
	gitIn(t, r.Root(), "config", "committer.name", "Robot")
	t.Setenv("GIT_AUTHOR_NAME", "Bö <b>\nb")
	t.Setenv("GIT_AUTHOR_EMAIL", "b@example.com")
	t.Setenv("GIT_AUTHOR_DATE", "1700000000 +0130")
	commitMany(t, r, manyFiles("2"))
	if who := gitIn(t, r.Root(), "log", "-1", "--format=%an, %ae, %ad, %cn, %ce", "--date=raw"); who != "Bö bb, b@example.com, 1700000000 +0130, Robot, ann@example.com" {
		t.Errorf("who: %q", who)
	}
	if counted(t, r, "packs") != "1" {
		t.Error("no pack")
	}
}

// The first commit has nothing to build on, a linked work tree has its own git
// directory, and a head may be on no branch: none is a reason to fail.
func TestCommitManyUnbornLinkedDetached(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil)
	put(t, r.Root(), manyFiles("0"))
	gitIn(t, r.Root(), "add", "-A")
	commitMany(t, r, manyFiles("1"))
	first := headOf(t, r)
	tree := filepath.Join(t.TempDir(), "linked")
	gitIn(t, r.Root(), "worktree", "add", "-q", tree)
	linked := open(t, tree)
	commitMany(t, linked, manyFiles("2"))
	if headOf(t, r) != first || gitIn(t, tree, "rev-parse", "linked") != headOf(t, linked) {
		t.Error("another branch has moved")
	}
	gitIn(t, tree, "checkout", "-q", "--detach")
	commitMany(t, linked, manyFiles("3"))
	for _, dir := range []string{r.Root(), tree} {
		if left := gitIn(t, dir, "status", "--porcelain"); left != "" {
			t.Errorf("%s: status %q", dir, left)
		}
	}
}

// A commit made in between is kept, and so is what was staged.
func TestCommitManyHeadMoved(t *testing.T) {
	t.Parallel()
	files := manyFiles("1")
	files["rest"] = "1"
	r := newRepo(t, files)
	hash, d, err := commitWhileMoving(t, r, manyFiles("2"), "rest")
	moved := headOf(t, r)
	wantNotCommitted(t, r, d, hash, err, "is at "+moved[:9])
	if subject := gitIn(t, r.Root(), "log", "-1", "--format=%s"); subject != "other" {
		t.Errorf("the head is %q", subject)
	}
	if staged := gitIn(t, r.Root(), "diff", "--cached", "--stat"); staged != "" {
		t.Errorf("staged: %s", staged)
	}
	if branch := gitIn(t, r.Root(), "rev-parse", "main"); branch != moved {
		t.Errorf("main is %s, the head %s", branch, moved)
	}
}

// A file that somebody changes and commits in between keeps that change, and no
// other file is written.
func TestCommitFileChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for amount, files := range amounts {
		r := newRepo(t, files("1"))
		other := fileList(files("1"))[0].Path
		hash, d, err := commitWhileMoving(t, r, files("2"), other)
		wantError(t, err, "has been changed by somebody else in the meantime")
		if hash != "" || errors.As(err, new(*promote.NotCommitted)) {
			t.Errorf("%s: %q, %T", amount, hash, err)
		}
		for _, f := range d.Files {
			if got := get(t, r.Root(), f.Path); got == string(f.Data) || (got == "other") != (f.Path == other) {
				t.Errorf("%s: %q: %q", amount, f.Path, got)
			}
		}
		noLitter(t, r.Root())
		noTrace(t, r)
	}
}

// The head that was planned on is the one to build on, also for git commit.
func TestCommitFewHeadMoved(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1", "rest": "1"})
	hash, d, err := commitWhileMoving(t, r, map[string]string{"x": "2"}, "rest")
	if err == nil {
		t.Fatalf("committed %s on another head than %s", hash, d.Head)
	}
	wantNotCommitted(t, r, d, hash, err, "")
}

// commitWhileMoving has another commit, of one file, made just before the files
// are replaced.
func commitWhileMoving(t *testing.T, r *Repo, files map[string]string, other string) (string, promote.Delivery, error) {
	t.Helper()
	d := delivery(t, r, files)
	for i, f := range d.Files {
		d.Files[i].Old = []byte(get(t, r.Root(), f.Path))
	}
	d.Ready = func(context.Context) error {
		if err := os.WriteFile(filepath.Join(r.Root(), other), []byte("other"), 0o644); err != nil {
			return err
		}
		return exec.Command("git", "-C", r.Root(), "commit", "-q", "-m", "other", "--", other).Run()
	}
	hash, err := r.Commit(t.Context(), d)
	return hash, d, err
}

// Nobody commits in between what is staged for our commit: the branch is locked
// by then.
func TestCommitManyBranchIsLocked(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	put(t, r.Root(), map[string]string{"note": "1"})
	gitIn(t, r.Root(), "add", "note")
	once := filepath.Join(t.TempDir(), "once")
	hook(t, r, "post-index-change", "test -e '"+once+"' && exit 0\necho x > '"+once+"'\n"+
		"env -u GIT_INDEX_FILE git commit -q -m user 2>> '"+once+"'\nexit 0\n")
	commitMany(t, r, manyFiles("2"))
	if log := get(t, filepath.Dir(once), "once"); !strings.Contains(log, "lock") {
		t.Errorf("the other commit was not refused: %s", log)
	}
	if log := gitIn(t, r.Root(), "log", "--format=%s"); strings.Contains(log, "user") {
		t.Errorf("log %s", log)
	}
	if left := gitIn(t, r.Root(), "status", "--porcelain"); left != "A  note" {
		t.Errorf("status %q", left)
	}
}

// Where a file cannot be written, no objects are left behind.
func TestCommitManyNotWritten(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	if err := os.Chmod(filepath.Join(r.Root(), "HEAD"), 0o444); err != nil {
		t.Fatal(err)
	}
	packs, loose := counted(t, r, "packs"), counted(t, r, "count")
	_, err := r.Commit(t.Context(), delivery(t, r, manyFiles("2")))
	wantError(t, err, "HEAD is read-only")
	if counted(t, r, "packs") != packs || counted(t, r, "count") != loose {
		t.Error("objects are left behind")
	}
}
