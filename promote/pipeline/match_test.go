package pipeline

import (
	"testing"
)

// A directory is part of an environment wherever the layout has its name: at the
// overlay, below it, and above it where services lie in environments.
func TestEnvironmentOf(t *testing.T) {
	for _, tc := range []struct{ layout, dir, want, service string }{
		{"apps/{service}/overlays/{environment}", "apps/cart/overlays/production", "production", "cart"},
		{"apps/{service}/overlays/{environment}", "apps/cart/overlays/production/eu", "production", "cart"},
		{"apps/{service}/overlays/{environment}", "apps/cart/overlays/other", "", ""},
		{"apps/{service}/overlays/{environment}", "apps/cart/overlays", "", ""},
		{"apps/{service}/overlays/{environment}", "apps/cart/base", "", ""},
		{"apps/{service}/overlays/{environment}", ".", "", ""},
		{"clusters/{environment}/{service}", "clusters/production", "production", ""},
		{"clusters/{environment}/{service}.yaml", "clusters/production", "production", ""},
		{"envs/env-{environment}/{service}", "envs/env-production/cart", "production", "cart"},
		{"clusters/{environment}/{service}/k8s", "clusters/production/cart/other", "production", "cart"},
		{"clusters/{environment}/app-{service}", "clusters/production/cart", "production", ""},
		{"{environment}/{service}", "base/cart", "", ""},
		{"apps/{service}/{environment}.yaml", "apps/cart", "", ""},
	} {
		p := &Pipeline{Spec: Spec{Layout: Layout{{Path: tc.layout}}, Environments: []Environment{{Name: "staging"}, {Name: "production"}}}}
		got := ""
		e, service, ok := p.EnvironmentOf(tc.dir)
		if ok {
			got = e.Name
		}
		if got != tc.want || service != tc.service {
			t.Errorf("%s in %s: %q of %q, want %q of %q", tc.dir, tc.layout, got, service, tc.want, tc.service)
		}
	}
	nested := &Pipeline{Spec: Spec{Layout: Layout{{Path: "{environment}/{service}"}}, Environments: []Environment{{Name: "prod"}, {Name: "prod/eu"}}}}
	if e, service, ok := nested.EnvironmentOf("prod/eu/cart"); !ok || e.Name != "prod/eu" || service != "cart" {
		t.Errorf("the innermost is %+v", e)
	}
	if got := nested.OverlayPath("cart", "prod/eu"); got != "prod/eu/cart" {
		t.Error(got)
	}
}

// An item of a list is the same by its number and by a field of it: the two elements of an
// ApplicationSet were taken for one, so that nothing was ever promoted.
func TestInside(t *testing.T) {
	for _, tc := range []struct{ within, path, want string }{
		{"services.web", "services.web.tag", ".tag"},
		{"services.web", "services.webapp.tag", "-"},
		{"services.web", "services", "-"},
		{"spec.elements[env=prod]", "spec.elements[1].image.tag", ".image.tag"},
		{"spec.elements[env=prod]", "spec.elements.prod", "-"},
		{"[name=a.b]", "[0][1].x", "[1].x"},
		{`a\.b`, `a\.b.c`, ".c"},
		{"", "a.b", "a.b"},
	} {
		got, ok := Site{Within: tc.within}.Inside(tc.path)
		if !ok {
			got = "-"
		}
		if got != tc.want {
			t.Errorf("%q in %q: %q, not %q", tc.path, tc.within, got, tc.want)
		}
	}
}
