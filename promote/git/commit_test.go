package git

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

func TestCommit(t *testing.T) {
	t.Parallel()
	files := map[string]string{"sub/x": "1", "other": "1", "rest": "1"}
	for _, name := range awkward {
		files[name] = "1"
	}
	r := newRepo(t, files)
	dir := r.Root()
	sub := open(t, filepath.Join(dir, "sub"))
	put(t, dir, map[string]string{"other": "2", "rest": "2"})
	gitIn(t, dir, "add", "other")
	changed := map[string]string{"sub/x": "2"}
	for _, name := range awkward {
		changed[name] = "2"
	}
	d := delivery(t, r, changed)
	d.Message = "promote cart\n\n# not a comment\n\nKey: value"
	hash, err := sub.Commit(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if got := gitIn(t, dir, "rev-parse", "HEAD"); got != hash {
		t.Errorf("%q, head is %q", hash, got)
	}
	if got := gitIn(t, dir, "log", "-1", "--format=%B"); got != d.Message {
		t.Errorf("message %q", got)
	}
	state, err := r.State(t.Context(), append(names(changed), "other", "rest"))
	if err != nil || len(state.Dirty) != 2 || state.Dirty["other"] != "staged" || state.Dirty["rest"] != "modified" {
		t.Errorf("%+v, %v", state, err)
	}
	noTrace(t, r)
	noLitter(t, dir)
}

// twoFiles are for git commit to commit, manyFiles for a pack.
func twoFiles(text string) map[string]string { return map[string]string{"x": text, "sub/y": text} }

var amounts = map[string]func(text string) map[string]string{"few": twoFiles, "many": manyFiles}

// untouched checks that all is as it was when the repository was made.
func untouched(t *testing.T, r *Repo, files map[string]string, head, index string) {
	t.Helper()
	for name, want := range files {
		if got := get(t, r.Root(), name); got != want {
			t.Errorf("%q is written: %q", name, got)
		}
	}
	if got := headOf(t, r); got != head {
		t.Errorf("the head was %s and is %s", head, got)
	}
	if got := indexOf(t, r); got != index {
		t.Errorf("the index was %s and is %s", index, got)
	}
	// Without locks, as git would write the index anew.
	if left := gitIn(t, r.Root(), "--no-optional-locks", "status", "--porcelain"); left != "" {
		t.Errorf("status %q", left)
	}
	noLitter(t, r.Root())
	noTrace(t, r)
}

func TestCommitRefuses(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for amount, files := range amounts {
		r := newRepo(t, files("1"))
		head, index := headOf(t, r), indexOf(t, r)
		for want, change := range map[string]func(d *promote.Delivery){
			"no files to commit":                 func(d *promote.Delivery) { d.Files = nil },
			"the commit message is empty":        func(d *promote.Delivery) { d.Message = " \n\t\n" },
			"the commit message has a zero byte": func(d *promote.Delivery) { d.Message = "a\x00b" },
			"is to be written twice":             func(d *promote.Delivery) { d.Files = append(d.Files, d.Files[0]) },
			"leads out of the repository":        func(d *promote.Delivery) { d.Files[0].Path = "../x" },
			"belongs to git":                     func(d *promote.Delivery) { d.Files[0].Path = ".git/config" },
			"write absent: no such file":         func(d *promote.Delivery) { d.Files[0].Path = "absent" },
			"has been changed by somebody else":  func(d *promote.Delivery) { d.Files[0].Old = []byte("0") },
		} {
			d := delivery(t, r, files("2"))
			change(&d)
			hash, err := r.Commit(t.Context(), d)
			wantError(t, err, want)
			var written *promote.NotCommitted
			if hash != "" || errors.As(err, &written) {
				t.Errorf("%s, %s: %q, %T", amount, want, hash, err)
			}
			untouched(t, r, files("1"), head, index)
		}
		if _, err := r.Commit(canceled, delivery(t, r, files("2"))); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", amount, err)
		}
		untouched(t, r, files("1"), head, index)
	}
}

