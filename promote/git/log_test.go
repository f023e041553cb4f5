package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/git/internal/gitcmd"
	"github.com/kubepromote/kubepromote/promote/history"
)

// gitHistory makes a repository with a merge and gives the hashes, newest first.
func gitHistory(t testing.TB) (*Repo, []string) {
	t.Helper()
	r := newRepo(t, map[string]string{"apps/a/x.yaml": "1", "apps/b/x.yaml": "1", "sub/odd \n name": "1"})
	dir := r.Root()
	gitIn(t, dir, "checkout", "-q", "-b", "topic")
	put(t, dir, map[string]string{"apps/b/x.yaml": "2"})
	gitIn(t, dir, "commit", "-qam", "on the side")
	gitIn(t, dir, "checkout", "-q", "main")
	put(t, dir, map[string]string{"sub/odd \n name": "2"})
	gitIn(t, dir, "commit", "-qam", "second\n\nbody\n\nKey: value")
	gitIn(t, dir, "merge", "-q", "--no-ff", "-m", "merge", "topic")
	gitIn(t, dir, "commit", "-q", "--allow-empty", "-m", "empty")
	gitIn(t, dir, "rm", "-q", "apps/a/x.yaml")
	gitIn(t, dir, "commit", "-qm", "gone")
	return r, strings.Fields(gitIn(t, dir, "rev-list", "--first-parent", "HEAD"))
}

