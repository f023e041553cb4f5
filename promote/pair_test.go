package promote

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// overlays are the overlays of one service, cart, in staging and production.
func overlays(staging, production string) string {
	return "-- apps/cart/overlays/staging/kustomization.yaml --\n" + staging +
		"\n-- apps/cart/overlays/production/kustomization.yaml --\n" + production + "\n"
}

// Which of the target's pins an image of the source is about, and what is written
// there.
func TestPairing(t *testing.T) {
	for _, tc := range []struct {
		name                string
		staging, production string
		req                 Request
		spec                string
		want                []string
		err                 []string
		after               string // the target's file, where it changes
	}{
		{
			name: "by name, in whatever order", staging: "images:\n- {name: shop/cart, newTag: v2}\n- {name: shop/web, newTag: v7}",
			production: "images:\n- {name: shop/web, newTag: v6}\n- {name: shop/cart, newTag: v1}",
			want:       []string{"cart: shop/cart :v1 → :v2@sha:2", "cart: shop/web :v6 → :v7@sha:7", "cart changes"},
			after:      "images:\n- {name: shop/web, newTag: v7, digest: " + sha("7") + "}\n- {name: shop/cart, newTag: v2, digest: " + sha("2") + "}\n",
		},
		{
			name: "the target has more", staging: "images:\n- {name: shop/cart, newTag: v2}",
			production: "images:\n- {name: shop/cart, newTag: v1}\n- {name: sidecar, newTag: v3}",
			want:       []string{"cart: shop/cart :v1 → :v2@sha:2", "cart changes"},
			after:      "images:\n- {name: shop/cart, newTag: v2, digest: " + sha("2") + "}\n- {name: sidecar, newTag: v3}\n",
		},
		{
			name: "the target has none", staging: "images:\n- {name: shop/cart, newTag: v2}", production: "namePrefix: p-",
			want: []string{"cart: shop/cart  → :v2@sha:2", "cart changes"},
		},
		{
			name: "the target pulls from elsewhere", staging: "images:\n- {name: cart, newName: shop/cart, newTag: v2}",
			production: "images:\n- {name: cart, newName: prod/cart, newTag: v1}",
			want:       []string{"cart: cart :v1 → :v2@sha:2", "cart: resolve=fail image \"cart\": prod/cart@sha:2 is not there", "cart changes"},
		},
		{
			name: "renamed in the source alone", staging: "images:\n- {name: cart, newName: shop/cart, newTag: v2}", production: "namePrefix: p-",
			err: []string{"apps/cart/overlays/production/kustomization.yaml:1:1: image \"cart\" has no entry here and staging's uses another registry"},
		},
		{
			name: "renamed in the source alone, and wanted", staging: "images:\n- {name: cart, newName: shop/cart, newTag: v2}", production: "namePrefix: p-",
			req: Request{AddMissing: true}, want: []string{"cart: cart  → :v2@sha:2", "cart changes"},
		},
		{
			name: "neither tag nor digest", staging: "images:\n- {name: shop/cart, newName: other}\n- {name: shop/web, newTag: v7}", production: "images:\n- {name: shop/web, newTag: v6}",
			want: []string{"cart: shop/web :v6 → :v7@sha:7", "cart: warning: apps/cart/overlays/staging/kustomization.yaml:2:3: image \"shop/cart\" has neither tag nor digest here and is left out", "cart changes"},
		},
		{
			name: "a tag's suffix in the source", staging: "images:\n- {name: shop/cart, tagSuffix: -x}", production: "images:\n- {name: shop/cart, newTag: v1}",
			err: []string{"apps/cart/overlays/staging/kustomization.yaml:2:3: image \"shop/cart\" has a tagSuffix: its tag is not in this file", "hint: write newTag in its place"},
		},
		{
			name: "a tag's suffix in the target", staging: "images:\n- {name: shop/cart, newTag: v2}", production: "images:\n- {name: shop/cart, tagSuffix: -x}",
			err: []string{"apps/cart/overlays/production/kustomization.yaml:2:3: image \"shop/cart\" has a tagSuffix, which cannot stand beside newTag and digest", "hint: remove the tagSuffix"},
		},
		{
			name: "by tag, without one", spec: "  pin: tag\n  allowMutable: true\n", staging: "images:\n- {name: shop/cart, digest: " + sha("2") + "}", production: "images:\n- {name: shop/cart, newTag: v1}",
			err: []string{"apps/cart/overlays/staging/kustomization.yaml:2:3: image \"shop/cart\" has no tag here, and the pipeline pins by tag", "hint: write newTag, or pin: tag+digest in the pipeline"},
		},
		{
			name: "by tag", spec: "  pin: tag\n  allowMutable: true\n", staging: "images:\n- {name: shop/cart, newTag: v2}", production: "images:\n- {name: shop/cart, newTag: v1}",
			want:  []string{"cart: shop/cart :v1 → :v2", "cart changes"},
			after: "images:\n- {name: shop/cart, newTag: v2}\n",
		},
		{
			name: "as the source has it, by digest", spec: "  pin: source\n", staging: "images:\n- {name: shop/cart, digest: " + sha("2") + "}", production: "images:\n- {name: shop/cart, newTag: v1}",
			want:  []string{"cart: shop/cart :v1 → @sha:2", "cart changes"},
			after: "images:\n- {name: shop/cart, digest: " + sha("2") + "}\n",
		},
		{
			name: "as the source has it, by tag", spec: "  pin: source\n  allowMutable: true\n", staging: "images:\n- {name: shop/cart, newTag: v2}", production: "images:\n- {name: shop/cart, newTag: v1, digest: " + sha("1") + "}",
			want:  []string{"cart: shop/cart :v1@sha:1 → :v2", "cart changes"},
			after: "images:\n- {name: shop/cart, newTag: v2}\n",
		},
		{
			name: "by digest", spec: "  pin: digest\n", staging: "images:\n- {name: shop/cart, newTag: v2}", production: "images:\n- {name: shop/cart, newTag: v1}",
			want:  []string{"cart: shop/cart :v1 → @sha:2", "cart changes"},
			after: "images:\n- {name: shop/cart, digest: " + sha("2") + "}\n",
		},
		{
			name: "there already", staging: "images:\n- {name: shop/cart, newTag: v2, digest: " + sha("2") + "}", production: "images:\n- {name: shop/cart, newTag: v2, digest: " + sha("2") + "}",
			want: []string{"cart: shop/cart :v2@sha:2 → :v2@sha:2"},
		},
		{
			name: "an alias in the target", staging: "images:\n- {name: shop/cart, newTag: v2}", production: "commonLabels: {v: &v v1}\nimages:\n- {name: shop/cart, newTag: *v}",
			err: []string{"apps/cart/overlays/production/kustomization.yaml:3:29: this value is an alias of &v (line 1)", "hint: change the value at the anchor, or write the value here in place of the alias"},
		},
		{
			name: "both files broken", staging: "images: [", production: "images: {",
			err: []string{"apps/cart/overlays/staging/kustomization.yaml:1:1: not valid YAML: did not find expected node content",
				"apps/cart/overlays/production/kustomization.yaml:1:1: not valid YAML: did not find expected node content"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, repo := newShop(t, overlays(tc.staging, tc.production))
			p.Pipeline = pipelineOf(t, tc.spec)
			tc.req.Services, tc.req.To = []string{"cart"}, "production"
			plan, err := p.Plan(context.Background(), tc.req)
			if err != nil {
				wantError(t, err, tc.err...)
				return
			}
			if d := cmp.Diff(tc.want, outline(plan)); d != "" {
				t.Error(d)
			}
			if tc.after == "" {
				return
			}
			if _, err := p.Apply(context.Background(), plan); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.after, string(repo.MapFS[plan.Services[0].Files[0].Target].Data)); d != "" {
				t.Error(d)
			}
		})
	}
}