// A file that git does not know is written, and then git refuses it.
func TestCommitUntracked(t *testing.T) {
	t.Parallel()
	for amount, files := range amounts {
		r := newRepo(t, files("1"))
		put(t, r.Root(), map[string]string{"new": "1"})
		changed := files("2")
		changed["new"] = "2"
		d := delivery(t, r, changed)
		hash, err := r.Commit(t.Context(), d)
		wantNotCommitted(t, r, d, hash, err, "pathspec 'new' did not match")
		if headOf(t, r) != d.Head || gitIn(t, r.Root(), "diff", "--cached") != "" {
			t.Errorf("%s: the head or the index has changed", amount)
		}
	}
}

// Where the head has the files already there is nothing to commit, however many
// they are.
func TestCommitNothing(t *testing.T) {
	t.Parallel()
	for amount, files := range amounts {
		t.Run(amount, func(t *testing.T) {
			r := newRepo(t, files("1"))
			d := delivery(t, r, files("1"))
			hash, err := r.Commit(t.Context(), d)
			wantNotCommitted(t, r, d, hash, err, "nothing to commit, the files are as in the head")
		})
	}
}

// Ready has the last word before the first file is replaced, and is asked once.
func TestCommitNotReady(t *testing.T) {
	t.Parallel()
	stop := errors.New("somebody else was faster")
	for amount, files := range amounts {
		r := newRepo(t, files("1"))
		d := delivery(t, r, files("2"))
		index, asked := indexOf(t, r), 0
		d.Ready = func(context.Context) error { asked++; return stop }
		hash, err := r.Commit(t.Context(), d)
		if hash != "" || err != stop || asked != 1 {
			t.Errorf("%s: %q, %v, asked %d times", amount, hash, err, asked)
		}
		untouched(t, r, files("1"), d.Head, index)
		d.Ready = func(context.Context) error { asked++; return nil }
		if hash, err = r.Commit(t.Context(), d); err != nil || hash != headOf(t, r) || asked != 2 {
			t.Errorf("%s: %q, %v, asked %d times", amount, hash, err, asked)
		}
	}
}

// An end that comes while Ready is asked is early enough.
func TestCommitCanceledWhilePreparing(t *testing.T) {
	t.Parallel()
	for amount, files := range amounts {
		r := newRepo(t, files("1"))
		ctx, cancel := context.WithCancel(t.Context())
		d := delivery(t, r, files("2"))
		index := indexOf(t, r)
		d.Ready = func(context.Context) error { cancel(); return nil }
		if hash, err := r.Commit(ctx, d); hash != "" || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %q, %v", amount, hash, err)
		}
		untouched(t, r, files("1"), d.Head, index)
	}
}

// Nobody to name is found before anything is written.
func TestCommitWithoutIdentity(t *testing.T) {
	t.Parallel()
	for amount, files := range amounts {
		r := newRepo(t, files("1"))
		gitIn(t, r.Root(), "config", "--unset", "user.name")
		gitIn(t, r.Root(), "config", "--unset", "user.email")
		gitIn(t, r.Root(), "config", "user.useConfigOnly", "true")
		d := delivery(t, r, files("2"))
		index := indexOf(t, r)
		_, err := r.Commit(t.Context(), d)
		wantError(t, err, "find out who commits: ")
		var e *Error
		if !errors.As(err, &e) || !strings.HasPrefix(e.HintText(), "git config user.name ") {
			t.Errorf("%s: hint %q", amount, e.HintText())
		}
		untouched(t, r, files("1"), d.Head, index)
	}
}

