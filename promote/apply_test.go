package promote

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

func planned(t *testing.T, p *Promoter, req Request) *Plan {
	t.Helper()
	plan, err := p.Plan(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

const (
	cartStaging    = "apps/cart/overlays/staging/kustomization.yaml"
	cartProduction = "apps/cart/overlays/production/kustomization.yaml"
	webProduction  = "apps/web/overlays/production/kustomization.yaml"
)

var promoteAll = Request{All: true, To: "production"}

// What changes between plan and apply stops the promotion, and nothing is written.
func TestApplyStale(t *testing.T) {
	const stale = "the repository has a new commit since the plan was made, or another branch"
	for _, tc := range []struct {
		name   string
		mode   pipeline.DeliverMode
		change func(*fakeRepo)
		want   []string
	}{
		{"nothing", pipeline.DeliverWorktree, func(*fakeRepo) {}, nil},
		{"nothing, to commit", pipeline.DeliverCommit, func(*fakeRepo) {}, nil},
		{"a new commit", pipeline.DeliverWorktree, func(r *fakeRepo) { r.record("x", "eve") }, []string{stale, "hint: promote again"}},
		{"another branch", pipeline.DeliverWorktree, func(r *fakeRepo) { r.branch = "other" }, []string{stale, "hint: promote again"}},
		{"another branch, to commit", pipeline.DeliverCommit, func(r *fakeRepo) { r.branch = "other" }, []string{stale, "hint: promote again"}},
		{"a target", pipeline.DeliverWorktree, func(r *fakeRepo) { r.edit("-- " + cartProduction + " --\nimages: []\n") },
			[]string{cartProduction + ": has uncommitted changes (modified)", "hint: git commit " + cartProduction + ", or git stash"}},
		{"a target, staged", pipeline.DeliverCommit, func(r *fakeRepo) { r.dirty = map[string]string{webProduction: "staged"} },
			[]string{webProduction + ": has uncommitted changes (staged)", "hint: git commit " + webProduction + ", or git stash"}},
		{"a merge begins", pipeline.DeliverCommit, func(r *fakeRepo) { r.busy = "merge" }, []string{"a merge is in progress", "hint: finish it, or git merge --abort"}},
		{"a merge begins, and there is nothing to commit", pipeline.DeliverWorktree, func(r *fakeRepo) { r.busy = "merge" }, nil},
		{"git fails", pipeline.DeliverWorktree, func(r *fakeRepo) { r.stateErr = errors.New("git: bad index") }, []string{"git: bad index"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, repo := newShop(t, twoServices)
			req := promoteAll
			req.Mode = tc.mode
			plan := planned(t, p, req)
			before := repo.working()
			tc.change(repo)
			changed := repo.working()
			commits := len(repo.commits)
			done, err := p.Apply(context.Background(), plan)
			wantError(t, err, tc.want...)
			if err != nil {
				if done != nil || len(repo.written) > 0 || len(repo.commits) != commits || !cmp.Equal(changed, repo.working()) {
					t.Errorf("%+v: %q is written", done, repo.written)
				}
				return
			}
			if !slices.Equal(done.Files, []string{cartProduction, webProduction}) || !slices.Equal(done.Files, repo.written) || done.Commit != "" != (tc.mode == pipeline.DeliverCommit) {
				t.Errorf("%+v, written %q", done, repo.written)
			}
			if want := strings.Replace(string(before[cartProduction]), "newTag: v1 #", "newTag: v2 #", 1); !strings.HasPrefix(string(repo.MapFS[cartProduction].Data), want) {
				t.Errorf("got %s", repo.MapFS[cartProduction].Data)
			}
		})
	}
}

// A second promotion of the same finds nothing to do.
func TestApplyTwice(t *testing.T) {
	p, repo := newShop(t, twoServices)
	req := promoteAll
	req.Mode = pipeline.DeliverCommit
	first, err := p.Apply(context.Background(), planned(t, p, req))
	if err != nil || first.Commit != "c2" {
		t.Fatalf("%+v, %v", first, err)
	}
	again := planned(t, p, req)
	if again.Changed() || again.Answer != Pass {
		t.Errorf("%q", outline(again))
	}
	second, err := p.Apply(context.Background(), again)
	if err != nil || second.Commit != "" || len(second.Files) > 0 || len(repo.commits) != 2 {
		t.Errorf("%+v, %v, %d commits", second, err, len(repo.commits))
	}
}

// A run that was interrupted between writing and committing is completed by the
// next: it takes what it finds in the files for its own where it is what it would
// write, and for nobody else's.
func TestApplyCompletes(t *testing.T) {
	p, repo := newShop(t, twoServices)
	req := promoteAll
	req.Mode = pipeline.DeliverCommit
	repo.commitErr = errors.New("hook said no")
	_, err := p.Apply(context.Background(), planned(t, p, req))
	wantError(t, err, "the files are written but not committed: hook said no",
		"hint: mend it and promote again, or git checkout -- "+cartProduction+" "+webProduction)

	repo.commitErr, repo.written = nil, nil
	plan := planned(t, p, req)
	if want := []string{"cart: shop/cart :v1 → :v2@sha:2", "cart changes", "web: shop/web :v7 → :v7@sha:7", "web changes"}; !cmp.Equal(want, outline(plan)) {
		t.Errorf("what is committed counts, not what is written: %q", outline(plan))
	}
	done, err := p.Apply(context.Background(), plan)
	if err != nil || done.Commit == "" || len(done.Files) > 0 {
		t.Errorf("%+v, %v: the files have their content already", done, err)
	}
	if !cmp.Equal(repo.head(), repo.working()) {
		t.Error("something is not committed")
	}
}

// What is not committed when the plan is made.
func TestPlanOnDirtyFiles(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*fakeRepo)
		mode   pipeline.DeliverMode
		want   []string
	}{
		{"the source", func(r *fakeRepo) { r.edit("-- " + cartStaging + " --\nimages: [{name: shop/cart, newTag: v2}]\n") }, "",
			[]string{cartStaging + ": has uncommitted changes (modified)", "hint: git commit " + cartStaging + ", or git stash"}},
		{"the source is not known to git", func(r *fakeRepo) { r.dirty = map[string]string{cartStaging: "untracked"} }, "",
			[]string{cartStaging + ": has uncommitted changes (untracked)", "hint: git add " + cartStaging + " && git commit"}},
		{"the target, by somebody else", func(r *fakeRepo) {
			r.edit("-- " + cartProduction + " --\nimages:\n- {name: shop/cart, newTag: v0}\n")
		}, "",
			[]string{cartProduction + ": has uncommitted changes (modified)", "hint: git commit " + cartProduction + ", or git stash"}},
		{"the target is new", func(r *fakeRepo) { r.dirty = map[string]string{cartProduction: "untracked"} }, "",
			[]string{cartProduction + ": has uncommitted changes (untracked)", "hint: git add " + cartProduction + " && git commit"}},
		{"git does not look", func(r *fakeRepo) { r.dirty = map[string]string{cartProduction: "hidden"} }, "",
			[]string{cartProduction + ": git is told not to look for changes in it (assume-unchanged or skip-worktree)",
				"hint: git update-index --no-assume-unchanged --no-skip-worktree " + cartProduction}},
		{"source and target", func(r *fakeRepo) { r.dirty = map[string]string{cartStaging: "staged", cartProduction: "conflicted"} }, "",
			[]string{cartStaging + ": has uncommitted changes (staged)", "hint: git commit " + cartStaging + ", or git stash",
				cartProduction + ": has uncommitted changes (conflicted)", "hint: git commit " + cartProduction + ", or git stash"}},
		{"a detached head", func(r *fakeRepo) { r.branch = "" }, pipeline.DeliverCommit, []string{"HEAD is detached: a commit would be on no branch", "hint: git switch BRANCH"}},
		{"a rebase", func(r *fakeRepo) { r.busy = "rebase" }, pipeline.DeliverCommit, []string{"a rebase is in progress", "hint: finish it, or git rebase --abort"}},
		{"a rebase, and no commit wanted", func(r *fakeRepo) { r.busy = "rebase" }, pipeline.DeliverWorktree, nil},
		{"the target, staged by an interrupted run", func(r *fakeRepo) {
			r.edit("-- " + cartProduction + " --\n# the cart\nimages:\n- name: shop/cart\n  newTag: v2 # since May\n  digest: " + sha("2") + "\n")
			r.dirty = map[string]string{cartProduction: "staged"}
		}, "", nil},
		{"another service", func(r *fakeRepo) { r.edit("-- " + webProduction + " --\nimages: []\n") }, "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, repo := newShop(t, twoServices)
			tc.change(repo)
			_, err := p.Plan(context.Background(), Request{Services: []string{"cart"}, To: "production", Mode: tc.mode})
			wantError(t, err, tc.want...)
		})
	}
}

