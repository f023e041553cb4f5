// Package words reads the words of forges, and makes sure that names stay names in what is
// asked of them.
package words

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// unsettled are GitLab's words for not having looked yet.
var unsettled = []string{"", "unchecked", "checking", "preparing", "approvals_syncing", "commits_status"}

// Unsettled tells that GitLab has not looked yet whether a merge request can be merged.
func Unsettled(status string) bool { return slices.Contains(unsettled, status) }

// GitLab words its detailed_merge_status.
func GitLab(status string) string {
	switch status {
	case "not_approved", "approvals_required":
		return "approvals are missing"
	case "ci_must_pass":
		return "a pipeline must succeed before"
	case "ci_still_running":
		return "a pipeline is still running"
	case "conflict", "broken_status":
		return "the branches have a conflict"
	case "discussions_not_resolved":
		return "there are open discussions"
	case "draft_status":
		return "it is a draft"
	case "need_rebase":
		return "the head must be rebased onto the base"
	case "not_open":
		return "it is not open"
	case "requested_changes":
		return "a reviewer wants changes"
	case "merge_request_blocked", "blocked_status":
		return "another merge request must be merged before"
	case "status_checks_must_pass", "external_status_checks":
		return "status checks must pass before"
	case "mergeable":
		return "GitLab refused it, and now says that it can be merged"
	}
	if Unsettled(status) {
		return "GitLab has not yet found out whether it can be merged"
	}
	return strings.ReplaceAll(quote(status), "_", " ")
}

func quote(s string) string { return strconv.Quote(fault.Shorten(s)) }

// Unmarked is a title without the first of the marks that it begins with, in capitals or not.
func Unmarked(title string, marks ...string) (rest string, marked bool) {
	for _, mark := range marks {
		if len(title) >= len(mark) && strings.EqualFold(title[:len(mark)], mark) {
			return strings.TrimSpace(title[len(mark):]), true
		}
	}
	return title, false
}

// Status gives what a forge says of a check as success, pending or failure. What is not
// known is no success.
func Status(word string) string {
	switch strings.ToLower(word) {
	case "success", "successful", "succeeded", "neutral", "skipped", "notapplicable", "warning":
		return "success"
	case "pending", "inprogress", "in_progress", "queued", "running", "created", "preparing", "scheduled", "manual", "waiting_for_resource",
		"waiting_for_callback", "notset", "expected", "waiting", "requested":
		return "pending"
	}
	return "failure"
}
