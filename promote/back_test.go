package promote

import (
	"context"
	"strings"
	"testing"
)

// What comes back is what an image had, by the place of its overlay; what is not there any
// more is told, and what cannot be told apart is refused.
func TestBack(t *testing.T) {
	one := "sha256:" + strings.Repeat("1", 64)
	site := "apps/cart/overlays/production"
	old, other := Pin{Tag: "v1", Digest: one}, Pin{Tag: "v0", Digest: one}
	plan := func(pins ...BackPin) (*Plan, error) {
		p := shop(t, "- {name: cart, newTag: v3}\n", "- {name: cart, newTag: v2, digest: "+one+"}\n")
		return p.Plan(context.Background(), Request{Services: []string{"cart"}, To: "production", Back: &Back{Of: "c0ffee", Pins: pins}})
	}
	got, err := plan(BackPin{site, "cart", "images[0]", old}, BackPin{site, "gone", "images[1]", old}, BackPin{"elsewhere", "cart", "images[0]", other})
	if err != nil {
		t.Fatal(err)
	}
	if now := got.Services[0].Images[0].New; now != old || got.RollbackOf != "c0ffee" || !strings.HasPrefix(got.Subject(), "rollback(production): cart") {
		t.Errorf("%v, %s, %s", now, got.RollbackOf, got.Subject())
	}
	if w := strings.Join(got.Warnings, "\n"); !strings.Contains(w, `image "gone" was pinned to v1 then and is not here any more`) {
		t.Error(w)
	}
	if _, err := plan(BackPin{site, "cart", "images[0]", old}, BackPin{site, "cart", "images[4]", other}); err == nil || !strings.Contains(err.Error(), "cannot be told") {
		t.Error(err)
	}
}
