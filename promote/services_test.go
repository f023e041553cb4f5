package promote

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Which services a request is about, and what is said where it is about none.
func TestPlanServices(t *testing.T) {
	more := twoServices + `
-- apps/dev-only/overlays/staging/kustomization.yaml --
images:
- {name: x, newTag: v1}
-- apps/empty/overlays/staging/README --
-- apps/empty/overlays/production/README --
-- apps/base/overlays/staging/kustomization.yaml --
namePrefix: a
-- apps/base/overlays/production/kustomization.yaml --
namePrefix: a
`
	for _, tc := range []struct {
		name string
		req  Request
		want []string
		err  []string
	}{
		{"one", Request{Services: []string{"cart"}}, []string{"cart: shop/cart :v1 → :v2@sha:2", "cart changes"}, nil},
		{"in the order asked for, each once", Request{Services: []string{"web", "cart", "web"}},
			[]string{"web: shop/web :v7 → :v7@sha:7", "web changes", "cart: shop/cart :v1 → :v2@sha:2", "cart changes"}, nil},
		{"all", Request{All: true}, []string{
			"warning: service \"empty\" has no overlay in staging: apps/empty/overlays/staging holds no kustomization file; it is left out",
			"warning: apps/base/overlays/staging/kustomization.yaml: no image to promote; the service is left out",
			"cart: shop/cart :v1 → :v2@sha:2", "cart changes", "web: shop/web :v7 → :v7@sha:7", "web changes"}, nil},
		{"none", Request{}, nil, []string{"no service named"}},
		{"all and some", Request{All: true, Services: []string{"web"}}, nil, []string{"services are named although all are asked for"}},
		{"unknown", Request{Services: []string{"crat"}}, nil, []string{`unknown service "crat"`, "hint: did you mean cart?"}},
		{"unknown and known", Request{Services: []string{"cart", "zzzzzz"}}, nil,
			[]string{`unknown service "zzzzzz"`, "hint: known are base, cart, dev-only, empty, web"}},
		{"a path", Request{Services: []string{"../cart"}}, nil, []string{`service name "../cart" is malformed`, "hint: letters, digits, '.', '_' and '-'"}},
		{"nothing", Request{Services: []string{""}}, nil, []string{`service name "" is malformed`, "hint: letters, digits, '.', '_' and '-'"}},
		{"without a target", Request{Services: []string{"dev-only"}}, nil, []string{
			`service "dev-only" has no overlay in production: apps/dev-only/overlays/production holds no kustomization file`}},
		{"without images", Request{Services: []string{"base"}}, nil, []string{"apps/base/overlays/staging/kustomization.yaml: no image in the source"}},
		{"one image", Request{All: true, Images: []string{"shop/web"}}, []string{
			"warning: service \"empty\" has no overlay in staging: apps/empty/overlays/staging holds no kustomization file; it is left out",
			"warning: apps/base/overlays/staging/kustomization.yaml: no image to promote; the service is left out",
			"warning: apps/cart/overlays/staging/kustomization.yaml: no image to promote; the service is left out",
			"web: shop/web :v7 → :v7@sha:7", "web changes"}, nil},
		{"an image of another service", Request{Services: []string{"cart"}, Images: []string{"shop/web"}}, nil, []string{`unknown image "shop/web" in staging`, "hint: known are shop/cart"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, repo := newShop(t, more)
			tc.req.To = "production"
			plan, err := p.Plan(context.Background(), tc.req)
			if err != nil {
				wantError(t, err, tc.err...)
				return
			}
			if d := cmp.Diff(tc.want, outline(plan)); d != "" {
				t.Error(d)
			}
			if len(repo.written) > 0 {
				t.Errorf("a plan has written %q", repo.written)
			}
		})
	}
}

// What was asked for wrongly is told from what is wrong in the repository: a
// program ends with another status.
func TestUsageErrors(t *testing.T) {
	for name, req := range map[string]Request{
		"no environment":      {Services: []string{"cart"}},
		"unknown environment": {Services: []string{"cart"}, To: "prod"},
		"unknown mode":        {Services: []string{"cart"}, To: "production", Mode: "bogus"},
		"no service":          {To: "production"},
		"not a step":          {Services: []string{"cart"}, From: "dev", To: "production"},
		"nothing before":      {Services: []string{"cart"}, To: "dev"},
		"an unknown image":    {Services: []string{"cart"}, To: "production", Images: []string{"x"}},
	} {
		p, _ := newShop(t, twoServices)
		if _, err := p.Plan(context.Background(), req); !errors.Is(err, ErrUsage) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, _ := newShop(t, twoServices)
	_, err := p.Plan(context.Background(), Request{Services: []string{"cart"}, To: "production", Mode: "comit"})
	wantError(t, err, `unknown delivery mode "comit"`, "hint: did you mean commit?")
}

// Hints that ask for another request are data.
func TestAdvice(t *testing.T) {
	noImage := "-- apps/a/overlays/staging/kustomization.yaml --\nnamePrefix: a\n-- apps/a/overlays/production/kustomization.yaml --\nnamePrefix: a\n"
	for _, tc := range []struct {
		name, archive string
		req           Request
		want          Advice
	}{
		{"no service", twoServices, Request{To: "production"}, Advice{DoPromote, map[string]string{"to": "production"}}},
		{"all and some", twoServices, Request{All: true, Services: []string{"x"}, To: "production"}, Advice{DoPromoteAll, map[string]string{"to": "production"}}},
		{"no source", twoServices, Request{All: true, To: "dev"}, Advice{DoEnter, map[string]string{"all": "true", "to": "dev"}}},
		{"not a step", twoServices, Request{All: true, From: "dev", To: "production"}, Advice{DoPromote, map[string]string{"all": "true", "from": "staging", "to": "production"}}},
		{"nothing in both", "-- README --\n", Request{All: true, To: "production"}, Advice{Do: DoStatus}},
		{"no image", noImage, Request{Services: []string{"a"}, To: "production"}, Advice{DoPin, map[string]string{"overlay": "apps/a/overlays/staging"}}},
		{"another registry", `
-- apps/a/overlays/staging/kustomization.yaml --
images:
- {name: a, newName: r.example.com/a, newTag: v1}
-- apps/a/overlays/production/kustomization.yaml --
images:
- {name: b, newTag: v1}
`, Request{Services: []string{"a"}, To: "production"}, Advice{DoAddMissing, map[string]string{"service": "a", "to": "production"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, _ := newShop(t, tc.archive)
			_, err := p.Plan(context.Background(), tc.req)
			var e *Error
			errors.As(err, &e)
			if e == nil {
				e = &Error{}
			}
			if d := cmp.Diff(tc.want, e.Advice); d != "" {
				t.Errorf("%v\n%s", err, d)
			}
			do, with := e.AdviceData()
			if do != string(tc.want.Do) || len(with) != len(tc.want.With) {
				t.Errorf("as plain values: %q, %q", do, with)
			}
		})
	}
}
