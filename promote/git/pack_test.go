package git

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// manyFiles are enough files for their objects to be packed, with awkward names.
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

// noTrace checks that nothing is left of the packing but the pack.
func noTrace(t *testing.T, r *Repo) {
	t.Helper()
	if refs := gitIn(t, r.Root(), "for-each-ref", "--format=%(refname)"); strings.Contains(refs, "kubepromote") {
		t.Errorf("references: %s", refs)
	}
	if log := gitIn(t, r.Root(), "log", "--all", "--reflog", "--format=%s"); strings.Contains(log, "objects for") {
		t.Errorf("log: %s", log)
	}
	for _, pattern := range []string{"kubepromote*", "fast_import*", "refs/kubepromote*", "logs/refs/kubepromote*"} {
		if left, _ := filepath.Glob(filepath.Join(r.gitDir, pattern)); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
}

func commitMany(t *testing.T, r *Repo, files map[string]string) {
	t.Helper()
	hash, err := r.Commit(t.Context(), names(files), "m")
	if err != nil || gitIn(t, r.Root(), "rev-parse", "HEAD") != hash {
		t.Fatal(hash, err)
	}
	noTrace(t, r)
	head, err := r.Committed(t.Context(), names(files))
	if err != nil || len(head) != len(files) {
		t.Fatalf("%d files of %d, %v", len(head), len(files), err)
	}
	for name, want := range files {
		if string(head[name]) != want {
			t.Errorf("%q: %q", name, head[name])
		}
	}
	gitIn(t, r.Root(), "fsck", "--strict")
}

// All objects are in one pack, but for the commit: had a path or a mode been
// told to git otherwise than git commit sees it, there would be other trees.
func TestCommitMany(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		dir := t.TempDir()
		if out, err := exec.Command("git", "init", "-q", "--object-format="+format, dir).CombinedOutput(); err != nil {
			t.Skipf("%v: %s", err, out)
		}
		gitIn(t, dir, "config", "user.name", "Ann")
		gitIn(t, dir, "config", "user.email", "ann@example.com")
		gitIn(t, dir, "config", "gc.auto", "0")
		put(t, dir, manyFiles("1"))
		put(t, dir, map[string]string{"rest": "1", "staged": "1"})
		script := filepath.Join(dir, "a b.yaml")
		os.Chmod(script, 0o755)
		gitIn(t, dir, "add", "-A")
		gitIn(t, dir, "commit", "-q", "-m", "first")
		gitIn(t, dir, "gc", "-q")
		put(t, dir, map[string]string{"rest": "2"})
		put(t, dir, manyFiles("2"))
		r := open(t, dir)
		commitMany(t, r, manyFiles("2"))
		if loose, packs := counted(t, r, "count"), counted(t, r, "packs"); loose != "1" || packs != "2" {
			t.Errorf("%s: %s loose objects, %s packs", format, loose, packs)
		}
		if mode := gitIn(t, dir, "ls-tree", "HEAD", "a b.yaml"); !strings.HasPrefix(mode, "100755 ") {
			t.Errorf("mode %s", mode)
		}
		if left := gitIn(t, dir, "status", "--porcelain"); left != "M rest" {
			t.Errorf("status %q", left)
		}
	}
}

// The first commit has nothing to build on, a linked work tree has its own git
// directory: neither is a reason to fail.
func TestCommitManyUnbornAndLinked(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil)
	files := manyFiles("1")
	put(t, r.Root(), files)
	gitIn(t, r.Root(), "add", "-A")
	commitMany(t, r, files)
	tree := filepath.Join(t.TempDir(), "linked")
	gitIn(t, r.Root(), "worktree", "add", "-q", tree)
	put(t, tree, manyFiles("2"))
	commitMany(t, open(t, tree), manyFiles("2"))
}