// Where each environment pulls from a repository of its own, and the file is no
// kustomization, the path in the file pairs the images.
func TestPairingByPath(t *testing.T) {
	p, repo := newShop(t, `
-- staging/cart.yaml --
kind: Deployment
spec: {template: {spec: {containers: [{name: cart, image: "dev.example.com/cart:v2"}]}}}
-- production/cart.yaml --
kind: Deployment
spec: {template: {spec: {containers: [{name: cart, image: "prod.example.com/cart:v1"}]}}}
`)
	p.Pipeline = pipelineOf(t, "  layout: {path: \"{environment}/{service}.yaml\"}\n")
	p.Resolver = &registry{tags: map[string]string{"dev.example.com/cart:v2": sha("2"), "prod.example.com/cart:v2": sha("2")}}
	plan, err := p.Plan(context.Background(), Request{Services: []string{"cart"}, To: "production"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	want := "kind: Deployment\nspec: {template: {spec: {containers: [{name: cart, image: \"prod.example.com/cart:v2@" + sha("2") + "\"}]}}}\n"
	if d := cmp.Diff(want, string(repo.MapFS["production/cart.yaml"].Data)); d != "" {
		t.Error(d)
	}
}

// One repository with a tag for each component was refused. Its pins are told apart by
// their paths, and containers by their names: the target has them in another order.
func TestPairingTwoPins(t *testing.T) {
	p, repo := newShop(t, "-- staging/cart.yaml --\n"+pod("a", "v2-a", "b", "v2-b")+"-- production/cart.yaml --\n"+pod("b", "v1-b", "a", "v1-a"))
	p.Pipeline = pipelineOf(t, "  layout: {path: \"{environment}/{service}.yaml\"}\n  pin: tag\n  allowMutable: true\n")
	p.Resolver = nil
	plan, err := p.Plan(context.Background(), Request{Services: []string{"cart"}, To: "production"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Apply(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(pod("b", "v2-b", "a", "v2-a"), string(repo.MapFS["production/cart.yaml"].Data)); d != "" {
		t.Error(d)
	}
}

// A pin that the target has nowhere is not paired with one of the same name.
func TestPairingTwoPinsWithOne(t *testing.T) {
	p, _ := newShop(t, "-- staging/cart.yaml --\n"+pod("a", "v2-a", "b", "v2-b")+"-- production/cart.yaml --\n"+pod("a", "v1-a"))
	p.Pipeline = pipelineOf(t, "  layout: {path: \"{environment}/{service}.yaml\"}\n")
	_, err := p.Plan(context.Background(), Request{Services: []string{"cart"}, To: "production"})
	wantError(t, err, `staging/cart.yaml:5:22: image "shop/cart" has several pins, and production/cart.yaml has none at spec.containers[name=b].image to pair this one with`,
		"hint: give both files the same paths")
	var e *Error
	if !errors.As(err, &e) || e.Advice.Do != DoChooseImages {
		t.Errorf("advice: %+v", e)
	}
}

// pod is a pod with containers, given as names and tags.
func pod(containers ...string) string {
	text := "kind: Pod\nspec:\n  containers:\n"
	for i := 0; i < len(containers); i += 2 {
		text += "  - {name: " + containers[i] + ", image: \"shop/cart:" + containers[i+1] + "\"}\n"
	}
	return text
}

// Two files of one directory that kustomize would both read are refused, as
// kustomize does.
func TestTwoKustomizations(t *testing.T) {
	p, _ := newShop(t, overlays("images:\n- {name: shop/cart, newTag: v2}", "images:\n- {name: shop/cart, newTag: v1}")+
		"-- apps/cart/overlays/production/Kustomization --\nimages: []\n")
	_, err := p.Plan(context.Background(), Request{Services: []string{"cart"}, To: "production"})
	wantError(t, err, "apps/cart/overlays/production has both kustomization.yaml and Kustomization", "hint: keep one of them")
}
