package promote_test

import (
	"context"
	"fmt"
	"io/fs"
	"log"
	"path"
	"testing/fstest"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/discover"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// checkout is a repository in memory in which everything is committed. Package
// promote/git has one for Git.
type checkout struct{ fstest.MapFS }

func (c checkout) ReadAny(dir string, names []string) (found promote.Found, err error) {
	for _, name := range names {
		if data, err := c.ReadFile(path.Join(dir, name)); err == nil {
			return promote.Found{Have: []string{name}, Name: name, Data: data}, nil
		}
	}
	return found, fs.ErrNotExist
}

func (c checkout) State(context.Context, []string) (promote.State, error) {
	return promote.State{Head: "8d5f3c1", Branch: "main"}, nil
}

func (c checkout) Committed(context.Context, []string) (map[string][]byte, error) { return nil, nil }

func (c checkout) Write(_ context.Context, files []promote.File) error {
	for _, f := range files {
		c.MapFS[f.Path] = &fstest.MapFile{Data: f.Data}
	}
	return nil
}

func (c checkout) Commit(ctx context.Context, d promote.Delivery) (string, error) {
	if err := d.Ready(ctx); err != nil {
		return "", err
	}
	fmt.Println(d.Message)
	return "1a2b3c4", c.Write(ctx, d.Files)
}

// tags is a registry that knows one digest for each tag.
type tags map[string]string

func (t tags) Resolve(_ context.Context, refs []string, done func()) []promote.Resolution {
	var out []promote.Resolution
	for _, ref := range refs {
		if digest := t[ref]; digest != "" {
			out = append(out, promote.Resolution{Answer: promote.Pass, Digest: digest})
		} else {
			out = append(out, promote.Resolution{Answer: promote.Fail, Reason: ref + " is not there"})
		}
		done()
	}
	return out
}

func newPromoter() *promote.Promoter {
	repo := checkout{fstest.MapFS{
		"apps/cart/overlays/staging/kustomization.yaml":    {Data: []byte("images:\n- name: shop/cart\n  newTag: v2\n")},
		"apps/cart/overlays/production/kustomization.yaml": {Data: []byte("images:\n- name: shop/cart\n  newTag: v1 # since May\n")},
	}}
	pipeline, _, err := discover.Pipeline(context.Background(), repo)
	if err != nil {
		log.Fatal(err)
	}
	registry := tags{"shop/cart:v2": "sha256:97ee8b3b1c2b2a4bb3d3f3fd5f3b40d7f8c8a3c5d6a4d1a5a7d7e0e1f7c3a2b1"}
	return &promote.Promoter{Repo: repo, Pipeline: pipeline, Resolver: registry}
}

// A plan says what would change and whether it may, and changes nothing.
func ExamplePromoter_Plan() {
	plan, err := newPromoter().Plan(context.Background(), promote.Request{Services: []string{"cart"}, To: "production"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(plan.From, "→", plan.To, plan.Answer)
	for _, s := range plan.Services {
		for _, i := range s.Images {
			fmt.Println(s.Service, i.Name, i.Old.Short(), "→", i.New.Short())
		}
		fmt.Print(s.Files[0].Diff)
	}
	// Output:
	// staging → production pass
	// cart shop/cart v1 → v2
	// --- a/apps/cart/overlays/production/kustomization.yaml
	// +++ b/apps/cart/overlays/production/kustomization.yaml
	// @@ -1,3 +1,4 @@
	//  images:
	//  - name: shop/cart
	// -  newTag: v1 # since May
	// +  newTag: v2 # since May
	// +  digest: sha256:97ee8b3b1c2b2a4bb3d3f3fd5f3b40d7f8c8a3c5d6a4d1a5a7d7e0e1f7c3a2b1
}

// Apply carries out a plan that is not refused: here in one commit, which records
// the promotion.
func ExamplePromoter_Apply() {
	ctx, p := context.Background(), newPromoter()
	plan, err := p.Plan(ctx, promote.Request{Services: []string{"cart"}, To: "production", Mode: pipeline.DeliverCommit})
	if err != nil {
		fmt.Println(err)
		return
	}
	done, err := p.Apply(ctx, plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(done.Commit, done.Files)
	// Output:
	// promote(production): cart → v2
	//
	// Promotion-Service: cart
	// Promotion-From: staging
	// Promotion-To: production
	// Promotion-Image: shop/cart:v2@sha256:97ee8b3b1c2b2a4bb3d3f3fd5f3b40d7f8c8a3c5d6a4d1a5a7d7e0e1f7c3a2b1
	// Promotion-Source-Commit: 8d5f3c1
	//
	// 1a2b3c4 [apps/cart/overlays/production/kustomization.yaml]
}
