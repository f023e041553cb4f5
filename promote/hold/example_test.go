package hold_test

import (
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/promote/hold"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

func Example() {
	since := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	data, err := hold.Add(nil, hold.Hold{Service: "cart", Environment: "production", Reason: "v2 loses orders", By: "Ann", Since: since})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(data))
	list, err := hold.Parse(hold.FileName, data, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	h, held := list.For("cart", &pipeline.Environment{Name: "production"}, since.Add(time.Hour))
	fmt.Println(held, h)
	// Output:
	// # Services that stay at their pins: kubectl promote hold and unhold write this file.
	// # What is committed here counts; a promotion of what is held is refused.
	// apiVersion: kubepromote.dev/v1alpha1
	// kind: Holds
	// holds:
	// - service: cart
	//   environment: production
	//   reason: v2 loses orders
	//   by: Ann
	//   since: 2026-11-29T06:00:00Z
	// true held since 2026-11-29 06:00Z by Ann: v2 loses orders
}
