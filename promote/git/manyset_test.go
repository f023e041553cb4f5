package git

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeGPG signs anything and leaves a line about it in the file.
func fakeGPG(t *testing.T, r *Repo, seen string) {
	t.Helper()
	gpg := filepath.Join(t.TempDir(), "gpg")
	script := "#!/bin/sh\ncat > /dev/null\necho signed >> '" + seen + "'\necho '-----BEGIN PGP SIGNATURE-----'\n" +
		"echo '-----END PGP SIGNATURE-----'\nprintf '\\n[GNUPG:] SIG_CREATED D\\n' >&2\n"
	if err := os.WriteFile(gpg, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	gitIn(t, r.Root(), "config", "gpg.program", gpg)
	gitIn(t, r.Root(), "config", "commit.gpgSign", "true")
}

// What the user has set up works as ever: git commit makes the commit.
func TestCommitManyAsConfigured(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		set  func(t *testing.T, r *Repo, seen string)
		want string // in the commit
	}{
		"pre-commit": {func(t *testing.T, r *Repo, seen string) { hook(t, r, "pre-commit", "echo ran > '"+seen+"'\n") }, ""},
		"prepare-commit-msg": {func(t *testing.T, r *Repo, seen string) {
			hook(t, r, "prepare-commit-msg", "echo ran | tee '"+seen+"' >> $1\n")
		}, "\nran"},
		"commit-msg": {func(t *testing.T, r *Repo, seen string) {
			hook(t, r, "commit-msg", "echo ran | tee '"+seen+"' >> $1\n")
		}, "\nran"},
		"post-commit":           {func(t *testing.T, r *Repo, seen string) { hook(t, r, "post-commit", "echo ran > '"+seen+"'\n") }, ""},
		"reference-transaction": {func(t *testing.T, r *Repo, seen string) { hook(t, r, "reference-transaction", "cat >> '"+seen+"'\n") }, ""},
		"hooksPath": {func(t *testing.T, r *Repo, seen string) {
			dir := t.TempDir()
			hookIn(t, dir, "pre-commit", "echo ran > '"+seen+"'\n")
			gitIn(t, r.Root(), "config", "core.hooksPath", dir)
		}, ""},
		"signature": {fakeGPG, "\ngpgsig "},
		"encoding": {func(t *testing.T, r *Repo, seen string) {
			gitIn(t, r.Root(), "config", "i18n.commitEncoding", "ISO-8859-1")
			put(t, filepath.Dir(seen), map[string]string{"seen": "ran"})
		}, "\nencoding ISO-8859-1"},
	} {
		r := newRepo(t, manyFiles("1"))
		seen := filepath.Join(t.TempDir(), "seen")
		test.set(t, r, seen)
		commitMany(t, r, manyFiles("2"))
		if _, err := os.Stat(seen); err != nil {
			t.Errorf("%s: did not run", what)
		}
		commit := gitIn(t, r.Root(), "cat-file", "commit", "HEAD")
		if !strings.Contains(commit, test.want) || strings.Count(commit, "\nparent ") != 1 {
			t.Errorf("%s: %s", what, commit)
		}
		if left := gitIn(t, r.Root(), "status", "--porcelain"); left != "" {
			t.Errorf("%s: status %q", what, left)
		}
		if packs := counted(t, r, "packs"); packs != "0" {
			t.Errorf("%s: %s packs", what, packs)
		}
	}
}

// What is switched off, or has nothing to do with commits, is no reason for git
// to make the commit.
func TestCommitManyPlain(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	for _, off := range []string{"false", "No", "off", "0"} {
		gitIn(t, r.Root(), "config", "commit.gpgSign", off)
		gitIn(t, r.Root(), "config", "maintenance.auto", off)
		if user, err := r.settings(t.Context()); err != nil || !user.plain || user.maintain {
			t.Errorf("%s: %+v, %v", off, user, err)
		}
	}
	gitIn(t, r.Root(), "config", "--add", "commit.gpgSign", "true")
	gitIn(t, r.Root(), "config", "--add", "maintenance.auto", "true")
	if user, err := r.settings(t.Context()); err != nil || user.plain || !user.maintain {
		t.Errorf("the last value: %+v, %v", user, err)
	}
	gitIn(t, r.Root(), "config", "--unset-all", "commit.gpgSign")
	hook(t, r, "pre-push", "exit 1\n")
	hook(t, r, "pre-commit.sample", "exit 1\n")
	loose := counted(t, r, "count")
	commitMany(t, r, manyFiles("2"))
	if now := counted(t, r, "count"); now != loose {
		t.Errorf("%s loose objects, and now %s", loose, now)
	}
}

