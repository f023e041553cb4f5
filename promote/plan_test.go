package promote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

func TestWorst(t *testing.T) {
	for _, tc := range []struct {
		in   []Answer
		want Answer
	}{
		{nil, Pass},
		{[]Answer{Pass, Pass}, Pass},
		{[]Answer{Pass, Wait}, Wait},
		{[]Answer{Wait, Unknown}, Unknown},
		{[]Answer{Unknown, Fail, Wait}, Fail},
	} {
		if got := Worst(tc.in...); got != tc.want {
			t.Errorf("Worst(%v) = %s, want %s", tc.in, got, tc.want)
		}
	}
}

// clean is a repository in memory in which everything is committed.
type clean struct {
	memory
	written []File
	refuse  error // of Commit, once the files are written
}

func (c *clean) State(context.Context, []string) (State, error) {
	return State{Head: "abc", Branch: "main"}, nil
}

func (c *clean) Committed(context.Context, []string) (map[string][]byte, error) {
	return nil, errors.New("nothing here differs from what is committed")
}

func (c *clean) Write(_ context.Context, files []File) error {
	c.written = append(c.written, files...)
	return nil
}

func (c *clean) Commit(ctx context.Context, d Delivery) (string, error) {
	if err := d.Ready(ctx); err != nil {
		return "", err
	}
	if err := c.Write(ctx, d.Files); err != nil || c.refuse != nil {
		return "", c.refuse
	}
	return "def", nil
}

// answers resolves by a table; what is not in it does not exist.
type answers map[string]Resolution

func (a answers) Resolve(_ context.Context, refs []string, done func()) []Resolution {
	var out []Resolution
	for _, r := range refs {
		res, ok := a[r]
		if !ok {
			res = Resolution{Answer: Fail, Reason: r + " not found"}
		}
		out = append(out, res)
		done()
	}
	return out
}

func shop(t *testing.T, staging, production string) *Promoter {
	t.Helper()
	p, err := pipeline.Parse("promotion.yaml", []byte("apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n  environments:\n  - name: staging\n  - {name: production, from: [staging]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	repo := &clean{memory: memory{fstest.MapFS{}}}
	for env, images := range map[string]string{"staging": staging, "production": production} {
		file := fmt.Sprintf("apps/cart/overlays/%s/kustomization.yaml", env)
		repo.MapFS[file] = &fstest.MapFile{Data: []byte("images:\n" + images)}
	}
	return &Promoter{Repo: repo, Pipeline: p}
}

// What was resolved is what is written, once, whatever the registry answers later.
func TestOneDigest(t *testing.T) {
	const one = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	p := shop(t, "- {name: cart, newTag: v2}\n", "- {name: cart, newTag: v1}\n")
	p.Resolver = answers{"cart:v2": {Answer: Pass, Digest: one}}
	var steps []string
	p.Progress = func(step string, done, total int) { steps = append(steps, fmt.Sprint(step, done, total)) }
	plan, err := p.Plan(context.Background(), Request{Services: []string{"cart"}, To: "production"})
	if err != nil {
		t.Fatal(err)
	}
	if got := plan.Services[0].Images[0].New; plan.Answer != Pass || got != (Pin{Tag: "v2", Digest: one}) {
		t.Errorf("%s: %v", plan.Answer, got)
	}
	if d := cmp.Diff([]string{"resolving1 1"}, steps); d != "" {
		t.Error(d)
	}
	done, err := p.Apply(context.Background(), plan)
	if err != nil || len(done.Files) != 1 {
		t.Fatalf("%v, %v", done, err)
	}
	written := p.Repo.(*clean).written
	want := "images:\n- {name: cart, newTag: v2, digest: " + one + "}\n"
	if len(written) != 1 || string(written[0].Data) != want {
		t.Errorf("written: %v", written)
	}
}

// A plan that is refused is not carried out, whoever asks.
func TestRefusedPlanIsNotApplied(t *testing.T) {
	for answer, want := range map[Answer]Answer{Fail: Fail, Unknown: Unknown} {
		p := shop(t, "- {name: cart, newTag: v2}\n", "- {name: cart, newTag: v1}\n")
		p.Resolver = answers{"cart:v2": {Answer: answer, Reason: "because"}}
		plan, err := p.Plan(context.Background(), Request{Services: []string{"cart"}, To: "production"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Apply(context.Background(), plan)
		var refused *Refused
		if !errors.As(err, &refused) || refused.Answer != want || err.Error() != `resolve: image "cart": because` {
			t.Errorf("%s: %v", answer, err)
		}
		if n := len(p.Repo.(*clean).written); n > 0 {
			t.Errorf("%s: %d files were written", answer, n)
		}
	}
}

// Files that are written and not committed are told with the way out.
func TestApplyNotCommitted(t *testing.T) {
	p := shop(t, "- {name: cart, newTag: v2}\n", "- {name: cart, newTag: v1}\n")
	p.Resolver = answers{"cart:v2": {Answer: Pass, Digest: "sha256:1111111111111111111111111111111111111111111111111111111111111111"}}
	plan, err := p.Plan(context.Background(), Request{Services: []string{"cart"}, To: "production", Mode: pipeline.DeliverCommit})
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("a hook refused")
	p.Repo.(*clean).refuse = &NotCommitted{cause}
	_, err = p.Apply(context.Background(), plan)
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, cause) || !strings.HasSuffix(e.Hint, "git checkout -- apps/cart/overlays/production/kustomization.yaml") {
		t.Errorf("%#v", err)
	}
	p.Repo.(*clean).refuse = nil
	if done, err := p.Apply(context.Background(), plan); err != nil || done.Commit != "def" {
		t.Errorf("%+v, %v", done, err)
	}
	plan.Head = "abd"
	if _, err := p.Apply(context.Background(), plan); err == nil || !strings.Contains(err.Error(), "a new commit since the plan was made") {
		t.Errorf("got %v", err)
	}
}

func TestPlanIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := shop(t, "- {name: cart, newTag: v2}\n", "- {name: cart, newTag: v1}\n")
	if _, err := p.Plan(ctx, Request{Services: []string{"cart"}, To: "production"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
