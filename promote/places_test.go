package promote

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// elsewhere is a home with branches beside it.
type elsewhere struct {
	*fakeRepo
	branches map[string]*fakeRepo
}

func (p *elsewhere) At(at pipeline.Place) (pipeline.Tree, error) {
	if at == (pipeline.Place{}) {
		return p, nil
	}
	if b := p.branches[at.Branch]; b != nil {
		return b, nil
	}
	return nil, &pipeline.Unreached{Place: at, Err: errors.New("the server is down")}
}

func newPlaced(t *testing.T) (*Promoter, *elsewhere) {
	t.Helper()
	p, err := pipeline.Parse("promotion.yaml", []byte(`apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  layout: "{service}.yaml"
  environments:
  - {name: staging, branch: staging}
  - {name: home, from: [staging], deliver: {mode: commit}}
  - {name: eu, branch: eu, from: [staging], deliver: {mode: commit}}
  - {name: gone, branch: gone, from: [staging], deliver: {mode: commit}}
`))
	if err != nil {
		t.Fatal(err)
	}
	repo := &elsewhere{newRepo("-- cart.yaml --\nimage: {repository: shop/cart, tag: v0}\n"), map[string]*fakeRepo{}}
	for name, tag := range map[string]string{"staging": "v2", "eu": "v1"} {
		b := newRepo("-- cart.yaml --\nimage: {repository: shop/cart, tag: " + tag + "}\n")
		b.branch = name
		repo.branches[name] = b
	}
	repo.branches["staging"].record("more", "ada")
	return &Promoter{Repo: repo, Pipeline: p, Resolver: twoTags(), Rules: Rules{Commit: "c1"}}, repo
}

// Three files of one path are three files: the source's is read where it is, the target's
// written where it is, and what somebody has on the home's is no matter of either.
func TestPlaces(t *testing.T) {
	p, repo := newPlaced(t)
	repo.edit("-- cart.yaml --\nimage: {repository: shop/cart, tag: v9}\n")
	plans, err := p.PlanAll(t.Context(), Request{Services: []string{"cart"}}, "eu")
	if err != nil {
		t.Fatal(err)
	}
	plan := plans.All[0]
	if plan.Branch != "eu" || plan.Head != "c1" || !strings.Contains(plan.Record(), "Promotion-Source-Commit: c2\n") || !strings.Contains(plan.Record(), "Promotion-Rules: commit c1 main\n") {
		t.Errorf("on %s %s:\n%s", plan.Branch, plan.Head, plan.Record())
	}
	if _, err := p.ApplyAll(t.Context(), plans); err != nil {
		t.Fatal(err)
	}
	if got := string(repo.branches["eu"].head()["cart.yaml"]); !strings.Contains(got, sha("2")) {
		t.Errorf("eu has %s", got)
	}
	if len(repo.commits) != 1 || len(repo.branches["staging"].commits) != 2 {
		t.Error("something else was committed on")
	}
}

// A commit elsewhere has no rules, and one at home has.
func TestPlacesInTurn(t *testing.T) {
	p, repo := newPlaced(t)
	plans, err := p.PlanAll(t.Context(), Request{Services: []string{"cart"}}, "home", "eu")
	if err != nil {
		t.Fatal(err)
	}
	done, err := p.ApplyAll(t.Context(), plans)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for n, a := range done {
		got = append(got, plans.All[n].To+" on "+plans.All[n].Branch+" is "+a.Commit)
	}
	if d := cmp.Diff([]string{"home on main is c2", "eu on eu is c2"}, got); d != "" {
		t.Error(d)
	}
	if len(repo.commits) != 2 {
		t.Errorf("%d commits at home", len(repo.commits))
	}
}

// What nobody can tell is unknown, for a target as for a source, and stops what needs it alone.
func TestPlacesUnreached(t *testing.T) {
	p, repo := newPlaced(t)
	_, err := p.Plan(t.Context(), Request{Services: []string{"cart"}, To: "gone"})
	var unreached *pipeline.Unreached
	if !errors.As(err, &unreached) || !strings.Contains(err.Error(), "branch gone could not be read: the server is down") {
		t.Errorf("target: %v", err)
	}
	if _, err := p.Plan(t.Context(), Request{Services: []string{"crat"}, To: "eu"}); err == nil || !strings.Contains(err.Error(), "unknown service") {
		t.Errorf("another: %v", err)
	}
	delete(repo.branches, "staging")
	if _, err = p.Plan(t.Context(), Request{Services: []string{"cart"}, To: "eu"}); !errors.As(err, &unreached) {
		t.Errorf("source: %v", err)
	}
}
