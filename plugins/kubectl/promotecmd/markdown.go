package promotecmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/proposal"
)

// markdown is the format of plan -o for the comment of a pull request, or the summary of a
// job.
const markdown = "markdown"

// marker is the first line of such a comment, by which a bot finds it again: the plans for
// other environments have comments of their own.
func marker(plans *promote.Plans) string {
	var to []string
	for _, plan := range plans.All {
		to = append(to, plan.To)
	}
	return "<!-- kubectl promote plan: " + strings.Join(to, ", ") + " -->\n"
}

// comment writes plans as their pull requests would say it, one after the other, no longer
// than GitHub takes a comment.
func comment(plans *promote.Plans) string {
	var b strings.Builder
	b.WriteString(marker(plans))
	for _, plan := range plans.All {
		text, _ := proposal.Body(plan, nil)
		fmt.Fprintf(&b, "### Plan for %s: %s\n\n%s\n", plan.To, outcome(plan), text)
	}
	return forge.GitHub.FitBody(b.String(), "") + "\n"
}

// outcome says in a few words what would become of a plan.
func outcome(plan *promote.Plan) string {
	switch plan.Answer {
	case promote.Fail:
		return "is refused"
	case promote.Wait:
		return "has to wait"
	case promote.Unknown:
		return "could not be judged"
	}
	if !slices.ContainsFunc(plan.Services, (*promote.ServicePlan).Changed) {
		return "nothing to do"
	}
	return "may go"
}
