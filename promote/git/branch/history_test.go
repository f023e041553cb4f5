package branch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/history"
)

// past makes a repository with a history that has merges of branches, files that were
// renamed, deleted and made executable, and more commits than are fetched at once.
func past(t testing.TB) string {
	t.Helper()
	work, bare := t.TempDir(), filepath.Join(t.TempDir(), "infra.git")
	gitIn(t, work, "init", "-q", "-b", "main")
	commit := func(name, data string) {
		put(t, work, name, data)
		gitIn(t, work, "add", "-A")
		gitIn(t, work, "commit", "-q", "-m", name+" "+data)
	}
	const long = "a line that stays\nand another\nand one more\n"
	commit("apps/cart/prod/k.yaml", long+"v0")
	commit("apps/web/prod/k.yaml", "w0")
	commit("README.md", "hello")
	for i := range 4 {
		commit("apps/cart/prod/k.yaml", fmt.Sprint(long, "v1.", i))
		commit("docs/a/b.md", fmt.Sprint(i))
		gitIn(t, work, "switch", "-q", "-c", fmt.Sprint("side", i))
		commit("apps/web/prod/k.yaml", fmt.Sprint("w", i+1))
		commit("apps/db [x]/prod/k.yaml", fmt.Sprint(i))
		gitIn(t, work, "switch", "-q", "main")
		commit("apps/cart/dev/k.yaml", fmt.Sprint("d", i))
		gitIn(t, work, "merge", "-q", "--no-ff", "-m", fmt.Sprint("merge ", i), fmt.Sprint("side", i))
	}
	gitIn(t, work, "mv", "apps/cart/prod", "apps/cart/production")
	gitIn(t, work, "commit", "-q", "-m", "rename")
	commit("apps/cart/production/k.yaml", long+"v2")
	gitIn(t, work, "rm", "-q", "apps/web/prod/k.yaml")
	gitIn(t, work, "commit", "-q", "-m", "remove")
	gitIn(t, work, "clone", "-q", "--bare", work, bare)
	gitIn(t, bare, "config", "uploadpack.allowFilter", "true")
	gitIn(t, bare, "config", "uploadpack.allowAnySHA1InWant", "true")
	return bare
}

// told is all that a log tells, and the records of what merges have brought.
func told(t *testing.T, log history.Log, before string, specs []string) string {
	t.Helper()
	var b strings.Builder
	var merges, blobs []string
	visit := func(c history.Commit) (bool, error) {
		fmt.Fprintln(&b, c.Hash, c.Parents, c.Author, c.Time.Unix(), c.Message, c.Files)
		if len(c.Parents) > 1 {
			merges = append(merges, c.Hash)
		}
		for _, f := range c.Files {
			if f.New != "" {
				blobs = append(blobs, f.New)
			}
		}
		return true, nil
	}
	err := error(nil)
	if before == "" {
		err = log.Commits(t.Context(), specs, visit)
	} else {
		err = log.(history.Follower).CommitsBefore(t.Context(), before, specs, visit)
	}
	if err != nil {
		t.Fatalf("%q: %v", specs, err)
	}
	for _, m := range merges {
		err := log.Merged(t.Context(), m, specs, func(c history.Commit) (bool, error) {
			fmt.Fprintln(&b, "brought", c.Hash, c.Files)
			return true, nil
		})
		if err != nil {
			t.Fatalf("%q: %s: %v", specs, m, err)
		}
	}
	if err := log.Blobs(t.Context(), blobs, func(id string, data []byte) error { _, err := fmt.Fprintln(&b, id, string(data)); return err }); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// apart is the first line in which two texts differ.
func apart(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for n := range min(len(g), len(w)) {
		if g[n] != w[n] {
			return fmt.Sprintf("line %d:\n got %s\nwant %s", n, g[n], w[n])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// TestFarHistory holds the history of a repository that is known by its URL against that of
// a clone, with the ends of what is fetched at every place.
func TestFarHistory(t *testing.T) {
	bare := past(t)
	tip := gitIn(t, bare, "rev-parse", "main")
	whole := git.LogIn(bare, tip)
	before := fetchDepths
	defer func() { fetchDepths = before }()
	for _, specs := range [][]string{
		nil, {":(glob)apps/cart/*/k.yaml", ":(glob)apps/web/prod/kustomization.yaml"},
		{":(top,literal)apps/db [x]/prod/k.yaml"}, {`:(glob)apps/db \[x]/*/k.yaml`}, {":(glob)**/k.yaml"},
	} {
		want := told(t, whole, "", specs)
		for depth := range 2 {
			fetchDepths = [...]int{depth + 2, 2*depth + 7, 1000}
			b, err := OfURL(t.Context(), "file://"+bare, "", Cache{})
			if err != nil {
				t.Fatal(err)
			}
			if got := told(t, b.Log(), "", specs); got != want {
				t.Errorf("%q, depth %d: %s", specs, depth+2, apart(got, want))
			}
			old := gitIn(t, bare, "rev-parse", "main~5")
			if got, want := told(t, b.Log(), old, specs), told(t, whole, old, specs); got != want {
				t.Errorf("%q, depth %d, before: %s", specs, depth+2, apart(got, want))
			}
			b.Close()
			if t.Failed() {
				return
			}
		}
	}
}

// Files that have got another path, and commits that a user names.
func TestFarRenames(t *testing.T) {
	bare := past(t)
	b, err := OfURL(t.Context(), "file://"+bare, "", Cache{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	log, commit, err := b.LogAt(t.Context(), "HEAD~2")
	if err != nil || commit != gitIn(t, bare, "rev-parse", "main~2") {
		t.Fatal(commit, err)
	}
	renames, err := log.(history.Follower).Renames(t.Context(), commit)
	if err != nil || len(renames) != 1 || renames[0].From != "apps/cart/prod/k.yaml" || renames[0].To != "apps/cart/production/k.yaml" {
		t.Errorf("got %v, %v", renames, err)
	}
	_, _, err = b.LogAt(t.Context(), "0123456")
	wantError(t, err, "there is no commit 0123456 in ")
	_, _, err = b.LogAt(t.Context(), "--all")
	wantError(t, err, "there is no commit --all in ")
}

// Beyond what is fetched at most the history is cut off, and that is said.
func TestFarHistoryEnds(t *testing.T) {
	bare := past(t)
	before := fetchDepths
	defer func() { fetchDepths = before }()
	fetchDepths = [...]int{2, 3, 4}
	b, err := OfURL(t.Context(), "file://"+bare, "", Cache{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	n := 0
	err = b.Log().Commits(t.Context(), nil, func(history.Commit) (bool, error) { n++; return true, nil })
	var cut *history.Truncated
	if !errors.As(err, &cut) || n != 3 {
		t.Errorf("%d commits, and then %v", n, err)
	}
	n = 0
	err = b.Log().Commits(t.Context(), nil, func(history.Commit) (bool, error) { n++; return n < 2, nil })
	if err != nil || n != 2 {
		t.Errorf("%d commits, and then %v", n, err)
	}
	stop := errors.New("stop")
	if err = b.Log().Commits(context.Background(), nil, func(history.Commit) (bool, error) { return true, stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}
