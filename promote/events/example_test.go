package events_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote/events"
)

func ExampleEvent_Text() {
	e := events.Event{Kind: events.Promoted, Service: "cart", Environment: "production", From: "staging", By: "Ada <ada@example.com>",
		Images: []events.Image{{Name: "cart", Tag: "v1.1.0"}}}
	fmt.Println(e.Text())
	// Output: cart in production: promoted v1.1.0 from staging by Ada
}