// Another git that holds the index is found before anything is written.
func TestCommitIndexLocked(t *testing.T) {
	t.Parallel()
	for amount, files := range amounts {
		r := newRepo(t, files("1"))
		d, index := delivery(t, r, files("2")), indexOf(t, r)
		put(t, r.gitDir, map[string]string{"index.lock": ""})
		_, err := r.Commit(t.Context(), d)
		wantError(t, err, "there is an index.lock")
		if errors.As(err, new(*promote.NotCommitted)) {
			t.Errorf("%s: %v", amount, err)
		}
		os.Remove(filepath.Join(r.gitDir, "index.lock"))
		untouched(t, r, files("1"), d.Head, index)
	}
}

// A branch that cannot be moved is no reason to lose anything: the same call
// again commits.
func TestCommitBranchLocked(t *testing.T) {
	t.Parallel()
	for amount, files := range amounts {
		r := newRepo(t, files("1"))
		lock := filepath.Join(r.gitDir, "refs", "heads", "main.lock")
		d := delivery(t, r, files("2"))
		// The lock is made when the files are written already.
		ctx := t.Context()
		b, berr := r.build(ctx, d, func() (plan, error) {
			return r.plan(ctx, d, func() (map[string]string, error) { return r.converted(ctx, pathsOf(d.Files)) })
		}, func() (gitcmd.Identity, error) { return gitcmd.WhoCommits(ctx, r.top) })
		if err := r.Write(ctx, d.Files); err != nil {
			t.Fatal(err)
		}
		put(t, r.gitDir, map[string]string{"refs/heads/main.lock": ""})
		_, err := r.record(ctx, d, b, berr, func() {})
		wantError(t, err, "there is a main.lock, made ")
		if headOf(t, r) != d.Head {
			t.Errorf("%s: the head has moved", amount)
		}
		if err := os.Remove(lock); err != nil {
			t.Fatal(err)
		}
		if staged := gitIn(t, r.Root(), "diff", "--cached"); staged != "" {
			t.Errorf("%s: staged: %s", amount, staged)
		}
		if hash, err := r.Commit(t.Context(), d); err != nil || hash != headOf(t, r) || hash == d.Head {
			t.Errorf("%s: %q, %v", amount, hash, err)
		}
	}
}

func TestCommitUnbornAndLinked(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil)
	put(t, r.Root(), map[string]string{"x": "0"})
	gitIn(t, r.Root(), "add", "x")
	hash, err := r.Commit(t.Context(), delivery(t, r, map[string]string{"x": "1"}))
	if err != nil || !gitcmd.IsHash(hash) {
		t.Fatal(hash, err)
	}
	tree := filepath.Join(t.TempDir(), "linked")
	gitIn(t, r.Root(), "worktree", "add", "-q", tree)
	linked := open(t, tree)
	second, err := linked.Commit(t.Context(), delivery(t, linked, map[string]string{"x": "2"}))
	if err != nil || second == hash || gitIn(t, r.Root(), "rev-parse", "HEAD") != hash {
		t.Errorf("%q, %v", second, err)
	}
}

func hook(t *testing.T, r *Repo, name, script string) {
	t.Helper()
	hookIn(t, filepath.Join(r.common, "hooks"), name, script)
}

func hookIn(t *testing.T, dir, name, script string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("hooks are shell scripts")
	}
	os.MkdirAll(dir, 0o755)
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestCommitRefusedByHook(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1"})
	hook(t, r, "pre-commit", "echo checking\nprintf '\\033[31mimages must be pinned\\033[0m\\n'\nexit 1\n")
	d := delivery(t, r, map[string]string{"x": "2"})
	hash, err := r.Commit(t.Context(), d)
	wantNotCommitted(t, r, d, hash, err, "the commit was refused by git: images must be pinned")
	hook(t, r, "pre-commit", "exit 1\n")
	_, err = r.Commit(t.Context(), d)
	wantError(t, err, "a hook failed and gave no reason")
	if state, err := r.State(t.Context(), []string{"x"}); err != nil || state.Dirty["x"] != "modified" {
		t.Errorf("%+v, %v", state, err)
	}
}