func TestCommitManyRefused(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"pre-commit": "echo no >&2\nexit 1\n", "commit-msg": "echo no >&2\nexit 1\n", "prepare-commit-msg": "echo no >&2\nexit 1\n",
	} {
		r := newRepo(t, manyFiles("1"))
		hook(t, r, name, script)
		d := delivery(t, r, manyFiles("2"))
		hash, err := r.Commit(t.Context(), d)
		wantNotCommitted(t, r, d, hash, err, "refused by git: no")
		if headOf(t, r) != d.Head || gitIn(t, r.Root(), "diff", "--cached", "--stat") != "" {
			t.Errorf("%s: the head or the index has changed", name)
		}
	}
	r := newRepo(t, manyFiles("1"))
	hook(t, r, "reference-transaction", "exit 1\n")
	d := delivery(t, r, manyFiles("2"))
	hash, err := r.Commit(t.Context(), d)
	wantNotCommitted(t, r, d, hash, err, "refused by git: ")
	if headOf(t, r) != d.Head {
		t.Error("the head has moved")
	}
}

// Where git stores a file otherwise than it is, git makes the commit. What it holds is
// compared with what git makes of the planned content: a commit that was right ended
// as an error.
func TestCommitManyConverted(t *testing.T) {
	t.Parallel()
	const filtered = "what is stored is what the filter makes"
	const one = "/apps/s3/overlays/production/kustomization.yaml"
	for what, test := range map[string]struct{ set, attribute, working, stored, filtered, packs string }{
		"autocrlf":            {"core.autocrlf=true", "", "x\r\n2", "x\n2", "", "0"},
		"crlf kept":           {"core.autocrlf=false", "", "x\r\n2", "x\r\n2", "", "0"},
		"autocrlf, lines end": {"core.autocrlf=true", "", "x\n2", "x\n2", "", "1"},
		"filter as it is":     {"filter.same.clean=cat", one + " filter=same\n", "x\n2", "x\n2", "", "0"},
		"unknown filter":      {"core.autocrlf=false", one + " filter=none\n", "x\n2", "x\n2", "", "0"},
		"filter":              {"filter.crypt.clean=tr a-z2-3 A-Z8-9", one + " filter=crypt\n", "tags\n2", "", filtered, "0"},
		"filter of all":       {"filter.same.clean=cat", "* filter=same\n", "x\n2", "x\n2", "", "0"},
		"encoding":            {"core.autocrlf=false", one + " working-tree-encoding=ISO-8859-1\n", "\xfc\n2", "", filtered, "0"},
		"ident":               {"core.autocrlf=false", one + " ident\n", "$Id: 1 $\n2", "", filtered, "0"},
	} {
		r := newRepo(t, manyFiles("1"))
		key, value, _ := strings.Cut(test.set, "=")
		gitIn(t, r.Root(), "config", key, value)
		gitIn(t, r.Root(), "config", "filter.crypt.smudge", "tr A-Z8-9 a-z2-3")
		put(t, r.Root(), map[string]string{".git/info/attributes": test.attribute})
		if test.filtered == "" {
			commitAll(t, r, manyFiles(test.working), manyFiles(test.stored))
		} else {
			hash, err := r.Commit(t.Context(), delivery(t, r, manyFiles(test.working)))
			if err != nil || hash == "" || hash != headOf(t, r) {
				t.Errorf("%s: commit %q, %v", what, hash, err)
			}
		}
		if packs := counted(t, r, "packs"); packs != test.packs {
			t.Errorf("%s: %s packs, want %s", what, packs, test.packs)
		}
		if left := gitIn(t, r.Root(), "status", "--porcelain"); left != "" {
			t.Errorf("%s: status %q", what, left)
		}
	}
}

// Files that the head does not have, or has as a link or a directory, are left to
// git commit.
func TestCommitManyOtherKinds(t *testing.T) {
	t.Parallel()
	files := manyFiles("1")
	r := newRepo(t, files)
	link := filepath.Join(r.Root(), "a b.yaml")
	os.Remove(link)
	symlink(t, "HEAD", link)
	os.Remove(filepath.Join(r.Root(), "HEAD"))
	put(t, r.Root(), map[string]string{"HEAD/x": "1"})
	gitIn(t, r.Root(), "rm", "-q", "--cached", `back\slash`)
	gitIn(t, r.Root(), "add", "-A", "a b.yaml", "HEAD")
	gitIn(t, r.Root(), "commit", "-q", "-m", "other kinds")
	gitIn(t, r.Root(), "add", "-N", `back\slash`)
	os.Remove(link)
	os.RemoveAll(filepath.Join(r.Root(), "HEAD"))
	put(t, r.Root(), map[string]string{"a b.yaml": "1", "HEAD": "1"})
	gitIn(t, r.Root(), "add", "-A", "HEAD")
	commitMany(t, r, manyFiles("2"))
	if mode := gitIn(t, r.Root(), "ls-tree", "HEAD", "a b.yaml"); !strings.HasPrefix(mode, "100644 ") {
		t.Errorf("mode %s", mode)
	}
	if left := gitIn(t, r.Root(), "status", "--porcelain"); left != "" {
		t.Errorf("status %q", left)
	}
}