// What the user has set up works as ever: a hook that refuses, a hook that looks
// at references, a signature.
func TestCommitManyAsConfigured(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	put(t, r.Root(), manyFiles("2"))
	before := gitIn(t, r.Root(), "rev-parse", "HEAD")
	hook(t, r, "pre-commit", "echo no\nexit 1\n")
	_, err := r.Commit(t.Context(), names(manyFiles("")), "m")
	wantError(t, err, "refused by git: no")
	noTrace(t, r)
	if gitIn(t, r.Root(), "rev-parse", "HEAD") != before {
		t.Error("committed in spite of the hook")
	}
	hook(t, r, "pre-commit", "exit 0\n")
	seen := filepath.Join(t.TempDir(), "seen")
	hook(t, r, "reference-transaction", "cat >> '"+seen+"'\n")
	gpg := filepath.Join(t.TempDir(), "gpg")
	script := "#!/bin/sh\ncat > /dev/null\necho signed >> '" + seen + "'\necho '-----BEGIN PGP SIGNATURE-----'\n" +
		"echo '-----END PGP SIGNATURE-----'\nprintf '\\n[GNUPG:] SIG_CREATED D\\n' >&2\n"
	if err := os.WriteFile(gpg, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	gitIn(t, r.Root(), "config", "gpg.program", gpg)
	gitIn(t, r.Root(), "config", "commit.gpgSign", "true")
	commitMany(t, r, manyFiles("2"))
	log, err := os.ReadFile(seen)
	if err != nil || strings.Contains(string(log), "kubepromote") || strings.Count(string(log), "signed") != 1 {
		t.Errorf("%s, %v", log, err)
	}
	if commit := gitIn(t, r.Root(), "cat-file", "commit", "HEAD"); !strings.Contains(commit, "gpgsig ") || strings.Count(commit, "parent ") != 1 {
		t.Errorf("not signed: %s", commit)
	}
}

// Where git stores files otherwise than they are, nothing is packed for it.
func TestCommitManyConverted(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct{ set, attribute, working, stored string }{
		"autocrlf":            {"core.autocrlf=true", "", "x\r\n2", "x\n2"},
		"autocrlf, lines end": {"core.autocrlf=true", "", "x\n2", "x\n2"},
		"filter":              {"filter.up.clean=tr a-z A-Z", "* filter=up\n", "x\n2", "X\n2"},
		"encoding":            {"core.autocrlf=false", "* working-tree-encoding=ISO-8859-1\n", "\xfc\n2", "ü\n2"},
	} {
		r := newRepo(t, manyFiles("1"))
		key, value, _ := strings.Cut(test.set, "=")
		gitIn(t, r.Root(), "config", key, value)
		put(t, r.Root(), map[string]string{".git/info/attributes": test.attribute})
		put(t, r.Root(), manyFiles(test.working))
		commitMany(t, r, manyFiles(test.stored))
		if packs, want := counted(t, r, "packs"), strings.Count(what, ","); packs != fmt.Sprint(want) {
			t.Errorf("%s: %s packs, want %d", what, packs, want)
		}
		if left := gitIn(t, r.Root(), "status", "--porcelain"); left != "" {
			t.Errorf("%s: status %q", what, left)
		}
	}
}

// Links, directories and files that are gone are left to git commit.
func TestCommitManyOtherKinds(t *testing.T) {
	t.Parallel()
	files := manyFiles("1")
	r := newRepo(t, files)
	if err := os.Remove(filepath.Join(r.Root(), "a b.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Commit(t.Context(), names(files), "m"); err != nil {
		t.Fatal(err)
	}
	symlink(t, "HEAD", filepath.Join(r.Root(), "a b.yaml"))
	gitIn(t, r.Root(), "add", "-N", "a b.yaml")
	if _, err := r.Commit(t.Context(), names(files), "m"); err != nil {
		t.Fatal(err)
	}
	noTrace(t, r)
	if mode := gitIn(t, r.Root(), "ls-tree", "HEAD", "a b.yaml"); !strings.HasPrefix(mode, "120000 ") {
		t.Errorf("mode %s", mode)
	}
}
