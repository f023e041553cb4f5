package branch

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
)

// A proposal is a branch of its own. It stays as it is as long as it says the same about
// files that have not changed since, is made anew where they have, and is left alone
// where somebody else has committed on it.
func TestPropose(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"of a remote", "of a URL"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			bare := server(t)
			b := ofRemote(t, clone(t, bare))
			if kind == "of a URL" {
				var err error
				if b, err = OfURL(t.Context(), "file://"+bare, "main", Cache{}); err != nil {
					t.Fatal(err)
				}
				defer b.Close()
			}
			propose := func(data string) (string, error) {
				if err := b.Fetch(t.Context()); err != nil {
					t.Fatal(err)
				}
				return b.Commit(context.Background(), promote.Delivery{Head: b.Tip(), Proposal: "promote/prod/cart",
					Files: []promote.File{{Path: "apps/cart/prod/k.yaml", Data: []byte(data)}}, Message: "promote\n\nPromotion-Service: cart\nPromotion-To: prod\n"})
			}
			main := gitIn(t, bare, "rev-parse", "main")
			first, err := propose("tag: v2\n")
			if err != nil || gitIn(t, bare, "rev-parse", "promote/prod/cart") != first || gitIn(t, bare, "rev-parse", "main") != main {
				t.Fatal(first, err)
			}
			// Something else lands on main.
			other := ofRemote(t, clone(t, bare))
			if _, err := deliver(other, "apps/web/prod/k.yaml", "tag: v8\n"); err != nil {
				t.Fatal(err)
			}
			if again, err := propose("tag: v2\n"); err != nil || again != first {
				t.Errorf("made anew for nothing: %s, %v", again, err)
			}
			second, err := propose("tag: v3\n")
			if err != nil || second == first || gitIn(t, bare, "rev-parse", second+"^") != gitIn(t, bare, "rev-parse", "main") {
				t.Errorf("%s, %v", second, err)
			}
			// The file itself has changed on main.
			if err := other.Fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := deliver(other, "apps/cart/prod/k.yaml", "tag: v1 # mended\n"); err != nil {
				t.Fatal(err)
			}
			if third, err := propose("tag: v3\n"); err != nil || third == second {
				t.Errorf("it stands on what is gone: %s, %v", third, err)
			}

			head := gitIn(t, bare, "rev-parse", "promote/prod/cart")
			for commit, want := range map[string]bool{head: true, head[:12]: true, main: false, "": false} {
				if ours, err := b.Proposes(t.Context(), "promote/prod/cart", commit); err != nil || ours != want {
					t.Errorf("%q proposes: %v, %v", commit, ours, err)
				}
			}
			dir := filepath.Join(t.TempDir(), "somebody")
			gitIn(t, t.TempDir(), "clone", "-q", "-b", "promote/prod/cart", bare, dir)
			gitIn(t, dir, "commit", "-q", "--allow-empty", "-m", "my own")
			gitIn(t, dir, "push", "-q")
			if ours, err := b.Proposes(t.Context(), "promote/prod/cart", gitIn(t, dir, "rev-parse", "HEAD")); err != nil || ours {
				t.Errorf("somebody's commit is a promotion: %v", err)
			}
			_, err = propose("tag: v4\n")
			wantError(t, err, "has commits that are no promotions, and is left alone")
			if now := gitIn(t, bare, "rev-parse", "promote/prod/cart"); now != gitIn(t, dir, "rev-parse", "HEAD") {
				t.Error("somebody's commit is lost")
			}
		})
	}
}