// An index that nobody has touched since the plan spares the look at each path.
func TestApplyTrustsTheIndex(t *testing.T) {
	for index, want := range map[string]int{"same": 1, "": 2} {
		p, repo := newShop(t, twoServices)
		repo.index = index
		plan := planned(t, p, promoteAll)
		repo.states = 0
		if _, err := p.Apply(context.Background(), plan); err != nil || repo.states != want {
			t.Errorf("index %q: %d looks, %v, want %d", index, repo.states, err, want)
		}
	}
}

// rejecting answers no for the images of one repository.
type rejecting string

func (r rejecting) Verify(_ context.Context, req VerifyRequest, done func()) ([]Verification, error) {
	var out []Verification
	for _, image := range req.Images {
		v := Verification{Image: image, Answer: Pass, Reason: "signed"}
		if strings.HasPrefix(image, string(r)+"@") {
			v = Verification{Image: image, Answer: Fail, Reason: "not signed"}
		}
		out = append(out, v)
		done()
	}
	return out, nil
}

// A service that is left out because it is refused is neither written nor in the record.
// It was both: only one whose digest was not known stayed as it was.
func TestApplySkipsRefused(t *testing.T) {
	p, repo := newShop(t, strings.Replace(twoServices, "v7\n-- apps/web/overlays/production", "v8\n-- apps/web/overlays/production", 1))
	p.Resolver = &registry{tags: map[string]string{"shop/cart:v2": sha("2"), "shop/web:v8": sha("8")}}
	p.Verifier = rejecting("shop/web")
	plan := planned(t, p, Request{All: true, To: "production", Policy: "p.yaml", SkipRefused: true, Mode: pipeline.DeliverCommit})
	if _, err := p.Apply(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{cartProduction}, repo.written); d != "" {
		t.Error(d)
	}
	if got := repo.commits[1].Message; strings.Contains(got, "web") || !strings.HasPrefix(got, "promote(production): cart → v2\n") {
		t.Error(got)
	}
}
