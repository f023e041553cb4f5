package promote

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

const twoTargets = `
-- staging/cart.yaml --
image: {repository: shop/cart, tag: v2}
-- eu/cart.yaml --
image: {repository: shop/cart, tag: v1}
-- us/cart.yaml --
image: {repository: shop/cart, tag: v1}
`

// newTargets is a promoter with two environments that follow staging, in a group.
func newTargets(t *testing.T, archive string) (*Promoter, *fakeRepo) {
	t.Helper()
	p, err := pipeline.Parse("promotion.yaml", []byte(`apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  layout: ["{environment}/{service}.yaml"]
  environments:
  - {name: staging}
  - {name: eu, group: production, from: [staging], deliver: {mode: commit}}
  - {name: us, group: production, from: [staging], deliver: {mode: commit}}
  - {name: asia, from: [eu], deliver: {mode: commit}}
`))
	if err != nil {
		t.Fatal(err)
	}
	repo := newRepo(archive)
	return &Promoter{Repo: repo, Pipeline: p, Resolver: twoTags(), Rules: Rules{Commit: "c1"}}, repo
}

// Each environment gets a commit, the second on top of the first, and both what one tag
// stood for when it was asked about, which is once.
func TestApplyAll(t *testing.T) {
	p, repo := newTargets(t, twoTargets)
	plans, err := p.PlanAll(t.Context(), Request{Services: []string{"cart"}}, "us", "production", "us")
	if err != nil {
		t.Fatal(err)
	}
	p.Resolver.(*registry).tags["shop/cart:v2"] = sha("3") // which is pushed anew meanwhile
	done, err := p.ApplyAll(t.Context(), plans)
	if err != nil {
		t.Fatal(err)
	}
	var commits []string
	for n, a := range done {
		commits = append(commits, plans.All[n].To+" on "+plans.All[n].Head+" is "+a.Commit)
	}
	if d := cmp.Diff([]string{"eu on c1 is c2", "us on c2 is c3"}, commits); d != "" {
		t.Error(d)
	}
	for _, file := range []string{"eu/cart.yaml", "us/cart.yaml"} {
		if got := string(repo.head()[file]); !strings.Contains(got, sha("2")) {
			t.Errorf("%s: %s", file, got)
		}
	}
	if d := cmp.Diff([]string{"shop/cart:v2"}, p.Resolver.(*registry).asked); d != "" {
		t.Error(d)
	}
}

// afterFirst changes the repository as soon as it has one more commit.
type afterFirst struct {
	*fakeRepo
	change func(*fakeRepo)
}

func (r *afterFirst) Commit(ctx context.Context, d Delivery) (string, error) {
	commit, err := r.fakeRepo.Commit(ctx, d)
	if r.change != nil {
		r.change(r.fakeRepo)
		r.change = nil
	}
	return commit, err
}

// What comes in between is never promoted unseen: the first environment has its commit,
// and the error says so.
func TestApplyAllStops(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*fakeRepo)
		want   []string
	}{
		"a commit by somebody else": {
			func(r *fakeRepo) { r.record("other", "eve") },
			[]string{"eu: done; us: not: the repository has a new commit since its pipeline was read"},
		},
		"another branch": {
			func(r *fakeRepo) { r.branch = "" },
			[]string{"eu: done; us: not: HEAD is detached: a commit would be on no branch"},
		},
		"an edit": {
			func(r *fakeRepo) { r.edit("-- us/cart.yaml --\nimage: {repository: shop/cart, tag: v9}\n") },
			[]string{"eu: done; us: not: us/cart.yaml: has uncommitted changes (modified)"},
		},
		"another source": {
			// A hook that commits more than what it was given.
			func(r *fakeRepo) {
				r.commits[1].files["staging/cart.yaml"] = []byte("image: {repository: shop/cart, tag: v1}\n")
				r.edit("-- staging/cart.yaml --\nimage: {repository: shop/cart, tag: v1}\n")
			},
			[]string{`eu: done; us: not: what comes to "us" is not what it was when it was planned`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, repo := newTargets(t, twoTargets)
			p.Repo = &afterFirst{repo, tc.change}
			plans, err := p.PlanAll(t.Context(), Request{Services: []string{"cart"}}, "production")
			if err != nil {
				t.Fatal(err)
			}
			done, err := p.ApplyAll(t.Context(), plans)
			if len(done) != 1 || done[0].Commit != "c2" {
				t.Errorf("%+v", done)
			}
			var got []string
			for _, e := range split(err) {
				got = append(got, e.Error())
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// One that is refused holds up all, before anything is written. Where it is to be skipped,
// the others are promoted.
func TestApplyAllRefused(t *testing.T) {
	for _, skip := range []bool{false, true} {
		p, repo := newTargets(t, twoTargets)
		p.Pipeline.Spec.Environments[1].Verify = &pipeline.VerifyRule{Policy: "p.yaml"}
		p.Verifier = rejecting("shop/cart")
		plans, err := p.PlanAll(t.Context(), Request{Services: []string{"cart"}, SkipRefused: skip}, "production")
		if err != nil {
			t.Fatal(err)
		}
		if r := plans.Refused(); r == nil || r.Answer != Fail || len(r.Verdicts) != 1 || plans.Failed() != nil {
			t.Errorf("skip %v: %+v", skip, r)
		}
		done, err := p.ApplyAll(t.Context(), plans)
		var refused *Refused
		if errors.As(err, &refused) == skip || len(repo.written) > 0 != skip {
			t.Errorf("skip %v: %v, written %v", skip, err, repo.written)
		}
		if skip && (len(done) != 2 || done[0].Commit != "" || done[1].Commit != "c2") {
			t.Errorf("%+v", done)
		}
	}
}

func TestPlanAllErrors(t *testing.T) {
	both := "\n-- envs.yaml --\nstaging: {cart: {image: {repository: shop/cart, tag: v2}}}\neu: {cart: {image: {repository: shop/cart, tag: v1}}}\nus: {cart: {image: {repository: shop/cart, tag: v1}}}\n"
	for name, tc := range map[string]struct {
		archive string
		req     Request
		targets []string
		want    []string
	}{
		"none":          {twoTargets, Request{Services: []string{"cart"}}, nil, []string{"no environment named"}},
		"unknown":       {twoTargets, Request{Services: []string{"cart"}}, []string{"eu", "produktion"}, []string{`unknown environment "produktion"`, "hint: did you mean production?"}},
		"in a row":      {twoTargets, Request{Services: []string{"cart"}}, []string{"asia", "eu"}, []string{`"asia" is promoted from "eu", which is a target itself`}},
		"nobody has it": {twoTargets, Request{Services: []string{"crat"}}, []string{"production"}, []string{`unknown service "crat"`, "hint: did you mean cart?"}},
		"both of one file, uncommitted": {both, Request{Services: []string{"cart"}, Mode: pipeline.DeliverWorktree}, []string{"production"},
			[]string{"envs.yaml: eu and us both change it, which takes a commit of each"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, repo := newTargets(t, tc.archive)
			if strings.Contains(tc.archive, "envs.yaml") {
				p.Pipeline.Spec.Layout = pipeline.Layout{{Path: "envs.yaml", Within: "{environment}.{service}"}}
			}
			plans, err := p.PlanAll(t.Context(), tc.req, tc.targets...)
			if err == nil {
				_, err = p.ApplyAll(t.Context(), plans)
			}
			wantError(t, err, tc.want...)
			if len(repo.written) > 0 {
				t.Error("written:", repo.written)
			}
		})
	}
}
