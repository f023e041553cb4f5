package across

import (
	"slices"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
)

// bad are the exit statuses that there are, the worst first.
var bad = []int{cli.ExitInterrupted, cli.ExitUsage, cli.ExitFailed, cli.ExitRefused, cli.ExitUnknown, cli.ExitWaiting, cli.ExitDone}

// Known tells whether a command may end with an exit status.
func Known(status int) bool { return slices.Contains(bad, status) }

// Worse gives the worse of two exit statuses: what is broken comes before a no, and
// that before what is unknown or waits.
func Worse(a, b int) int {
	if slices.Index(bad, b) < slices.Index(bad, a) {
		return b
	}
	return a
}
