package branch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
)

func TestMain(m *testing.M) {
	for k, v := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com",
	} {
		os.Setenv(k, v)
	}
	os.Exit(m.Run())
}

func gitIn(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func put(t testing.TB, dir, name, data string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

// server makes a bare repository with a few files on main.
func server(t testing.TB) string {
	t.Helper()
	work, bare := t.TempDir(), filepath.Join(t.TempDir(), "infra.git")
	gitIn(t, work, "init", "-q", "-b", "main")
	put(t, work, "apps/cart/prod/k.yaml", "tag: v1\n")
	put(t, work, "apps/cart/dev/k.yaml", "tag: v2\n")
	put(t, work, "apps/web/prod/k.yaml", "tag: v7\n")
	put(t, work, "promotion.yaml", "kind: Pipeline\n")
	for link, to := range map[string]string{"link": "apps/cart/prod", "apps/up": "../promotion.yaml", "out": "../../etc/passwd", "abs": "/etc/passwd", "loop": "loop"} {
		if err := os.Symlink(to, filepath.Join(work, link)); err != nil {
			t.Fatal(err)
		}
	}
	gitIn(t, work, "add", "-A")
	gitIn(t, work, "commit", "-q", "-m", "begin")
	gitIn(t, work, "clone", "-q", "--bare", work, bare)
	gitIn(t, bare, "config", "uploadpack.allowFilter", "true")
	gitIn(t, bare, "config", "uploadpack.allowAnySHA1InWant", "true")
	return bare
}

func clone(t testing.TB, bare string) *git.Repo {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	gitIn(t, filepath.Dir(dir), "clone", "-q", bare, dir)
	r, err := git.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func ofRemote(t testing.TB, r *git.Repo) *Branch {
	t.Helper()
	b, err := OfRemote(t.Context(), r, "origin", "main")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// three are the three kinds of branches that there are, each of a server of its own.
func three(t *testing.T, test func(t *testing.T, b *Branch, bare string)) {
	t.Run("of a remote", func(t *testing.T) {
		t.Parallel()
		bare := server(t)
		test(t, ofRemote(t, clone(t, bare)), bare)
	})
	t.Run("of a URL", func(t *testing.T) {
		t.Parallel()
		bare := server(t)
		b, err := OfURL(t.Context(), "file://"+bare, "", Cache{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		test(t, b, bare)
	})
	t.Run("of the clone", func(t *testing.T) {
		t.Parallel()
		bare := server(t)
		r := clone(t, bare)
		gitIn(t, r.Root(), "switch", "-q", "-c", "work")
		b, err := OfClone(t.Context(), r, "main")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		test(t, b, r.Root())
	})
}

func deliver(b *Branch, name, data string) (string, error) {
	return b.Commit(context.Background(), promote.Delivery{Head: b.Tip(), Files: []promote.File{{Path: name, Data: []byte(data)}}, Message: "promote: " + data})
}

func wantError(t testing.TB, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestRead(t *testing.T) {
	three(t, func(t *testing.T, b *Branch, _ string) {
		for name, want := range map[string]string{"apps/cart/prod/k.yaml": "tag: v1\n", "link/k.yaml": "tag: v1\n", "apps/up": "kind: Pipeline\n"} {
			if data, err := b.ReadFile(name); err != nil || string(data) != want {
				t.Errorf("%s: %q, %v", name, data, err)
			}
		}
		for name, want := range map[string]string{"out": "leads out", "abs": "leads out", "loop": "too many levels", "apps": "is not a file", "../x": "leads out", ".git/config": "git itself"} {
			_, err := b.ReadFile(name)
			wantError(t, err, want)
		}
		for _, name := range []string{"none", "apps/none/k.yaml", "promotion.yaml/x"} {
			if _, err := b.ReadFile(name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", name, err)
			}
		}
		entries, err := b.ReadDir("apps/cart")
		if err != nil || len(entries) != 2 || entries[0].Name() != "dev" || !entries[0].IsDir() {
			t.Errorf("%v, %v", entries, err)
		}
		found, err := b.ReadAny("link", []string{"none", "k.yaml"})
		if err != nil || found.Name != "k.yaml" || !slices.Equal(found.Have, []string{"k.yaml"}) {
			t.Errorf("%+v, %v", found, err)
		}
	})
}

// A commit holds the files and nothing else, is the branch's newest, and leaves what is
// checked out alone.
func TestCommit(t *testing.T) {
	three(t, func(t *testing.T, b *Branch, bare string) {
		old := b.Tip()
		hash, err := deliver(b, "apps/cart/prod/k.yaml", "tag: v2\n")
		if err != nil {
			t.Fatal(err)
		}
		if now := gitIn(t, bare, "rev-parse", "main"); now != hash || gitIn(t, bare, "rev-parse", "main^") != old || b.Tip() != hash && b.remote != "" {
			t.Errorf("main is %s, want %s on %s", now, hash, old)
		}
		if changed := gitIn(t, bare, "diff-tree", "-r", "--name-only", "--no-commit-id", hash); changed != "apps/cart/prod/k.yaml" {
			t.Errorf("changed: %q", changed)
		}
		if err := b.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		if data, err := b.ReadFile("apps/cart/prod/k.yaml"); err != nil || string(data) != "tag: v2\n" {
			t.Errorf("%q, %v", data, err)
		}
		if _, err := deliver(b, "promotion.holds.yaml", "new\n"); err != nil {
			t.Errorf("a new file: %v", err)
		}
		gitIn(t, bare, "fsck", "--strict")
		if refs := gitIn(t, b.gitDir, "for-each-ref", "refs/promote/new-*"); refs != "" {
			t.Errorf("left: %s", refs)
		}
	})
}

// Whoever was faster wins; the other is told, and the branch is as the first has left it.
func TestMoved(t *testing.T) {
	three(t, func(t *testing.T, b *Branch, bare string) {
		other := filepath.Join(t.TempDir(), "other")
		gitIn(t, bare, "worktree", "add", "-q", "--detach", other, "main")
		put(t, other, "apps/web/prod/k.yaml", "tag: v8\n")
		gitIn(t, other, "commit", "-q", "-a", "-m", "faster")
		gitIn(t, bare, "update-ref", "refs/heads/main", gitIn(t, other, "rev-parse", "HEAD"))
		var moved *promote.Moved
		if _, err := deliver(b, "apps/cart/prod/k.yaml", "tag: v2\n"); !errors.As(err, &moved) {
			t.Fatalf("got %v", err)
		}
		if got := gitIn(t, bare, "show", "main:apps/cart/prod/k.yaml"); got != "tag: v1" {
			t.Errorf("%q", got)
		}
		if err := b.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := deliver(b, "apps/cart/prod/k.yaml", "tag: v2\n"); err != nil {
			t.Fatal(err)
		}
		if got := gitIn(t, bare, "show", "main:apps/web/prod/k.yaml"); got != "tag: v8" {
			t.Errorf("the other's change is lost: %q", got)
		}
	})
}

func hook(t testing.TB, dir, name, script string) {
	t.Helper()
	put(t, dir, name, "#!/bin/sh\n"+script)
	if err := os.Chmod(filepath.Join(dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
}

// What a server says when it refuses is what the user reads.
func TestRefused(t *testing.T) {
	t.Parallel()
	bare := server(t)
	hook(t, bare, "hooks/pre-receive", "echo 'error: main is protected' >&2; exit 1\n")
	b := ofRemote(t, clone(t, bare))
	_, err := deliver(b, "apps/cart/prod/k.yaml", "tag: v2\n")
	wantError(t, err, "push to origin/main: the remote refused it: pre-receive hook declined: main is protected")
	if !Refused(err) {
		t.Error("not known as refused")
	}
}

// The user's hooks have their say before anything is pushed.
func TestHooks(t *testing.T) {
	t.Parallel()
	bare := server(t)
	r := clone(t, bare)
	b := ofRemote(t, r)
	hooks := filepath.Join(r.Root(), ".git")
	hook(t, hooks, "hooks/commit-msg", "echo 'Change-Id: I1' >> \"$1\"\n")
	hash, err := deliver(b, "apps/cart/prod/k.yaml", "tag: v2\n")
	if err != nil || !strings.HasSuffix(gitIn(t, bare, "log", "-1", "--format=%B", hash), "Change-Id: I1") {
		t.Errorf("%s, %v", hash, err)
	}
	hook(t, hooks, "hooks/commit-msg", "echo 'no ticket' >&2; exit 1\n")
	_, err = deliver(b, "apps/cart/prod/k.yaml", "tag: v3\n")
	wantError(t, err, "the hook commit-msg refused the commit: no ticket")
	hook(t, hooks, "hooks/commit-msg", "echo lost > \"$1\"\n")
	_, err = b.Commit(t.Context(), promote.Delivery{Head: b.Tip(), Files: []promote.File{{Path: "promotion.yaml", Data: []byte("x")}}, Message: "m",
		Check: func(string) error { return errors.New("it is gone") }})
	wantError(t, err, "the hook commit-msg changes the promotion's record: it is gone")
	if err := os.Remove(filepath.Join(hooks, "hooks/commit-msg")); err != nil {
		t.Fatal(err)
	}
	hook(t, hooks, "hooks/pre-push", "exit 1\n")
	if _, err = deliver(b, "apps/cart/prod/k.yaml", "tag: v4\n"); err == nil {
		t.Error("the hook pre-push had no say")
	}
	if now := gitIn(t, bare, "rev-parse", "main"); now != hash {
		t.Errorf("main is %s", now)
	}
}

// A server that takes the push and breaks the connection before it says so has it.
func TestPushedAllTheSame(t *testing.T) {
	t.Parallel()
	bare := server(t)
	b := ofRemote(t, clone(t, bare))
	hook(t, bare, "hooks/post-receive", "kill -9 $(ps -o ppid= -p $PPID) $PPID\n")
	if hash, err := deliver(b, "apps/cart/prod/k.yaml", "tag: v2\n"); err != nil || gitIn(t, bare, "rev-parse", "main") != hash {
		t.Errorf("%s, %v", hash, err)
	}
}

// The files of a branch that is checked out would be left behind.
func TestCheckedOut(t *testing.T) {
	t.Parallel()
	r := clone(t, server(t))
	b, err := OfClone(t.Context(), r, "main")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	_, err = deliver(b, "apps/cart/prod/k.yaml", "tag: v2\n")
	wantError(t, err, "branch main is checked out at")
}

func TestNoBranch(t *testing.T) {
	t.Parallel()
	bare := server(t)
	r := clone(t, bare)
	_, err := OfRemote(t.Context(), r, "origin", "env/prod")
	wantError(t, err, "there is no branch origin/env/prod")
	_, err = OfClone(t.Context(), r, "env/prod")
	wantError(t, err, "there is no branch env/prod")
	_, err = OfURL(t.Context(), "file://"+bare, "env/prod", Cache{})
	wantError(t, err, "there is no branch")
	for _, name := range []string{"-x", "a..b", "a b", "x.lock"} {
		_, err = OfRemote(t.Context(), r, "origin", name)
		wantError(t, err, "is malformed")
	}
}

// Of a repository known by its URL no more is fetched than what is read.
func TestFetchesLittle(t *testing.T) {
	t.Parallel()
	bare, cache := server(t), t.TempDir()
	b, err := OfURL(t.Context(), "file://"+bare, "main", Cache{Dir: cache})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	count := func() int {
		cmd := exec.Command("git", "cat-file", "--batch-check=%(objectname)", "--batch-all-objects")
		cmd.Dir = b.dir
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return len(strings.Fields(string(out)))
	}
	if n := count(); n != 1 { // the commit
		t.Errorf("%d objects at first", n)
	}
	if err := b.Prefetch(t.Context(), []string{"apps/cart/prod/k.yaml", "none/x"}); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 6 { // four trees and a blob
		t.Errorf("%d objects for a file", n)
	}
	if _, err := deliver(b, "apps/cart/prod/k.yaml", "tag: v2\n"); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 12 {
		t.Errorf("%d objects with a commit", n)
	}
	// Another run at the same time has a directory of its own, which is gone afterwards.
	second, err := OfURL(t.Context(), "file://"+bare, "main", Cache{Dir: cache})
	if err != nil {
		t.Fatal(err)
	}
	if second.dir == b.dir {
		t.Error("two use one cache at the same time")
	}
	second.Close()
	if _, err := os.Stat(second.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the second's directory is left")
	}
}

// A cache that is broken is made anew.
func TestBrokenCache(t *testing.T) {
	t.Parallel()
	bare, cache := server(t), t.TempDir()
	for range 2 {
		b, err := OfURL(t.Context(), "file://"+bare, "main", Cache{Dir: cache})
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
		put(t, b.dir, "config", "[broken")
	}
}

// A password in a URL is neither kept in the cache nor given to a program as an argument,
// and another password is the same repository.
func TestPasswordStaysHere(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	for _, address := range []string{"http://ann:secret@127.0.0.1:1/x.git", "http://ann:other@127.0.0.1:1/x.git"} {
		_, err := OfURL(t.Context(), address, "main", Cache{Dir: cache})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v", err)
		}
	}
	dirs, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("%v, %v", dirs, err)
	}
	err = filepath.WalkDir(cache, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if strings.Contains(string(data), "secret") {
			t.Errorf("%s has the password", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A server may redirect to another host, which asks for a password as well: that of a URL
// is for the host in it alone, and gets there as it is.
func TestPasswordOfOneHost(t *testing.T) {
	t.Parallel()
	got := make(chan string, 20)
	asks := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if user, password, ok := r.BasicAuth(); ok && password != "" {
				got <- name + " " + user + " " + password
			}
			w.Header().Set("WWW-Authenticate", "Basic realm=x")
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	other := httptest.NewServer(asks("other"))
	defer other.Close()
	mux := http.NewServeMux()
	mux.Handle("/moved.git/", http.RedirectHandler(other.URL+"/x.git/info/refs?service=git-upload-pack", http.StatusFound))
	mux.Handle("/", asks("own"))
	own := httptest.NewServer(mux)
	defer own.Close()
	for _, path := range []string{"/moved.git", "/x.git"} {
		address := strings.Replace(own.URL, "http://", "http://ann:a%5Cn%5Cb@", 1) + path
		if _, err := OfURL(t.Context(), address, "main", Cache{}); err == nil {
			t.Error(path + ": no error")
		}
	}
	close(got)
	if len(got) == 0 {
		t.Error("nobody was told")
	}
	for one := range got {
		if one != `own ann a\n\b` {
			t.Errorf("told: %s", one)
		}
	}
}

// The settings go behind those that the user has in the environment, and the password is
// in none of them.
func TestRemoteURL(t *testing.T) {
	t.Setenv("GIT_CONFIG_COUNT", "2")
	got := strings.Join(remoteURL("https://ann:se%2Fcret@git.example.com/x.git"), "\n")
	want := "KUBEPROMOTE_GIT_PASSWORD=se/cret\nGIT_CONFIG_KEY_2=credential.https://git.example.com.helper\nGIT_CONFIG_VALUE_2=\nGIT_CONFIG_KEY_3=credential.https://git.example.com.helper\nGIT_CONFIG_VALUE_3=" + passwordHelper +
		"\nGIT_CONFIG_KEY_4=remote.origin.url\nGIT_CONFIG_VALUE_4=https://ann@git.example.com/x.git\nGIT_CONFIG_COUNT=5"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := strings.Join(remoteURL("git@git.example.com:x.git"), "\n"); got != "GIT_CONFIG_KEY_2=remote.origin.url\nGIT_CONFIG_VALUE_2=git@git.example.com:x.git\nGIT_CONFIG_COUNT=3" {
		t.Errorf("got\n%s", got)
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://git.example.com/infra.git", "ssh://git@git.example.com:22/infra", "git@git.example.com:team/infra.git", "file:///srv/infra.git", "http://127.0.0.1:3000/a/b"} {
		if err := CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"ext::sh -c id", "--upload-pack=id", "infra", "../infra", "ftp://x/y", "ssh://-oProxyCommand=id/x", "https://", "https://h/x\nurl=y", "fd::17"} {
		if err := CheckURL(bad); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	wantError(t, CheckURL("ext::https://ann:secret@host/x"), "not the URL of a repository: ext::https://host/x")
}

// Several of ours in one clone, at the same time.
func TestFetchTogether(t *testing.T) {
	t.Parallel()
	bare := server(t)
	r := clone(t, bare)
	for n := range 3 {
		if _, err := deliver(ofRemote(t, clone(t, bare)), "apps/cart/prod/k.yaml", fmt.Sprintf("tag: v%d\n", n+2)); err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for range 5 {
			wait.Go(func() {
				b, err := OfRemote(context.Background(), r, "origin", "main")
				if err != nil {
					t.Error(err)
					return
				}
				b.Close()
			})
		}
		wait.Wait()
	}
}

func TestUpstream(t *testing.T) {
	t.Parallel()
	bare := server(t)
	r := clone(t, bare)
	for _, tc := range []struct{ name, branch string }{{"main", "main"}, {"", "main"}, {"topic", "topic"}} {
		if remote, branch, err := Upstream(t.Context(), r, "", tc.name); err != nil || remote != "origin" || branch != tc.branch {
			t.Errorf("%q: %s, %s, %v", tc.name, remote, branch, err)
		}
	}
	gitIn(t, r.Root(), "symbolic-ref", "--delete", "refs/remotes/origin/HEAD")
	if _, branch, err := Upstream(t.Context(), r, "", ""); err != nil || branch != "main" {
		t.Errorf("%s, %v", branch, err)
	}
	// One that is named takes the place of the one that is followed, and needs no other.
	gitIn(t, r.Root(), "remote", "add", "mine", bare)
	if remote, branch, err := Upstream(t.Context(), r, "mine", "main"); err != nil || remote != "mine" || branch != "main" {
		t.Errorf("%s, %s, %v", remote, branch, err)
	}
	gitIn(t, r.Root(), "remote", "rename", "origin", "theirs")
	gitIn(t, r.Root(), "branch", "--unset-upstream", "main")
	if remote, branch, err := Upstream(t.Context(), r, "mine", "main"); err != nil || remote != "mine" || branch != "main" {
		t.Errorf("%s, %s, %v", remote, branch, err)
	}
	_, _, err := Upstream(t.Context(), r, "none", "main")
	wantError(t, err, "has no remote none")
	gitIn(t, r.Root(), "remote", "remove", "theirs")
	gitIn(t, r.Root(), "remote", "remove", "mine")
	_, _, err = Upstream(t.Context(), r, "", "main")
	wantError(t, err, "no remote to push to")
}

// Who is going to read much gets all of it in one request, and what is new later as well.
func TestFetchAll(t *testing.T) {
	t.Parallel()
	bare := server(t)
	b, err := OfURL(t.Context(), "file://"+bare, "main", Cache{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	asked := 0
	fetch := b.objects.Fetch
	b.objects.Fetch = func(ctx context.Context, ids []string) error { asked++; return fetch(ctx, ids) }
	read := func(want string) {
		t.Helper()
		for _, name := range []string{"apps/cart/prod/k.yaml", "apps/web/prod/k.yaml", "promotion.yaml"} {
			if _, err := b.ReadFile(name); err != nil {
				t.Error(err)
			}
		}
		if data, err := b.ReadFile("apps/web/prod/k.yaml"); err != nil || string(data) != want {
			t.Errorf("%q, %v", data, err)
		}
	}
	if err := b.FetchAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked = 0
	read("tag: v7\n")
	other := ofRemote(t, clone(t, bare))
	if _, err := deliver(other, "apps/web/prod/k.yaml", "tag: v8\n"); err != nil {
		t.Fatal(err)
	}
	if err := b.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	read("tag: v8\n")
	if asked > 1 { // the tree of the new commit, if git sends it late
		t.Errorf("%d requests for what was fetched already", asked)
	}
}

// A commit is read as it is, wherever branches have gone.
func TestOfCommit(t *testing.T) {
	r := clone(t, server(t))
	ctx := t.Context()
	head, err := r.Revision(ctx, "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	put(t, r.Root(), "new", "1")
	gitIn(t, r.Root(), "add", "new")
	gitIn(t, r.Root(), "commit", "-q", "-m", "new")
	b, err := OfCommit(ctx, r, head)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.ReadFile("new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that the file is not there", err)
	}
	want, err := r.At(ctx, head).ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.ReadDir(".")
	if err != nil || len(got) != len(want) || b.Tip() != head {
		t.Errorf("got %v, %v at %s, want %v at %s", got, err, b.Tip(), want, head)
	}
	if b, err := OfCommit(ctx, r, strings.Repeat("0", 40)); err == nil {
		b.Close()
		t.Error("there is a commit of zeros")
	}
}
