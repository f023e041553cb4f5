package branch

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote"
)

// forgeLike makes commits in a bare repository, as a forge does: with another author than
// the user, and in its own way where it is told to.
type forgeLike struct {
	t           *testing.T
	bare        string
	script      string // run before the commit, in its working tree
	made        []string
	base, extra string
}

func (f *forgeLike) Make(_ context.Context, m Making) (string, error) {
	dir := filepath.Join(f.t.TempDir(), "forge")
	gitIn(f.t, f.bare, "worktree", "add", "-q", "-b", m.Branch, dir, m.Parent)
	defer gitIn(f.t, f.bare, "worktree", "remove", "--force", dir)
	if f.base != "" {
		gitIn(f.t, dir, "reset", "-q", "--hard", f.base)
	}
	for i, file := range m.Files {
		if have := gitIn(f.t, dir, "rev-parse", m.Parent+":"+file.Path); have != m.Objects[i] {
			f.t.Errorf("%s is %s and not %s", file.Path, have, m.Objects[i])
		}
		put(f.t, dir, file.Path, string(file.Data))
	}
	if f.script != "" {
		put(f.t, dir, "late", f.script)
	}
	gitIn(f.t, dir, "add", "-A")
	gitIn(f.t, dir, "-c", "user.name=The Forge", "-c", "user.email=forge@example.com", "commit", "-q", "--cleanup=verbatim", "-m", m.Message+f.extra)
	f.made = append(f.made, gitIn(f.t, dir, "rev-parse", "HEAD"))
	return f.made[len(f.made)-1], nil
}

// A forge makes the commit, and it lands as the forge has made it. What is not as it was
// meant is thrown away before any branch leads to it, and nothing is left of the branch that
// it was made on.
func TestByOther(t *testing.T) {
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
			first := b.Tip()
			commit := func(f *forgeLike, proposal string) (string, error) {
				f.t, f.bare = t, bare
				b.MakeBy("prod", f)
				if err := b.Fetch(t.Context()); err != nil {
					t.Fatal(err)
				}
				return b.Commit(context.Background(), promote.Delivery{Head: b.Tip(), Proposal: proposal, ByForge: "prod",
					Files: []promote.File{{Path: "apps/cart/prod/k.yaml", Data: []byte("tag: v2\n")}}, Message: "promote\n\nPromotion-Service: cart\nPromotion-To: prod\n"})
			}
			for want, f := range map[string]*forgeLike{
				"whose files are not those of the plan":      {script: "x"},
				"with another message than that of the plan": {extra: "\nPromotion-Service: web\n"},
			} {
				_, err := commit(f, "")
				wantError(t, err, want)
			}
			if now := gitIn(t, bare, "rev-parse", "main"); now != first {
				t.Fatalf("main is at %s", now)
			}
			f := &forgeLike{extra: "Co-authored-by: Ada <ada@example.com>\n"}
			hash, err := commit(f, "promote/prod/cart")
			if err != nil || len(f.made) != 1 || hash != f.made[0] || gitIn(t, bare, "rev-parse", "promote/prod/cart") != hash {
				t.Fatalf("%s, %v, made %v", hash, err, f.made)
			}
			if again, err := commit(f, "promote/prod/cart"); err != nil || again != hash || len(f.made) != 1 {
				t.Errorf("a proposal that stands is made anew: %s, %v", again, err)
			}
			if hash, err = commit(f, ""); err != nil || gitIn(t, bare, "rev-parse", "main") != hash || hash != f.made[len(f.made)-1] {
				t.Errorf("%s, %v", hash, err)
			}
			// Two environments share the branch, and each has its own forge: the one that was set
			// last made the commits of both.
			other := &forgeLike{}
			b.MakeBy("eu", other)
			made := len(f.made)
			hash, err = b.Commit(context.Background(), promote.Delivery{Head: b.Tip(), ByForge: "prod", Files: []promote.File{{Path: "apps/cart/prod/k.yaml", Data: []byte("tag: v2b\n")}}, Message: "promote\n"})
			if err != nil || len(f.made) != made+1 || hash != f.made[made] || len(other.made) != 0 {
				t.Errorf("%s, %v, made %v and by the other %v", hash, err, f.made, other.made)
			}
			stale := &forgeLike{base: first}
			b.MakeBy("prod", stale)
			stale.t, stale.bare = t, bare
			_, err = b.Commit(context.Background(), promote.Delivery{Head: b.Tip(), ByForge: "prod", Files: []promote.File{{Path: "apps/cart/prod/k.yaml", Data: []byte("tag: v3\n")}}, Message: "promote\n"})
			if moved := (*promote.Moved)(nil); !errors.As(err, &moved) {
				t.Errorf("made on another commit: %v", err)
			}
			// A delivery that does not say so is committed by git, whatever an earlier one was: two
			// environments may share the branch. One that says so is not where no forge is known.
			d := promote.Delivery{Head: b.Tip(), Files: []promote.File{{Path: "apps/cart/prod/k.yaml", Data: []byte("tag: v4\n")}}, Message: "promote\n"}
			if hash, err := b.Commit(context.Background(), d); err != nil || hash == stale.made[len(stale.made)-1] || len(stale.made) != 1 {
				t.Errorf("by git: %s, %v, made %v", hash, err, stale.made)
			}
			b.MakeBy("prod", nil)
			d.Head, d.ByForge = b.Tip(), "prod"
			_, err = b.Commit(context.Background(), d)
			wantError(t, err, "a forge is to make the commit, and none is known")
			if refs := gitIn(t, bare, "for-each-ref", "--format=%(refname)"); strings.Contains(refs, madeIn) {
				t.Errorf("left: %s", refs)
			}
		})
	}
}
