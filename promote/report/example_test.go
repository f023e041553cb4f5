package report_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote/report"
)

func ExampleFigures() {
	f := report.Figures{Service: "cart", Environment: "production", Deployments: 12, Failed: 3, FailureRate: 0.25,
		Recovery: &report.Spread{Count: 3, Median: 900, P90: 3600}}
	fmt.Printf("%s: %d deployments, %.0f %% taken back, after %d minutes\n", f.Service, f.Deployments, 100*f.FailureRate, f.Recovery.Median/60)
	// Output: cart: 12 deployments, 25 % taken back, after 15 minutes
}