func collect(t testing.TB, r *Repo, pathspecs ...string) []history.Commit {
	t.Helper()
	var all []history.Commit
	err := r.Commits(t.Context(), pathspecs, func(c history.Commit) (bool, error) {
		all = append(all, c)
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCommits(t *testing.T) {
	t.Parallel()
	r, hashes := gitHistory(t)
	// Settings that change what git log prints.
	for _, s := range []string{"log.showSignature=true", "log.showRoot=false", "diff.relative=true", "log.follow=true", "core.abbrev=7", "diff.renames=copies", "log.diffMerges=combined"} {
		name, value, _ := strings.Cut(s, "=")
		gitIn(t, r.Root(), "config", name, value)
	}
	id := func(rev string) string { return gitIn(t, r.Root(), "rev-parse", rev) }
	all := collect(t, open(t, r.Root()+"/sub"))
	var got []string
	for i, c := range all {
		if c.Hash != hashes[i] || c.Author != "Ann" || c.Email != "ann@example.com" || time.Since(c.Time) > time.Hour {
			t.Errorf("%+v", c)
		}
		got = append(got, c.Message)
	}
	if diff := cmp.Diff([]string{"gone\n", "empty\n", "merge\n", "second\n\nbody\n\nKey: value\n", "first\n"}, got); diff != "" {
		t.Fatal(diff)
	}
	want := []history.FileVersion{{Path: "apps/b/x.yaml", Old: id(hashes[4] + ":apps/b/x.yaml"), New: id("HEAD:apps/b/x.yaml")}}
	if diff := cmp.Diff(want, all[2].Files); diff != "" {
		t.Error(diff)
	}
	if f := all[0].Files; len(f) != 1 || f[0].New != "" || f[0].Old == "" || len(all[1].Files) != 0 || len(all[4].Files) != 3 {
		t.Errorf("%+v", all)
	}
	if f := all[3].Files; len(f) != 1 || f[0].Path != "sub/odd \n name" {
		t.Errorf("%q", f)
	}
}

func TestCommitsPathspecs(t *testing.T) {
	t.Parallel()
	r, hashes := gitHistory(t)
	specs := []string{":(glob)apps/*/x.yaml"}
	for range 2 {
		var got []string
		for _, c := range collect(t, r, specs...) {
			got = append(got, c.Hash)
		}
		if diff := cmp.Diff([]string{hashes[0], hashes[2], hashes[4]}, got); diff != "" {
			t.Errorf("%d pathspecs: %s", len(specs), diff)
		}
		for i := range 2000 { // too many for arguments
			specs = append(specs, fmt.Sprintf("absent/directory/%d", i))
		}
	}
	if got := collect(t, newRepo(t, nil), "x"); len(got) != 0 {
		t.Errorf("unborn: %v", got)
	}
}

func TestCommitsStop(t *testing.T) {
	t.Parallel()
	r, _ := gitHistory(t)
	n := 0
	err := r.Commits(t.Context(), nil, func(history.Commit) (bool, error) { n++; return n < 2, nil })
	if err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
	stop := errors.New("stop")
	if err := r.Commits(t.Context(), nil, func(history.Commit) (bool, error) { return true, stop }); err != stop {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = r.Commits(ctx, nil, func(history.Commit) (bool, error) { cancel(); return true, nil })
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	wantError(t, r.Commits(t.Context(), []string{":(nonsense)x"}, nil), "git log: ")
}

// A file that has got another path is found by what it was, whatever the user's settings
// say of renames; a file that was only added is none.
func TestRenames(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"a/x.yaml": "one\ntwo\nthree\nfour\n"})
	old := gitIn(t, r.Root(), "rev-parse", "HEAD:a/x.yaml")
	gitIn(t, r.Root(), "config", "diff.renames", "false")
	put(t, r.Root(), map[string]string{"a/x.yaml": "one\ntwo\nthree\n4\n", "new.yaml": "other"})
	gitIn(t, r.Root(), "mv", "a", "b c")
	gitIn(t, r.Root(), "add", "-A")
	gitIn(t, r.Root(), "commit", "-qm", "move")
	head := gitIn(t, r.Root(), "rev-parse", "HEAD")
	got, err := r.Renames(t.Context(), head)
	if diff := cmp.Diff([]history.Rename{{From: "a/x.yaml", To: "b c/x.yaml", Old: old}}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	var seen []string
	err = r.CommitsBefore(t.Context(), head, []string{"a"}, func(c history.Commit) (bool, error) {
		seen = append(seen, c.Message)
		return true, nil
	})
	if err != nil || len(seen) != 1 || seen[0] != "first\n" {
		t.Errorf("%q, %v", seen, err)
	}
	_, err = r.Renames(t.Context(), "--output=x")
	wantError(t, err, "not an object name")
	wantError(t, r.CommitsBefore(t.Context(), "-x", nil, nil), "not an object name")
}

func TestLogParserBounds(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("a", 40)
	long := "\x00" + hash + "\x00\x001\x00n\x00e\x00" + strings.Repeat("m", 2*maxCommitMessage) + "\x00\x00\x00" + hash + "\x00\x002\x00\x00\x00\x00\x00"
	p := newLogParser(strings.NewReader(long))
	first, err := p.next()
	if err != nil || len(first.Message) != maxCommitMessage {
		t.Errorf("%d, %v", len(first.Message), err)
	}
	if second, err := p.next(); err != nil || second.Hash != hash || second.Time.Unix() != 2 {
		t.Errorf("%+v, %v", second, err)
	}
	if _, err := p.next(); err != io.EOF {
		t.Error(err)
	}
	for _, bad := range []string{"zz\x00", "\x00" + hash + "\x00\x001\x00n", "\x00" + hash + "\x00\x00x\x00\x00\x00\x00", hash + "\x00\x001\x00\x00\x00\x00\n:1\x00p\x00"} {
		_, err := newLogParser(strings.NewReader(bad)).next()
		wantError(t, err, "unexpected output")
	}
}

func FuzzLogParse(f *testing.F) {
	hash := strings.Repeat("a", 40)
	f.Add([]byte("\x00" + hash + "\x00\x001\x00n\x00e\x00m\n\x00\x00\n:100644 000000 " + hash + " " + hash + " D\x00a b\x00\x00" + hash + "\x00\x002\x00\x00\x00\x00\x00"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := newLogParser(bytes.NewReader(data))
		for range len(data) + 1 {
			c, err := p.next()
			if err != nil {
				return
			}
			if !gitcmd.IsHash(c.Hash) {
				t.Fatalf("hash %q", c.Hash)
			}
			for _, file := range c.Files {
				if file.Path == "" || file.Old == "" && file.New == "" || file.Old != "" && !gitcmd.IsHash(file.Old) {
					t.Fatalf("%+v", file)
				}
			}
		}
		t.Fatal("no end")
	})
}

// The oldest commit of a shallow clone is compared with nothing: what it seems to
// have added is not told, and that the history ends there is an error: it was read as
// a history without changes.
func TestCommitsShallow(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"x": "1"})
	for _, text := range []string{"2", "3"} {
		put(t, r.Root(), map[string]string{"x": text})
		gitIn(t, r.Root(), "commit", "-q", "-a", "-m", text)
	}
	dir := filepath.Join(t.TempDir(), "shallow")
	gitIn(t, r.Root(), "clone", "-q", "--depth=2", "file://"+filepath.ToSlash(r.Root()), dir)
	var seen []string
	err := open(t, dir).Commits(t.Context(), nil, func(c history.Commit) (bool, error) {
		seen = append(seen, strings.TrimSpace(c.Message))
		return true, nil
	})
	var truncated *history.Truncated
	if !errors.As(err, &truncated) || truncated.Commit != gitIn(t, r.Root(), "rev-parse", "HEAD~1") || len(seen) != 1 || seen[0] != "3" {
		t.Errorf("%q, %v", seen, err)
	}
}
