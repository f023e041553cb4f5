package delivery_test

import (
	"fmt"

	"github.com/kubepromote/kubepromote/promote/pipeline/delivery"
)

// What is pushed or proposed is made on what others have, and may be made by their forge.
func ExampleDeliver_ByForge() {
	d := delivery.Deliver{Commits: delivery.CommitsByAPI}
	for _, mode := range delivery.Modes() {
		fmt.Println(mode, delivery.Mode(mode).Shared(), d.ByForge(delivery.Mode(mode)))
	}
	// Output:
	// worktree false false
	// commit false false
	// push true true
	// pullRequest true true
}
