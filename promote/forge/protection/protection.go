// Package protection asks a forge what protects a branch: whether whoever may write to the
// repository may push to it, and so past every gate; and how many approvals and which checks
// a pull request into it needs. [Written] gives the same of files of the repository that others
// apply, where there are some. It reads alone: rules are made by people, on the page that
// [Page] gives. A token that may read the repository is enough.
package protection

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// Rules are those of one branch, as far as a token that may read is told of them.
type Rules struct {
	// Protected says that there are some.
	Protected bool
	// Approvals is how many a pull request needs, Checks what has to pass before it is
	// merged. Zero and none also stand for what the forge does not tell.
	Approvals int
	Checks    []string
}

// String says what is asked for.
func (r Rules) String() string {
	var parts []string
	switch {
	case r.Approvals == 1:
		parts = append(parts, "1 approval")
	case r.Approvals > 1:
		parts = append(parts, fmt.Sprintf("%d approvals", r.Approvals))
	}
	if len(r.Checks) > 0 {
		parts = append(parts, "checks: "+strings.Join(r.Checks, ", "))
	}
	return strings.Join(parts, "; ")
}

const op = "asking what protects a branch"

// Of asks for the rules of a branch. Bitbucket and Azure DevOps tell of them to
// administrators alone: that is a [forge.ErrUnsupported].
//
//   - GitHub: https://docs.github.com/rest/branches/branches#get-a-branch and
//     https://docs.github.com/rest/repos/rules#get-rules-for-a-branch
//   - GitLab: https://docs.gitlab.com/api/branches/#get-single-repository-branch
//   - Gitea, Forgejo: /repos/{owner}/{repo}/branches/{branch}
func Of(ctx context.Context, r forge.Repository, o forge.Options, branch string) (Rules, error) {
	api := forge.NewAPI(r, o)
	self := "/repos/" + url.PathEscape(r.Owner) + "/" + url.PathEscape(r.Name) + "/branches/" + url.PathEscape(branch)
	switch r.Kind {
	case forge.GitHub:
		return github(ctx, api, self, "/repos/"+url.PathEscape(r.Owner)+"/"+url.PathEscape(r.Name)+"/rules/branches/"+url.PathEscape(branch))
	case forge.GitLab:
		var out struct {
			Protected bool `json:"protected"`
		}
		err := api.Send(ctx, op, http.MethodGet, "/projects/"+url.PathEscape(r.Owner+"/"+r.Name)+"/repository/branches/"+url.PathEscape(branch), nil, &out)
		return Rules{Protected: out.Protected}, err
	case forge.Gitea:
		var out struct {
			Protected bool     `json:"protected"`
			Approvals int      `json:"required_approvals"`
			Checked   bool     `json:"enable_status_check"`
			Contexts  []string `json:"status_check_contexts"`
		}
		err := api.Send(ctx, op, http.MethodGet, self, nil, &out)
		rules := Rules{Protected: out.Protected, Approvals: out.Approvals}
		if out.Checked {
			rules.Checks = out.Contexts
		}
		return rules, err
	}
	return Rules{}, &forge.Error{Op: r.Host() + ": " + op, Msg: r.Kind.String() + " tells of that to administrators alone", Hint: "look at " + r.Web, Err: forge.ErrUnsupported}
}

// barring are the kinds of rules that keep people from pushing. Others, such as
// non_fast_forward, let anybody push.
var barring = []string{"pull_request", "required_status_checks", "update", "merge_queue"}

// github asks about the protection of the branch, and about the rule sets that it falls
// under, which are other things there.
func github(ctx context.Context, api *forge.API, branch, rules string) (Rules, error) {
	var one struct {
		Protected  bool `json:"protected"`
		Protection struct {
			Checks struct {
				Contexts []string `json:"contexts"`
			} `json:"required_status_checks"`
		} `json:"protection"`
	}
	if err := api.Send(ctx, op, http.MethodGet, branch, nil, &one); err != nil {
		return Rules{}, err
	}
	var sets []struct {
		Type       string `json:"type"`
		Parameters struct {
			Approvals int `json:"required_approving_review_count"`
			Checks    []struct {
				Context string `json:"context"`
			} `json:"required_status_checks"`
		} `json:"parameters"`
	}
	if err := api.Send(ctx, op, http.MethodGet, rules, nil, &sets); err != nil && !errors.Is(err, forge.ErrNotFound) { // older servers have no rule sets
		return Rules{}, err
	}
	out := Rules{Protected: one.Protected, Checks: one.Protection.Checks.Contexts}
	for _, s := range sets {
		out.Protected = out.Protected || slices.Contains(barring, s.Type)
		out.Approvals = max(out.Approvals, s.Parameters.Approvals)
		for _, c := range s.Parameters.Checks {
			out.Checks = append(out.Checks, c.Context)
		}
	}
	slices.Sort(out.Checks)
	out.Checks = slices.Compact(out.Checks)
	return out, nil
}

// Page is where a branch is protected.
func Page(r forge.Repository) string {
	page := strings.TrimSuffix(r.Web, "/") + "/" + r.Owner + "/" + r.Name
	switch r.Kind {
	case forge.GitHub, forge.Gitea:
		return page + "/settings/branches"
	case forge.GitLab:
		return page + "/-/settings/repository"
	}
	return page
}
