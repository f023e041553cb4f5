package promote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/status"
)

// statusLines are a status in short: SERVICE ENVIRONMENT IMAGE PIN, with a star
// where there is something to promote.
func statusLines(all []status.Service) []string {
	var out []string
	for _, s := range all {
		for _, e := range s.Environments {
			star := ""
			if e.Differs {
				star = " *"
			}
			switch {
			case !e.Exists:
				continue
			case e.Error != "":
				out = append(out, fmt.Sprintf("%s %s error%s", s.Service, e.Environment, star))
			case len(e.Images) == 0:
				out = append(out, fmt.Sprintf("%s %s -%s", s.Service, e.Environment, star))
			}
			for _, i := range e.Images {
				line := fmt.Sprintf("%s %s %s%s%s", s.Service, e.Environment, i.Name, i.Pin.Ref(""), star)
				if i.Last != nil {
					line += fmt.Sprintf(" since %s by %s", i.Last.Commit, i.Last.Author)
					if i.Last.From != "" {
						line += " from " + i.Last.From
					}
				}
				out = append(out, strings.NewReplacer(sha("1"), "sha:1", sha("2"), "sha:2").Replace(line))
			}
		}
	}
	return out
}

func TestStatus(t *testing.T) {
	p, _ := newShop(t, twoServices+`
-- apps/web/overlays/dev/kustomization.yaml --
images:
- {name: shop/web, newTag: v8}
-- apps/broken/overlays/staging/kustomization.yaml --
images: [
-- apps/broken/overlays/production/kustomization.yaml --
images:
- {name: x, newTag: v1}
-- apps/plain/overlays/production/kustomization.yaml --
namePrefix: x
-- apps/other/overlays/canary/kustomization.yaml --
images:
- {name: x, newTag: v1}
`)
	for _, tc := range []struct {
		name     string
		services []string
		want     []string
		err      []string
	}{
		{"all", nil, []string{
			"broken staging error", "broken production x:v1", "cart staging shop/cart:v2", "cart production shop/cart:v1 *",
			"plain production -", "web dev shop/web:v8", "web staging shop/web:v7 *", "web production shop/web:v7",
		}, []string{"apps/broken/overlays/staging/kustomization.yaml:1:1: not valid YAML: did not find expected node content"}},
		{"some, in the alphabet's order", []string{"web", "cart", "web"}, []string{
			"cart staging shop/cart:v2", "cart production shop/cart:v1 *", "web dev shop/web:v8", "web staging shop/web:v7 *", "web production shop/web:v7"}, nil},
		{"an unknown one", []string{"web", "crat"}, nil, []string{`unknown service "crat"`, "hint: did you mean cart?"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := status.Read(context.Background(), p.Pipeline, p.Repo, tc.services)
			wantError(t, err, tc.err...)
			if d := cmp.Diff(tc.want, statusLines(got)); d != "" {
				t.Error(d)
			}
		})
	}
	if err := status.CheckServices(p.Pipeline, p.Repo, []string{"web", "cart"}); err != nil {
		t.Error(err)
	}
	wantError(t, status.CheckServices(p.Pipeline, p.Repo, []string{"wbe"}), `unknown service "wbe"`, "hint: did you mean web?")

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := status.Read(ctx, p.Pipeline, p.Repo, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// An environment with several sources has something to promote where it differs
// from all of them.
func TestStatusOfSeveralSources(t *testing.T) {
	p, _ := newShop(t, `
-- apps/a/overlays/eu/kustomization.yaml --
images: [{name: x, newTag: v2}]
-- apps/a/overlays/us/kustomization.yaml --
images: [{name: x, newTag: v1}]
-- apps/a/overlays/world/kustomization.yaml --
images: [{name: x, newTag: v1}]
-- apps/b/overlays/eu/kustomization.yaml --
images: [{name: x, newTag: v2}]
-- apps/b/overlays/us/kustomization.yaml --
images: [{name: x, newTag: v2}]
-- apps/b/overlays/world/kustomization.yaml --
images: [{name: x, newTag: v1}]
-- apps/c/overlays/eu/kustomization.yaml --
images: [{name: x, newTag: v1}]
-- apps/c/overlays/us/kustomization.yaml --
images: [{name: x, newTag: v2}]
-- apps/c/overlays/world/kustomization.yaml --
images: [{name: x, newTag: v1}]
`)
	p.Pipeline.Spec.Environments = []pipeline.Environment{{Name: "eu"}, {Name: "us"}, {Name: "world", From: []string{"eu", "us"}}}
	got, err := status.Read(context.Background(), p.Pipeline, p.Repo, nil)
	want := []string{"a eu x:v2", "a us x:v1", "a world x:v1", "b eu x:v2", "b us x:v2", "b world x:v1 *", "c eu x:v1", "c us x:v2", "c world x:v1"}
	if d := cmp.Diff(want, statusLines(got)); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
}

// Since when, and by whom: from the history, where its content is what stands in
// the working tree; from where, only by a record that agrees with the content.
func TestAddHistory(t *testing.T) {
	p, repo := newShop(t, twoServices)
	req := promoteAll
	req.Mode = pipeline.DeliverCommit
	if _, err := p.Apply(context.Background(), planned(t, p, req)); err != nil {
		t.Fatal(err)
	}
	repo.edit("-- " + cartStaging + " --\nimages:\n- {name: shop/cart, newTag: v3}\n")
	repo.record("cart 3\n\nPromotion-Service: cart\nPromotion-From: dev\nPromotion-To: staging\nPromotion-Image: shop/cart:v9\n", "eve")
	repo.edit("-- " + webProduction + " --\nimages:\n- {name: shop/web, newTag: v9}\n")
	all, err := status.Read(context.Background(), p.Pipeline, p.Repo, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := status.AddHistory(context.Background(), p.Pipeline, p.Repo, repo, all); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"cart staging shop/cart:v3 since c3 by eve", // the record names another image
		"cart production shop/cart:v2@sha:2 * since c2 by bob from staging",
		"web staging shop/web:v7 since c1 by ada",
		"web production shop/web:v9 *", // not committed
	}
	if d := cmp.Diff(want, statusLines(all)); d != "" {
		t.Error(d)
	}
	if last := all[0].Environments[2].Images[0].Last; last.Email != "bob@example.com" || last.Time.IsZero() || len(last.Gates) > 0 {
		t.Errorf("%+v", last)
	}
}
