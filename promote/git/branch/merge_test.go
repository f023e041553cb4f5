package branch

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/mergeplan"
)

// Git's list of conflicts names a file once for each version, and says why behind it; what
// is no conflict is said there as well.
func TestConflicts(t *testing.T) {
	fields := strings.Split("100644 aaa 1\ta file\x00100644 bbb 2\ta file\x00100644 ccc 3\ta file\x00100644 ddd 2\tb\nc\x00\x00"+
		"1\x00a file\x00Auto-merging\x00Auto-merging a file\n\x001\x00a file\x00CONFLICT (contents)\x00CONFLICT (content): Merge conflict in a file\n\x00"+
		"2\x00b\nc\x00other\x00CONFLICT (rename/delete)\x00CONFLICT (rename/delete): it has gone\n\x00", "\x00")
	got := conflicts(fields)
	if len(got) != 2 || got[0].File != "a file" || got[0].Why != "CONFLICT (content): Merge conflict in a file" || got[1].File != "b\nc" || !strings.HasSuffix(got[1].Why, "it has gone") {
		t.Errorf("got %+v", got)
	}
	for _, broken := range []string{"", "x", "\x00", "\x00\x00-3\x00a", "\x00\x0099999999\x00a", "100644 a 1\tf\x00\x001"} {
		conflicts(strings.Split(broken, "\x00")) // hostile or cut off, it must not panic
	}
}

// The lines of a conflict are those of the branch's own file.
func TestHunks(t *testing.T) {
	got := hunks([]byte("one\n<<<<<<< x\nours\nmore\n=======\ntheirs\n>>>>>>> y\nlast\n<<<<<<< x\n=======\nnew\n>>>>>>> y\n"))
	want := []mergeplan.Hunk{{Line: 2, Ours: "ours\nmore\n", Theirs: "theirs\n"}, {Line: 5, Theirs: "new\n"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
	many := hunks([]byte(strings.Repeat("<<<<<<< x\n"+strings.Repeat("a", 9000)+"\n=======\nb\n>>>>>>> y\n", 50)))
	if len(many) != mostHunks || len(many[0].Ours) > hunkSize {
		t.Errorf("%d hunks, the first of %d bytes", len(many), len(many[0].Ours))
	}
}

// A merge is proposed once and found again; pushed, it is made on what the branch is then,
// and on nothing else.
func TestCommitTree(t *testing.T) {
	t.Parallel()
	bare := server(t)
	gitIn(t, bare, "branch", "staging", "main")
	b := ofRemote(t, clone(t, bare))
	staging, err := b.Other(t.Context(), "staging")
	if err != nil {
		t.Fatal(err)
	}
	defer staging.Close()
	from, err := deliver(staging, "apps/cart/prod/k.yaml", "tag: v2\n")
	if err != nil {
		t.Fatal(err)
	}
	merge := func(proposal string) (string, error) {
		m, err := b.Merge(t.Context(), from)
		if err != nil || len(m.Conflicts) > 0 {
			t.Fatal(m, err)
		}
		return b.CommitTree(t.Context(), promote.Delivery{Head: b.Tip(), Proposal: proposal, Message: "promote\n\nPromotion-Service: cart\nPromotion-To: prod\n",
			Files: []promote.File{{Path: "apps/cart/prod/k.yaml", Data: []byte("tag: v2\n")}}}, Content{Tree: m.Tree, Merged: from})
	}
	first, err := merge("promote/prod/cart")
	if err != nil || gitIn(t, bare, "rev-parse", "promote/prod/cart^2") != from {
		t.Fatal(first, err)
	}
	if again, err := merge("promote/prod/cart"); err != nil || again != first {
		t.Errorf("made anew for nothing: %s, %v", again, err)
	}
	if _, err := deliver(ofRemote(t, clone(t, bare)), "apps/web/prod/k.yaml", "tag: v8\n"); err != nil {
		t.Fatal(err)
	}
	var moved *promote.Moved
	if _, err := merge(""); !errors.As(err, &moved) {
		t.Fatalf("got %v", err)
	}
	if err := b.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if hash, err := merge(""); err != nil || gitIn(t, bare, "rev-parse", "main") != hash || gitIn(t, bare, "rev-parse", "main^2") != from {
		t.Errorf("%s, %v", hash, err)
	}
	if data := gitIn(t, bare, "show", "main:apps/web/prod/k.yaml"); data != "tag: v8" {
		t.Errorf("somebody else's change is %q", data)
	}
}
