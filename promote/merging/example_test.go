package merging_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/git/places"
	"github.com/kubepromote/kubepromote/promote/merging"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

const rules = `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  layout: "{service}.yaml"
  pin: source
  allowMutable: true
  environments:
  - {name: staging, branch: staging}
  - {name: production, branch: production, from: [staging], strategy: merge}
`

// What a merge of staging into production would bring, and that nothing else moves with it.
func ExampleCarriers() {
	if err := example(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// pass: v2, by a merge of staging: commit
}

func example(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "merging-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	commit := func(tag string) error {
		if err := os.WriteFile(filepath.Join(dir, "cart.yaml"), []byte("image: {repository: shop/cart, tag: "+tag+"}\n"), 0o600); err != nil {
			return err
		}
		for _, args := range [][]string{{"add", "."}, {"-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-q", "-m", tag}} {
			if err := exec.Command("git", append([]string{"-C", dir}, args...)...).Run(); err != nil {
				return err
			}
		}
		return nil
	}
	steps := []func() error{
		func() error { return exec.Command("git", "init", "-q", "-b", "staging", dir).Run() },
		func() error { return commit("v1") },
		func() error { return exec.Command("git", "-C", dir, "branch", "production").Run() },
		func() error { return commit("v2") },
		func() error { return exec.Command("git", "-C", dir, "switch", "-q", "-c", "rules").Run() },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	repo, err := git.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer repo.Close()
	home := places.OfClone(ctx, repo, branch.Cache{})
	defer home.Close()
	p, err := pipeline.Parse("promotion.yaml", []byte(rules))
	if err != nil {
		return err
	}
	promoter := &promote.Promoter{Repo: home, Pipeline: p, Carriers: merging.Carriers, Resolver: registry{}}
	plan, err := promoter.Plan(ctx, promote.Request{Services: []string{"cart"}, To: "production", Preview: true})
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s, by a merge of %s: %s\n", plan.Answer, plan.Services[0].Images[0].New.Short(), plan.Merge.From, plan.Merge.How)
	return nil
}

// registry has every tag.
type registry struct{}

func (registry) Resolve(_ context.Context, refs []string, _ func()) []promote.Resolution {
	out := make([]promote.Resolution, len(refs))
	for i := range out {
		out[i] = promote.Resolution{Answer: promote.Pass, Digest: "sha256:4de5636384d5636384d5636384d5636384d5636384d5636384d5636384d56363"}
	}
	return out
}
