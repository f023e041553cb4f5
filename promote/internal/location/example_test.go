package location_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote/internal/location"
)

func ExampleMatch() {
	found, ok := location.Match("apps/{service}/values-{environment}.yaml", "apps/cart/values-staging.yaml", location.Holes{location.Environment: "staging"})
	fmt.Println(found.Holes, ok)
	// Output: map[service:cart] true
}
