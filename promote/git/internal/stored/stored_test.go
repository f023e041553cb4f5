package stored

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
)

// git runs git in dir, as nobody in particular.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit makes a repository with one commit of the files; a content that begins with "->"
// is where a link leads.
func commit(t *testing.T, files map[string]string) (*Objects, string) {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "init", "--quiet")
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if to, is := strings.CutPrefix(content, "->"); is {
			err = os.Symlink(to, file)
		} else {
			err = os.WriteFile(file, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	git(t, dir, "add", "--all")
	git(t, dir, "commit", "--quiet", "--message=x")
	o := &Objects{Dir: dir}
	t.Cleanup(o.Close)
	return o, git(t, dir, "rev-parse", "HEAD")
}

func filesOf(t *testing.T, o *Objects, commit string) Files {
	t.Helper()
	root, err := o.RootOf(t.Context(), commit)
	if err != nil {
		t.Fatal(err)
	}
	return Files{Context: t.Context(), Objects: o, Root: root}
}

// What a commit has is read as a working tree of it would be, links and all; nothing that
// is not in the commit is.
func TestReadFile(t *testing.T) {
	t.Parallel()
	o, hash := commit(t, map[string]string{
		"apps/x": "text", "empty": "", "in": "->apps/x", "dir": "->apps", "apps/self": "->.", "top": "->.", "apps/up": "->..", "far": "->apps/deep/down", "apps/deep/down/y": "deep", "apps/deep/z": "beside", "near": "->far/../z",
		"out": "->../secret", "absolute": "->/etc/passwd", "dangling": "->nothing", "loop": "->loop",
		"lfs": "version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "crypt": "\x00GITCRYPT\x00abc",
	})
	f := filesOf(t, o, hash)
	for name, want := range map[string]string{
		"apps/x": "text", "empty": "", "in": "text", "dir/x": "text", "apps/self/x": "text", "top/in": "text", "apps/up/in": "text", "far/y": "deep", "near": "beside",
	} {
		if data, err := f.ReadFile(name); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for name, want := range map[string]string{
		"out": "leads out of the repository", "absolute": "leads out of the repository", "dangling": "no such file",
		"loop": "too many levels of symbolic links", "apps": "is not a file", "apps/x/y": "no such file", "absent": "no such file",
		"lfs": "a pointer of Git LFS in its place", "crypt": "what git-crypt has encrypted in its place", "../x": "leads out of the repository", ".git/config": "belongs to git itself",
	} {
		_, err := f.ReadFile(name)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
		if errors.Is(err, fs.ErrNotExist) != (want == "no such file") {
			t.Errorf("%s: fs.ErrNotExist: %v", name, err)
		}
	}
	for _, dir := range []string{"top", "."} {
		if entries, err := f.ReadDir(dir); err != nil || len(entries) != 13 || entries[0].Name() != "absolute" || entries[0].Type() != fs.ModeSymlink || !entries[1].IsDir() {
			t.Errorf("%s: %v, %v", dir, entries, err)
		}
	}
	if _, err := f.ReadDir("empty"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// Of several names the first that is there is read, and all are told. One that cannot be
// read is no reason to go on to the next, which would be another file.
func TestReadAny(t *testing.T) {
	t.Parallel()
	o, hash := commit(t, map[string]string{"a/k.yml": "1", "a/K": "2", "b/k.yaml": "->k.yaml", "b/K": "3", "c/k.yaml": "->gone", "c/K": "4"})
	f := filesOf(t, o, hash)
	names := []string{"k.yaml", "k.yml", "K"}
	if got, err := f.ReadAny("a", names); err != nil || got.Name != "k.yml" || string(got.Data) != "1" || len(got.Have) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := f.ReadAny("b", names); err == nil || !strings.Contains(err.Error(), "too many levels") || got.Name != "k.yaml" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := f.ReadAny("c", names); err != nil || got.Name != "K" || string(got.Data) != "4" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := f.ReadAny(".", names); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// What the repository lacks is no file that is not there, and is told as that.
func TestLacking(t *testing.T) {
	t.Parallel()
	o, hash := commit(t, map[string]string{"x": "text"})
	empty := t.TempDir()
	git(t, empty, "init", "--quiet", "--bare")
	lacking := &Objects{Dir: empty}
	t.Cleanup(lacking.Close)
	if _, err := lacking.RootOf(t.Context(), hash); err == nil || !strings.Contains(err.Error(), "is missing from the repository") || errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := o.RootOf(t.Context(), git(t, o.Dir, "rev-parse", "HEAD:x")); err == nil || !strings.Contains(err.Error(), "is no commit") {
		t.Error(err)
	}
	if _, err := o.Tree(t.Context(), hash); err == nil || !strings.Contains(err.Error(), "is a commit, not a tree") {
		t.Error(err)
	}
}

// A partial clone fetches what it lacks by itself, from a remote that may never answer: the read
// ends with its context, and the next one is another git's. It had hung past --timeout, and git
// was left behind.
func TestEndsWithContext(t *testing.T) {
	t.Parallel()
	o, hash := commit(t, map[string]string{"x": "text"})
	git(t, o.Dir, "config", "uploadpack.allowFilter", "true")
	dir := filepath.Join(t.TempDir(), "partial")
	git(t, o.Dir, "clone", "--quiet", "--no-checkout", "--filter=blob:none", "file://"+filepath.ToSlash(o.Dir), dir)
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	git(t, dir, "config", "remote.origin.url", server.URL)
	partial := &Objects{Dir: dir}
	t.Cleanup(partial.Close)
	f := filesOf(t, partial, hash)
	f.Context = ctx
	for range 2 {
		if _, err := f.ReadFile("x"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if _, err := partial.RootOf(t.Context(), hash); err != nil {
		t.Error(err)
	}
}

func FuzzParseTree(f *testing.F) {
	f.Add([]byte("40000 apps\x00"+strings.Repeat("a", 20)+"100644 x\x00"+strings.Repeat("b", 20)), 20)
	f.Add([]byte("100644 x"), 32)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size != 20 && size != 32 {
			return
		}
		entries, err := parseTree(gitcmd.Object{ID: strings.Repeat("0", 2*size), Kind: "tree", Data: data})
		var again []byte
		for _, e := range entries {
			if len(e.ID) != 2*size || e.Mode == "" {
				t.Fatalf("%+v", e)
			}
			again = append(again, e.Mode+" "+e.name+"\x00"+e.ID...)
		}
		if err == nil && len(again) != len(data)+len(entries)*size {
			t.Fatalf("%d bytes of %d", len(again), len(data))
		}
	})
}