// A hook that rewrites what is committed does not go unnoticed. There is a
// commit, so that its name comes with the error.
func TestCommitChangedByHook(t *testing.T) {
	t.Parallel()
	for amount, files := range amounts {
		r := newRepo(t, files("1"))
		hook(t, r, "pre-commit", "for f in sub/y 'a b.yaml'; do test ! -e \"$f\" || { echo 3 > \"$f\" && git add \"$f\"; }; done\n")
		d := delivery(t, r, files("2"))
		hash, err := r.Commit(t.Context(), d)
		wantError(t, err, "does not hold what was planned for ")
		var written *promote.NotCommitted
		if hash == "" || hash != headOf(t, r) || errors.As(err, &written) {
			t.Errorf("%s: %q, %v", amount, hash, err)
		}
	}
}

// A commit that has begun is finished, and hooks see no pathspec switches.
func TestCommitIsNotInterrupted(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The hook opens the pipe when it runs, and ends when the test closes it.
	pipe := filepath.Join(t.TempDir(), "pipe")
	if out, err := exec.Command("mkfifo", pipe).CombinedOutput(); err != nil {
		t.Skipf("no named pipes: %v: %s", err, out)
	}
	hook(t, r, "pre-commit", "test -z \"$GIT_LITERAL_PATHSPECS\" || exit 1\nread end < '"+pipe+"'\n")
	go func() {
		if f, err := os.OpenFile(pipe, os.O_WRONLY, 0); err == nil {
			cancel()
			f.WriteString("end\n")
			f.Close()
		}
	}()
	d := delivery(t, r, map[string]string{"x": "2"})
	if hash, err := r.Commit(ctx, d); err != nil || !gitcmd.IsHash(hash) || ctx.Err() == nil {
		t.Error(hash, err, ctx.Err())
	}
}

// What git would tidy up in a message is tidied up the same.
func TestTidy(t *testing.T) {
	t.Parallel()
	for _, message := range oddMessages {
		cmd := exec.Command("git", "stripspace")
		cmd.Stdin = strings.NewReader(message)
		want, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := gitcmd.Tidy(message); got != string(want) {
			t.Errorf("%q: got %q, git makes it %q", message, got, want)
		}
	}
}

var oddMessages = []string{
	"", "\n\n", " \t\r\n", "a", "a\n", "a \t\nb\r\n", "\n \n\na\n\n\n\nb\n\n", "  a\n\tb\n", "# a\n#\n\n#b", "a\n\n---\n\nKey: value\n\n",
	"ä ö\u00a0\n\u2028\n", "a\v\nb\f\n",
}