// The branches of proposals may be in a fork, whose objects the repository itself does not
// have. What is committed is still built on the repository's own branch.
func TestProposeInFork(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"a remote", "a URL", "a URL of a URL"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			bare, fork := server(t), filepath.Join(t.TempDir(), "fork.git")
			gitIn(t, t.TempDir(), "clone", "-q", "--bare", bare, fork)
			r := clone(t, bare)
			b, name := ofRemote(t, r), "file://"+fork
			switch kind {
			case "a remote":
				name = "mine"
				gitIn(t, r.Root(), "remote", "add", "mine", fork)
			case "a URL of a URL":
				var err error
				if b, err = OfURL(t.Context(), "file://"+bare, "main", Cache{}); err != nil {
					t.Fatal(err)
				}
				defer b.Close()
				_, err = b.ProposeIn(t.Context(), "mine")
				wantError(t, err, "there is no clone that could know it")
			}
			home := b
			b, err := home.ProposeIn(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if at, err := b.ForkURL(t.Context()); err != nil || !strings.HasSuffix(at, fork) {
				t.Errorf("the fork is at %s, %v", at, err)
			}
			propose := func(data string) (string, error) {
				return b.Commit(context.Background(), promote.Delivery{Head: b.Tip(), Proposal: "promote/prod/cart",
					Files: []promote.File{{Path: "apps/cart/prod/k.yaml", Data: []byte(data)}}, Message: "promote\n\nPromotion-Service: cart\nPromotion-To: prod\n"})
			}
			first, err := propose("tag: v2\n")
			if err != nil || gitIn(t, fork, "rev-parse", "promote/prod/cart") != first || gitIn(t, bare, "for-each-ref", "--format=%(refname)", "refs/heads/promote") != "" {
				t.Fatal(first, err)
			}
			if again, err := propose("tag: v2\n"); err != nil || again != first {
				t.Errorf("made anew for nothing: %s, %v", again, err)
			}
			if second, err := propose("tag: v3\n"); err != nil || gitIn(t, fork, "rev-parse", "promote/prod/cart") != second {
				t.Errorf("%s, %v", second, err)
			}
			heads, err := b.Heads(t.Context(), "promote/")
			if err != nil || len(heads) != 1 {
				t.Errorf("heads %v, %v", heads, err)
			}
			_, err = b.ProposeIn(t.Context(), "ext::sh -c x")
			wantError(t, err, "")

			// Each delivery says itself whether it is one of the fork: what was set for one of them
			// stuck to the branch, and those of others went to the fork as well.
			mine := fork
			deliver := func(fork, proposal string) {
				t.Helper()
				hash, err := home.Commit(t.Context(), promote.Delivery{Head: home.Tip(), Proposal: proposal, Fork: fork,
					Files: []promote.File{{Path: "apps/cart/prod/k.yaml", Data: []byte("tag: v2\n")}}, Message: "promote\n\nPromotion-Service: cart\nPromotion-To: prod\n"})
				at := bare
				if fork != "" {
					at = mine
				}
				if err != nil || gitIn(t, at, "rev-parse", proposal) != hash {
					t.Errorf("%q: %s, %v", fork, hash, err)
				}
			}
			deliver(name, "promote/eu/cart")
			deliver("", "promote/us/cart")
		})
	}
}

// What cannot be proposed says so.
func TestProposeRefuses(t *testing.T) {
	t.Parallel()
	r := clone(t, server(t))
	gitIn(t, r.Root(), "switch", "-q", "-c", "work")
	b, err := OfClone(t.Context(), r, "main")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	d := promote.Delivery{Head: b.Tip(), Proposal: "promote/x", Files: []promote.File{{Path: "promotion.yaml", Data: []byte("x")}}, Message: "m"}
	_, err = b.Commit(t.Context(), d)
	wantError(t, err, "a branch of this clone alone cannot be proposed to")
	remote := ofRemote(t, r)
	d.Proposal = "promote/a b"
	_, err = remote.Commit(t.Context(), d)
	wantError(t, err, "is malformed")
}

// Bitbucket Cloud gives 12 digits of a commit, and a gate about a pull request that was merged
// was unknown for ever. What is here is found by them; no remote is asked for less than all.
func TestMergedByPrefix(t *testing.T) {
	t.Parallel()
	bare := server(t)
	r := clone(t, bare)
	b := ofRemote(t, r)
	head := gitIn(t, r.Root(), "rev-parse", "HEAD")
	for _, commit := range []string{head, head[:12]} {
		if at, err := b.Merged(t.Context(), commit); err != nil || at.Tip() != head {
			t.Errorf("%s: %v", commit, err)
		}
	}
	for commit, want := range map[string]string{
		head[:11]: "the forge gives no whole commit", "": "the forge gives no whole commit", "HEAD": "the forge gives no whole commit",
		"0123456789ab": "none here begins with 0123456789ab", "feedfeedfeed": "there is a reference that is called feedfeedfeed",
	} {
		gitIn(t, r.Root(), "branch", "-f", "feedfeedfeed")
		_, err := b.Merged(t.Context(), commit)
		wantError(t, err, want)
	}
}