// Links and files that are gone are refused before anything is written.
func TestCommitManyLinkOrGone(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	for want, change := range map[string]func(file string){
		"a b.yaml is a symbolic link":  func(file string) { os.Remove(file); symlink(t, "HEAD", file) },
		"write a b.yaml: no such file": func(file string) { os.Remove(file) },
	} {
		change(filepath.Join(r.Root(), "a b.yaml"))
		d := delivery(t, r, manyFiles("2"))
		_, err := r.Commit(t.Context(), d)
		wantError(t, err, want)
		if get(t, r.Root(), "HEAD") != "1" || headOf(t, r) != d.Head {
			t.Errorf("%s: something is written", want)
		}
		noLitter(t, r.Root())
	}
}

// What we make is what git would make: the same commit with a hook, which leaves
// it to git, has the same files and message, and leaves the same index.
func TestCommitManyLikeGit(t *testing.T) {
	t.Parallel()
	for what, prepare := range map[string]func(t *testing.T, r *Repo){
		"as it is":         func(t *testing.T, r *Repo) {},
		"mode changed":     func(t *testing.T, r *Repo) { os.Chmod(filepath.Join(r.Root(), "HEAD"), 0o755) },
		"assume unchanged": func(t *testing.T, r *Repo) { gitIn(t, r.Root(), "update-index", "--assume-unchanged", "HEAD") },
		"skip worktree":    func(t *testing.T, r *Repo) { gitIn(t, r.Root(), "update-index", "--skip-worktree", "HEAD") },
		"one of it staged": func(t *testing.T, r *Repo) {
			put(t, r.Root(), map[string]string{"HEAD": "staged"})
			gitIn(t, r.Root(), "add", "HEAD")
		},
	} {
		t.Run(what, func(t *testing.T) {
			both := inBothWays(t, prepare, "promote\n")
			if both[0] != both[1] {
				t.Errorf("ours:\n%s\ngit's:\n%s", both[0], both[1])
			}
		})
	}
}

func TestCommitManyMessages(t *testing.T) {
	t.Parallel()
	for _, message := range append(oddMessages, "not UTF-8: \xfc\n") {
		if strings.TrimSpace(message) == "" {
			continue
		}
		if both := inBothWays(t, func(*testing.T, *Repo) {}, message); both[0] != both[1] {
			t.Errorf("%q: ours:\n%s\ngit's:\n%s", message, both[0], both[1])
		}
	}
}

// inBothWays commits, and tells what came of it, without and with a hook.
func inBothWays(t *testing.T, prepare func(*testing.T, *Repo), message string) [2]string {
	t.Helper()
	var got [2]string
	for i := range got {
		r := newRepo(t, manyFiles("1"))
		prepare(t, r)
		if i == 1 {
			hook(t, r, "pre-commit", "exit 0\n")
		}
		d := delivery(t, r, manyFiles("2"))
		d.Message = message
		if hash, err := r.Commit(t.Context(), d); err != nil {
			// The time is in the commit's name.
			got[i] = "error: " + strings.ReplaceAll(err.Error(), hash[:min(9, len(hash))], "COMMIT") + "\n"
		}
		commit, err := exec.Command("git", "-C", r.Root(), "cat-file", "commit", "HEAD").Output()
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(string(commit), "\n\n")
		got[i] += "tree " + gitIn(t, r.Root(), "rev-parse", "HEAD^{tree}") + "\nstatus " + gitIn(t, r.Root(), "status", "--porcelain") +
			"\nreflog " + gitIn(t, r.Root(), "reflog", "-1", "--format=%gs") + "\n" + text
	}
	return got
}

// While a merge is not finished git makes no commit of some files, and a commit
// of ours would lose the merge's other parent.
func TestCommitWhileMerging(t *testing.T) {
	t.Parallel()
	for amount, files := range amounts {
		t.Run(amount, func(t *testing.T) {
			r := newRepo(t, files("1"))
			gitIn(t, r.Root(), "checkout", "-q", "-b", "other")
			gitIn(t, r.Root(), "commit", "-q", "--allow-empty", "-m", "other")
			gitIn(t, r.Root(), "checkout", "-q", "main")
			gitIn(t, r.Root(), "merge", "-q", "--no-ff", "--no-commit", "other")
			d := delivery(t, r, files("2"))
			hash, err := r.Commit(t.Context(), d)
			wantNotCommitted(t, r, d, hash, err, "cannot do a partial commit during a merge")
		})
	}
}
