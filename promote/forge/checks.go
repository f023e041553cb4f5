package forge

import (
	"time"

	"github.com/kubepromote/kubepromote/promote/forge/internal/words"
)

// ReviewState is a reviewer's word.
type ReviewState string

// The words. Those who only comment have given none.
const (
	ReviewApproved         ReviewState = "approved"
	ReviewChangesRequested ReviewState = "changesRequested"
)

// Review is the last word of a reviewer.
type Review struct {
	// User is the name of the forge's account. On Bitbucket Cloud anybody may take any
	// name: there ID is "{uuid}", and elsewhere it is empty.
	User, ID string
	State    ReviewState
	// Commit is the head that was reviewed, where the forge keeps it: GitHub, Gitea
	// and Bitbucket Data Center do.
	Commit string
	// Stale tells that the head has moved since: by Commit, or by the times of both. Where
	// the forge has no time of a review and the head has moved, it is stale.
	Stale bool
	// At is when, or zero.
	At time.Time
}

// StatusState is how a check stands.
type StatusState string

// The states. What is skipped or neutral is a success.
const (
	StatusPending StatusState = "pending"
	StatusSuccess StatusState = "success"
	StatusFailure StatusState = "failure"
)

func statusOf(word string) StatusState { return StatusState(words.Status(word)) }

// Status is what a check says of a commit.
type Status struct {
	// Context names the check.
	Context string
	State   StatusState
	// Description is one short line.
	Description string
	// URL leads to more. Bitbucket wants one.
	URL string
	// At is when it was last changed, or zero.
	At time.Time
}
