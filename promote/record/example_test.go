package record_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote/record"
)

// The record of a promotion is in the trailers of its commit.
func ExampleParse() {
	for _, t := range record.Parse(`promote(production): cart → v1.3.0

Promotion-Service: cart
Promotion-From: staging
Promotion-To: production
Promotion-Image: registry.example.com/shop/cart:v1.3.0
`) {
		fmt.Println(t.Service, t.From, "→", t.To, t.Images[0])
	}
	// Output: cart staging → production registry.example.com/shop/cart:v1.3.0
}
