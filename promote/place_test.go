package promote

import "testing"

// A directory is part of an environment wherever the layout has its name: at the
// overlay, below it, and above it where services lie in environments.
func TestEnvironmentOf(t *testing.T) {
	for _, tc := range []struct{ layout, dir, want string }{
		{"apps/{service}/overlays/{environment}", "apps/cart/overlays/production", "production"},
		{"apps/{service}/overlays/{environment}", "apps/cart/overlays/production/eu", "production"},
		{"apps/{service}/overlays/{environment}", "apps/cart/overlays/other", ""},
		{"apps/{service}/overlays/{environment}", "apps/cart/overlays", ""},
		{"apps/{service}/overlays/{environment}", "apps/cart/base", ""},
		{"apps/{service}/overlays/{environment}", ".", ""},
		{"clusters/{environment}/{service}", "clusters/production", "production"},
		{"clusters/{environment}/{service}.yaml", "clusters/production", "production"},
		{"envs/env-{environment}/{service}", "envs/env-production/cart", "production"},
		{"{environment}/{service}", "base/cart", ""},
		{"apps/{service}/{environment}.yaml", "apps/cart", ""},
	} {
		p := &Pipeline{Spec: PipelineSpec{Layout: Layout{Path: tc.layout}, Environments: []Environment{{Name: "staging"}, {Name: "production"}}}}
		got := ""
		if e, ok := p.EnvironmentOf(tc.dir); ok {
			got = e.Name
		}
		if got != tc.want {
			t.Errorf("%s in %s: %q, want %q", tc.dir, tc.layout, got, tc.want)
		}
	}
	nested := &Pipeline{Spec: PipelineSpec{Layout: Layout{Path: "{environment}/{service}"}, Environments: []Environment{{Name: "prod"}, {Name: "prod/eu"}}}}
	if e, ok := nested.EnvironmentOf("prod/eu/cart"); !ok || e.Name != "prod/eu" {
		t.Errorf("the innermost is %+v", e)
	}
	if got := nested.OverlayPath("cart", "prod/eu"); got != "prod/eu/cart" {
		t.Error(got)
	}
}
