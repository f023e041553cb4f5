package git

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kubepromote/kubepromote/promote/history"
)

// diverged is a repository in which two branches have parted: main with two commits, and
// topic with one.
func diverged(t *testing.T) *Repo {
	r := newRepo(t, map[string]string{"a": "1", "b": "1", "c": "1"})
	gitIn(t, r.top, "branch", "topic")
	for _, text := range []string{"2", "3"} {
		put(t, r.top, map[string]string{"a": text})
		gitIn(t, r.top, "commit", "-qam", "main "+text)
	}
	gitIn(t, r.top, "switch", "-q", "topic")
	gitIn(t, r.top, "mv", "b", "d")
	gitIn(t, r.top, "commit", "-qam", "topic")
	return r
}

// Whoever has had a part in a change is told, whatever their names are like: names with commas
// were taken for none, as they are no addresses of mail, and co-authors were not told. One
// line is one person, also where the trailer has several lines.
func TestAuthors(t *testing.T) {
	r := newRepo(t, map[string]string{"a": "1"})
	base := headOf(t, r)
	for _, commit := range [][2]string{
		{"Lovelace, Ada <ada@x>", "one\n\nbody: Co-authored-by: nobody <nobody@x>\n\nCo-authored-by: Hopper, Grace <grace@x>\nco-authored-by: \"Katherine\n  Johnson\" <katherine@x>"},
		{"  Ada   King  <ada@x>", "two"},
		{"Ada, or so <ada@z>", "three\n\nCo-authored-by: ada@w\nReviewed-by: Bob <bob@x>"},
	} {
		gitIn(t, r.top, "commit", "-q", "--allow-empty", "--author", commit[0], "-m", commit[1])
	}
	got, err := r.Authors(t.Context(), base, headOf(t, r))
	want := []string{`"Katherine Johnson" <katherine@x>`, "Hopper, Grace <grace@x>", "ada@w", "ada@x", "ada@z"}
	if slices.Sort(want); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// The newest twenty commits of a push were looked at, whatever they were about.
func TestLine(t *testing.T) {
	r := newRepo(t, map[string]string{"a": "1", "b": "1"})
	base := headOf(t, r)
	var want []string
	for i := range 30 {
		name := "b"
		if i < 3 {
			name = "a"
		}
		put(t, r.top, map[string]string{name: fmt.Sprint(i + 2)})
		gitIn(t, r.top, "commit", "-q", "-a", "-m", name)
		if name == "a" {
			want = append([]string{headOf(t, r)}, want...)
		}
	}
	got, err := r.Line(t.Context(), base, headOf(t, r), []string{"a"})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if got, err = r.Line(t.Context(), base, headOf(t, r), nil); err != nil || len(got) != 30 || got[0] != headOf(t, r) {
		t.Errorf("without files: got %q, %v", got, err)
	}
}

func TestMergeBaseAndChanged(t *testing.T) {
	r, ctx := diverged(t), t.Context()
	revision := func(name string) string {
		hash, err := r.Revision(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	base, err := r.MergeBase(ctx, revision("main"), revision("topic"))
	if err != nil || base != revision("main~2") {
		t.Fatalf("got %s, %v, want %s", base, err, revision("main~2"))
	}
	files, err := r.Changed(ctx, base, revision("topic"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Path)
		if (f.Old == "") != (f.Path == "d") || (f.New == "") != (f.Path == "b") {
			t.Errorf("%+v", f)
		}
	}
	if want := []string{"b", "d"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, name := range []string{"nowhere", "--all", "main:a", ""} {
		if hash, err := r.Revision(ctx, name); err == nil {
			t.Errorf("%q is commit %s", name, hash)
		}
	}
}

// In a shallow clone a merge base is sure only where it is the base itself.
func TestMergeBaseOfShallowClone(t *testing.T) {
	full, ctx := diverged(t), t.Context()
	gitIn(t, full.top, "switch", "-qc", "other", "main")
	gitIn(t, full.top, "merge", "-q", "topic", "-m", "merge")
	dir := filepath.Join(t.TempDir(), "shallow")
	gitIn(t, full.top, "clone", "-q", "--depth=2", "--branch=other", "file://"+filepath.ToSlash(full.top), dir)
	r := open(t, dir)
	head, err := r.Revision(ctx, "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	// What a shallow clone lacks may well be there: nobody can tell.
	for name, want := range map[string]bool{"HEAD~9": true, head[:7] + "0123456789": true, "nowhere": false} {
		_, err := r.Revision(ctx, name)
		if _, cut := errors.AsType[*history.Truncated](err); err == nil || cut != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	first, err := r.Revision(ctx, "HEAD^1")
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.Revision(ctx, "HEAD^2")
	if err != nil {
		t.Fatal(err)
	}
	if base, err := r.MergeBase(ctx, first, head); err != nil || base != first {
		t.Errorf("got %s, %v, want the base itself, %s", base, err, first)
	}
	var cut *history.Truncated
	if base, err := r.MergeBase(ctx, first, second); !errors.As(err, &cut) {
		t.Errorf("got %s, %v, want that the history is cut off", base, err)
	}
}

// Commits that have nothing in common have no change between them.
func TestMergeBaseOfStrangers(t *testing.T) {
	r, ctx := diverged(t), t.Context()
	gitIn(t, r.top, "switch", "-q", "--orphan", "strange")
	gitIn(t, r.top, "commit", "-q", "--allow-empty", "-m", "strange")
	one, err := r.Revision(ctx, "main")
	if err != nil {
		t.Fatal(err)
	}
	two, err := r.Revision(ctx, "strange")
	if err != nil {
		t.Fatal(err)
	}
	if base, err := r.MergeBase(ctx, one, two); err == nil {
		t.Errorf("got %s", base)
	}
}
