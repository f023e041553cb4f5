package pipeline

import "github.com/kubepromote/kubepromote/promote/pipeline/delivery"

// How a promotion is carried out has a package of its own.
type (
	Deliver     = delivery.Deliver
	DeliverMode = delivery.Mode
)

// The delivery modes, and words of [Deliver]; see package delivery.
const (
	DeliverWorktree    = delivery.Worktree
	DeliverCommit      = delivery.Commit
	DeliverPush        = delivery.Push
	DeliverPullRequest = delivery.PullRequest

	WhenGreen  = delivery.WhenGreen
	CodeOwners = delivery.CodeOwners
)

// DeliverModes are all of them.
func DeliverModes() []string { return delivery.Modes() }
