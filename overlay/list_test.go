package overlay_test

import (
	"testing"

	"github.com/kubepromote/kubepromote/overlay"
)

// A file of versions by the images' names had no image in it. What has anything else beside
// them, such as what ran before or an address, may be another list.
func TestListOfVersions(t *testing.T) {
	for _, tc := range []struct {
		name, src string
		want      int
	}{
		{"versions.json", `{"cart": "ghcr.io/acme/cart:v1.3", "web": "localhost:5000/web@sha256:0000000000000000000000000000000000000000000000000000000000000001"}`, 2},
		{"versions.yaml", "cart: ghcr.io/acme/cart:v1.3\nweb: ghcr.io/acme/web:v2\n", 2},
		{"versions.yaml", "cart: ghcr.io/acme/cart:v1.3\nweb: ghcr.io/acme/shop:v2\n", 0},
		{"versions.yaml", "cart: ghcr.io/acme/cart:v1.3\nreplicas: 2\n", 0},
		{"versions.yaml", "cart: ghcr.io/acme/cart:v1.3\nprevious:\n  cart: ghcr.io/acme/cart:v1.2\n", 0},
		{"versions.yaml", "previous:\n  cart: ghcr.io/acme/cart:v1.2\n", 0},
		{"versions.yaml", "cart: acme/cart:v1.3\n", 0},
		{"versions.yaml", "cart: ghcr.io/acme/cart\n", 0},
	} {
		f, err := overlay.Parse(tc.name, []byte(tc.src))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(f.Images()); got != tc.want {
			t.Errorf("%s: %d images, want %d", tc.src, got, tc.want)
		}
	}
}
