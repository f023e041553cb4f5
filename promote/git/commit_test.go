package git

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
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
	paths := append([]string{"sub/x"}, awkward...)
	put(t, dir, map[string]string{"other": "2", "rest": "2"})
	gitIn(t, dir, "add", "other")
	changed := map[string]string{}
	for _, name := range paths {
		changed[name] = "2"
	}
	if err := sub.Write(t.Context(), asFiles(changed)); err != nil {
		t.Fatal(err)
	}
	message := "promote cart\n\n# not a comment\n\nKey: value"
	hash, err := sub.Commit(t.Context(), paths, message)
	if err != nil {
		t.Fatal(err)
	}
	if got := gitIn(t, dir, "rev-parse", "HEAD"); got != hash {
		t.Errorf("%q, head is %q", hash, got)
	}
	if got := gitIn(t, dir, "log", "-1", "--format=%B"); got != message {
		t.Errorf("message %q", got)
	}
	state, err := r.State(t.Context(), append(paths, "other", "rest"))
	if err != nil || len(state.Dirty) != 2 || state.Dirty["other"] != "staged" || state.Dirty["rest"] != "modified" {
		t.Errorf("%+v, %v", state, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".git", "kubepromote*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	_, err = r.Commit(t.Context(), paths, "again")
	wantError(t, err, "nothing to commit")
	_, err = r.Commit(t.Context(), []string{"absent"}, "m")
	wantError(t, err, "pathspec 'absent' did not match")
	_, err = r.Commit(t.Context(), nil, "m")
	wantError(t, err, "no files to commit")
	_, err = r.Commit(t.Context(), paths, " \n")
	wantError(t, err, "the commit message is empty")
}

func TestCommitUnbornAndLinked(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil)
	put(t, r.Root(), map[string]string{"x": "1"})
	gitIn(t, r.Root(), "add", "x")
	hash, err := r.Commit(t.Context(), []string{"x"}, "first")
	if err != nil || !isHash(hash) {
		t.Fatal(hash, err)
	}
	tree := filepath.Join(t.TempDir(), "linked")
	gitIn(t, r.Root(), "worktree", "add", "-q", tree)
	linked := open(t, tree)
	put(t, tree, map[string]string{"x": "2"})
	second, err := linked.Commit(t.Context(), []string{"x"}, "second")
	if err != nil || second == hash || gitIn(t, r.Root(), "rev-parse", "HEAD") != hash {
		t.Errorf("%q, %v", second, err)
	}
}

func hook(t *testing.T, r *Repo, name, script string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("hooks are shell scripts")
	}
	file := filepath.Join(r.Root(), ".git", "hooks", name)
	os.MkdirAll(filepath.Dir(file), 0o755)
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestCommitRefusedByHook(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1"})
	put(t, r.Root(), map[string]string{"x": "2"})
	hook(t, r, "pre-commit", "echo checking\nprintf '\\033[31mimages must be pinned\\033[0m\\n'\nexit 1\n")
	_, err := r.Commit(t.Context(), []string{"x"}, "m")
	wantError(t, err, "the commit was refused by git: images must be pinned")
	hook(t, r, "pre-commit", "exit 1\n")
	_, err = r.Commit(t.Context(), []string{"x"}, "m")
	wantError(t, err, "a hook failed and gave no reason")
	if state, err := r.State(t.Context(), []string{"x"}); err != nil || state.Dirty["x"] != "modified" {
		t.Errorf("%+v, %v", state, err)
	}
}

// A commit that has begun is finished, and hooks see no pathspec switches.
func TestCommitIsNotInterrupted(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1"})
	put(t, r.Root(), map[string]string{"x": "2"})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun := filepath.Join(t.TempDir(), "begun")
	hook(t, r, "pre-commit", "test -z \"$GIT_LITERAL_PATHSPECS\" || exit 1\ntouch '"+begun+"'\nsleep 0.3\n")
	go func() {
		for {
			if _, err := os.Stat(begun); err == nil {
				cancel()
				return
			}
		}
	}()
	if hash, err := r.Commit(ctx, []string{"x"}, "m"); err != nil || !isHash(hash) {
		t.Error(hash, err)
	}
	_, err := r.Commit(ctx, []string{"x"}, "m")
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCheckIdentity(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil)
	if err := r.CheckIdentity(t.Context()); err != nil {
		t.Error(err)
	}
	gitIn(t, r.Root(), "config", "--unset", "user.name")
	gitIn(t, r.Root(), "config", "--unset", "user.email")
	gitIn(t, r.Root(), "config", "user.useConfigOnly", "true")
	err := r.CheckIdentity(t.Context())
	wantError(t, err, "find out who commits: ")
	var e *Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.HintText(), "git config user.name ") {
		t.Errorf("hint %q", e.HintText())
	}
}

func TestCommittedAndBlobs(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", 1<<16)
	files := map[string]string{"x": "1", "dir/y": "", "big": big}
	for _, name := range awkward {
		files["odd/"+name] = name
	}
	r := newRepo(t, files)
	paths := []string{"absent", "dir", "ab\nsent", "x/y"}
	for name := range files {
		paths = append(paths, name)
	}
	put(t, r.Root(), map[string]string{"x": "changed"})
	for range 2 {
		head, err := r.Committed(t.Context(), paths)
		if err != nil || len(head) != len(files) {
			t.Fatalf("%d files, %v", len(head), err)
		}
		for name, want := range files {
			if string(head[name]) != want {
				t.Errorf("%q: %d bytes", name, len(head[name]))
			}
		}
		for len(paths) <= fewPaths { // and once more, in the way for many
			paths = append(paths, "absent")
		}
	}
	id := gitIn(t, r.Root(), "rev-parse", "HEAD:big")
	var ids []string
	for range 200 { // far more than pipes hold
		ids = append(ids, id)
	}
	n := 0
	err := r.Blobs(t.Context(), ids, func(got string, data []byte) error {
		if n++; got != id || !bytes.Equal(data, []byte(big)) {
			t.Error("wrong data")
		}
		return nil
	})
	if err != nil || n != len(ids) {
		t.Errorf("%d, %v", n, err)
	}
	stop := errors.New("stop")
	if err := r.Blobs(t.Context(), ids, func(string, []byte) error { return stop }); err != stop {
		t.Error(err)
	}
	none := func(string, []byte) error { return nil }
	wantError(t, r.Blobs(t.Context(), []string{strings.Repeat("0", 39) + "1"}, none), "is missing from the repository")
	wantError(t, r.Blobs(t.Context(), []string{gitIn(t, r.Root(), "rev-parse", "HEAD")}, none), "is a commit, not a blob")
	wantError(t, r.Blobs(t.Context(), []string{"HEAD:x"}, none), "not an object name: HEAD:x")
}

func TestCommittedUnborn(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil)
	for _, paths := range [][]string{{"x"}, make([]string, 2*fewPaths)} {
		for i := range paths {
			paths[i] = "x"
		}
		if head, err := r.Committed(t.Context(), paths); err != nil || len(head) != 0 {
			t.Errorf("%v, %v", head, err)
		}
	}
}
