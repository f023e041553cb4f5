package proposal_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/proposal"
)

func ExampleBody() {
	body, _ := proposal.Body(&promote.Plan{From: "staging", To: "production", Services: []*promote.ServicePlan{{
		Service: "cart",
		Images:  []promote.ImagePlan{{Repository: "shop/cart", Old: promote.Pin{Tag: "v1"}, New: promote.Pin{Tag: "v2"}}},
	}}}, nil)
	fmt.Print(body)
	// Output:
	// Promotes from `staging` to `production`.
	//
	// | service | image | now | becomes | digest |
	// | --- | --- | --- | --- | --- |
	// | `cart` | `shop/cart` | `v1` | `v2` |  |
}