// A hook may write here too: it does not wait for the commit that waits for it.
func TestCommitHookWrites(t *testing.T) {
	t.Parallel()
	for amount, files := range amounts {
		r := newRepo(t, files("1"))
		put(t, r.Root(), map[string]string{"other": "1"})
		begun, done := filepath.Join(t.TempDir(), "begun"), filepath.Join(t.TempDir(), "done")
		hook(t, r, "post-commit", "echo > '"+begun+"'\nwhile ! test -e '"+done+"'; do sleep 0.01; done\n")
		written := make(chan error, 1)
		go func() {
			for {
				if _, err := os.Stat(begun); err == nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
			written <- r.Write(t.Context(), fileList(map[string]string{"other": "2"}))
			os.WriteFile(done, nil, 0o644)
		}()
		if hash, err := r.Commit(t.Context(), delivery(t, r, files("2"))); err != nil || hash != headOf(t, r) {
			t.Errorf("%s: %q, %v", amount, hash, err)
		}
		if err := <-written; err != nil {
			t.Errorf("%s: %v", amount, err)
		}
	}
}

// Git that is ended when it has made the commit has made it: the head tells, and
// not the way in which git ended.
func TestCommitMadeThoughGitEnds(t *testing.T) {
	t.Parallel()
	r := newRepo(t, twoFiles("1"))
	hook(t, r, "post-commit", "kill -9 $PPID\n")
	hash, err := r.Commit(t.Context(), delivery(t, r, twoFiles("2")))
	wantError(t, err, "was made, but git commit failed: git: signal: killed")
	if hash == "" || hash != headOf(t, r) || errors.As(err, new(*promote.NotCommitted)) {
		t.Errorf("%q, %v", hash, err)
	}
	r = newRepo(t, twoFiles("1"))
	hook(t, r, "pre-commit", "kill -9 $PPID\n")
	d := delivery(t, r, twoFiles("2"))
	hash, err = r.Commit(t.Context(), d)
	os.Remove(filepath.Join(r.gitDir, "index.lock")) // git's own, as it could not remove it
	for _, lock := range []string{"next-index-*.lock"} {
		left, _ := filepath.Glob(filepath.Join(r.gitDir, lock))
		for _, name := range left {
			os.Remove(name)
		}
	}
	wantNotCommitted(t, r, d, hash, err, "git commit was ended in the middle: signal: killed")
}

// Hooks are other people's programs: this one's keys and tokens are not theirs.
// Not parallel: the environment is the process's.
func TestCommitHookSeesNoSecrets(t *testing.T) {
	t.Setenv("COSIGN_PASSWORD", "secret")
	t.Setenv("SIGSTORE_ID_TOKEN", "secret")
	t.Setenv("GIT_AUTHOR_NAME", "Robot")
	r := newRepo(t, twoFiles("1"))
	seen := filepath.Join(t.TempDir(), "seen")
	hook(t, r, "pre-commit", "env > '"+seen+"'\n")
	if _, err := r.Commit(t.Context(), delivery(t, r, twoFiles("2"))); err != nil {
		t.Fatal(err)
	}
	if env := get(t, filepath.Dir(seen), "seen"); strings.Contains(env, "secret") || !strings.Contains(env, "GIT_AUTHOR_NAME=Robot") || !strings.Contains(env, "PATH=") {
		t.Errorf("the hook sees\n%s", env)
	}
}

// An object that stands for another one is git's business, and is not committed
// in the other's place unseen.
func TestCommitReplacedObject(t *testing.T) {
	t.Parallel()
	r := newRepo(t, manyFiles("1"))
	put(t, r.Root(), map[string]string{"other": "1"})
	gitIn(t, r.Root(), "add", "other")
	other := gitIn(t, r.Root(), "write-tree")
	gitIn(t, r.Root(), "reset", "-q")
	gitIn(t, r.Root(), "replace", gitIn(t, r.Root(), "rev-parse", "HEAD:odd/HEAD"), gitIn(t, r.Root(), "rev-parse", other+":apps/s1/overlays/production/kustomization.yaml"))
	if head, err := r.Committed(t.Context(), []string{"odd/HEAD"}); err != nil || string(head["odd/HEAD"]) != "1" {
		t.Errorf("%q, %v", head, err)
	}
	if commitServed(t, r) {
		t.Error("not left to git commit")
	}
}

// A git commit of ours that is killed left its locks, and the same command could not be
// run again.
func TestCommitKilledLeavesNoLock(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"f.yaml": "1"})
	hook := filepath.Join(r.Root(), ".git", "hooks", "pre-commit")
	put(t, r.Root(), map[string]string{".git/hooks/pre-commit": "#!/bin/sh\nkill -9 $PPID\n"})
	if err := os.Chmod(hook, 0o755); err != nil {
		t.Fatal(err)
	}
	d := delivery(t, r, map[string]string{"f.yaml": "2"})
	hash, err := r.Commit(t.Context(), d)
	wantNotCommitted(t, r, d, hash, err, "signal: killed")
	if left, _ := filepath.Glob(filepath.Join(r.Root(), ".git", "*.lock")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	os.Remove(hook)
	if _, err := r.Commit(t.Context(), d); err != nil {
		t.Error(err)
	}
}
