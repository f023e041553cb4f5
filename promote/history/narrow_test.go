package history

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One service of three environments was nine pathspecs, with which git took half as long
// again as with one, and could not use a commit graph's filters: nine times as long.
func TestNarrow(t *testing.T) {
	for _, tc := range []struct{ specs, services, want []string }{
		{[]string{":(glob)apps/web/overlays/dev/kustomization.yaml", ":(glob)apps/web/overlays/dev/Kustomization", ":(glob)apps/web/overlays/prod/kustomization.yml"},
			[]string{"web"}, []string{":(literal)apps/web/overlays"}},
		{[]string{":(glob)dev/web/kustomization.yaml", ":(glob)dev/web/kustomization.yml", ":(glob)prod/web/Kustomization"},
			[]string{"web"}, []string{":(literal)dev/web", ":(literal)prod/web"}},
		{[]string{":(glob)apps/web/dev.yaml", ":(glob)apps/web/prod.yaml", ":(glob)apps/api/dev.yaml", ":(literal)apps/all.yaml"},
			[]string{"web", "red/api"}, []string{":(literal)apps/all.yaml", ":(literal)apps/api/dev.yaml", ":(literal)apps/web"}},
		{[]string{":(glob)apps/*/dev/kustomization.yaml", `:(glob)apps/\[x]/dev.yaml`, ":(glob)web.yaml", ":(glob)kustomization.yaml"},
			[]string{"web"}, []string{":(literal)apps/[x]/dev.yaml", ":(literal)kustomization.yaml", ":(literal)web.yaml", ":(glob)apps/*/dev/kustomization.yaml"}},
		{nil, []string{"web"}, nil},
	} {
		if d := cmp.Diff(tc.want, narrow(tc.specs, tc.services)); d != "" {
			t.Errorf("%q: %s", tc.specs, d)
		}
	}
}
