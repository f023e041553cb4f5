package forge_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// githubPull is a pull request in the shape of GitHub's published description.
const githubPull = `{"number": 7, "node_id": "PR_7", "html_url": "https://github.com/shop/infra/pull/7", "title": "T", "body": "B\r\nC", "state": "open", "draft": true,
  "user": {"login": "bot"}, "labels": [{"name": "promotion"}], "mergeable": true, "merged": false, "merge_commit_sha": "cdcd",
  "head": {"ref": "promote/a", "sha": "abababababababababababababababababababab", "repo": {"full_name": "Shop/Infra"}},
  "base": {"ref": "main", "sha": "00", "repo": {"full_name": "shop/infra"}}}`

func TestGitHub(t *testing.T) {
	ctx := t.Context()
	fork := strings.ReplaceAll(githubPull, "Shop/Infra", "eve/infra")
	gone := strings.ReplaceAll(githubPull, `{"full_name": "Shop/Infra"}`, "null")
	const list = "GET /repos/shop/infra/pulls?base=main&head=shop%3Apromote%2Fa&page=1&per_page=100&state=open"
	f := newFake(t,
		step{request: list, answer: "[" + fork + "," + gone + "," + githubPull + "]", header: map[string]string{"Link": `<x>; rel="prev", <y>; rel="next"`}},
		step{request: strings.ReplaceAll(list, "page=1&", "page=2&"), answer: "[]"},
		step{request: "POST /repos/shop/infra/pulls", body: `{"title": "T", "body": "B", "head": "promote/a", "base": "main", "draft": true}`, status: 201, answer: githubPull},
		step{request: "POST /repos/shop/infra/issues/7/labels", body: `{"labels": ["new"]}`, answer: "[]"},
		step{request: "POST /repos/shop/infra/pulls/7/requested_reviewers", body: `{"reviewers": ["bob"], "team_reviewers": ["ops"]}`, status: 201, answer: githubPull},
		step{request: "GET /repos/shop/infra/pulls/7", answer: githubPull},
		step{request: "PATCH /repos/shop/infra/pulls/7", body: `{"body": "B2"}`, answer: githubPull},
		step{request: "GET /repos/shop/infra/pulls/7", answer: githubPull},
		step{request: "POST /repos/shop/infra/issues/7/comments", body: `{"body": "superseded"}`, status: 201, answer: "{}"},
		step{request: "PATCH /repos/shop/infra/pulls/7", body: `{"state": "closed"}`, answer: githubPull},
		step{request: "POST /repos/shop/infra/statuses/" + head, body: `{"state": "failure", "context": "promote", "description": "D", "target_url": "https://x"}`, status: 201, answer: "{}"},
	)
	c := f.client(forge.GitHub)
	found, err := c.Find(ctx, forge.FindRequest{Head: "promote/a", Base: "main"})
	want := []forge.PullRequest{{Number: 7, URL: "https://github.com/shop/infra/pull/7", Title: "T", Body: "B\nC", Head: "promote/a", HeadCommit: head, Base: "main",
		Author: "bot", Labels: []string{"promotion"}, Draft: true, State: forge.StateOpen, Mergeable: forge.Yes, Into: "shop/infra"}}
	if err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("found %+v, %v", found, err)
	}
	o := forge.OpenRequest{Head: "promote/a", Base: "main", Title: "T\n", Body: "B", Draft: true, Labels: []string{"promotion", "new", "new", ""}, Reviewers: []string{"@bob", "bot", "@shop/ops"}}
	if pr, err := c.Open(ctx, o); err != nil || pr.Number != 7 {
		t.Errorf("opened %+v, %v", pr, err)
	}
	if v := f.last.Get("X-GitHub-Api-Version"); v != "2022-11-28" {
		t.Errorf("version %q", v)
	}
	body := "B2"
	if _, err := c.Update(ctx, 7, forge.UpdateRequest{Body: &body, Reviewers: []string{"bot"}}); err != nil {
		t.Error(err)
	}
	if err := c.Close(ctx, 7, "superseded"); err != nil {
		t.Error(err)
	}
	if err := c.SetStatus(ctx, head, forge.Status{Context: "promote", State: forge.StatusFailure, Description: "D", URL: "https://x"}); err != nil {
		t.Error(err)
	}
}

func TestGitHubMerge(t *testing.T) {
	get := step{request: "GET /repos/shop/infra/pulls/7", answer: githubPull}
	merge := func(status int, answer string) step {
		return step{request: "PUT /repos/shop/infra/pulls/7/merge", body: `{"sha": "` + head + `", "merge_method": "squash", "commit_title": "CT", "commit_message": "CM"}`, status: status, answer: answer}
	}
	enable := func(answer string) step {
		return step{request: "POST /graphql", body: `{"query": ` + quoted(enableAutoMerge) + `, "variables": {"id": "PR_7", "head": "` + head + `", "method": "SQUASH", "title": "CT", "message": "CM"}}`, answer: answer}
	}
	const modified = `{"message": "Base branch was modified. Review and try the merge again.", "documentation_url": "x"}`
	for _, c := range []struct {
		name  string
		auto  bool
		steps []step
		want  forge.MergeResult
		err   error
	}{
		{"at once", false, []step{get, merge(200, `{"sha": "efef", "merged": true, "message": "merged"}`)}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 1}, nil},
		{"the base moves twice", false, []step{get, merge(405, modified), get, merge(405, modified), get, merge(200, `{"sha": "efef"}`)}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 3}, nil},
		{"it merged meanwhile", false, []step{get, merge(405, modified), {request: get.request, answer: strings.NewReplacer(`"merged": false`, `"merged": true`, `"open"`, `"closed"`).Replace(githubPull)}},
			forge.MergeResult{Merged: true, Commit: "cdcd"}, nil},
		{"the head moves meanwhile", false, []step{get, merge(405, modified), {request: get.request, answer: strings.ReplaceAll(githubPull, head, strings.Repeat("cd", 20))}}, forge.MergeResult{}, forge.ErrHeadMoved},
		{"the head moves at last", false, []step{get, merge(409, `{"message": "Head branch was modified. Review and try the merge again."}`)}, forge.MergeResult{Tries: 1}, forge.ErrHeadMoved},
		{"rules", false, []step{get, merge(405, `{"message": "At least 1 approving review is required by reviewers with write access."}`)}, forge.MergeResult{Tries: 1}, forge.ErrNotMergeable},
		{"not known yet", false, []step{{request: get.request, answer: strings.ReplaceAll(githubPull, `"mergeable": true`, `"mergeable": null`)}, merge(405, `{"message": "Pull Request is not mergeable"}`),
			get, merge(200, `{"sha": "efef"}`)}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 2}, nil},
		{"later", true, []step{get, get, enable(`{"data": {"enablePullRequestAutoMerge": {"pullRequest": {"id": "PR_7"}}}}`)}, forge.MergeResult{Tries: 1}, nil},
		{"later, and nothing to wait for", true, []step{get, get, enable(`{"errors": [{"type": "UNPROCESSABLE", "message": "Pull request Pull request is in clean status"}]}`), merge(200, `{"sha": "efef"}`)},
			forge.MergeResult{Merged: true, Commit: "efef", Tries: 1}, nil},
		{"later, not allowed in the settings", true, []step{get, get, enable(`{"errors": [{"type": "UNPROCESSABLE", "message": "Pull request Auto merge is not allowed for this repository"}]}`)}, forge.MergeResult{Tries: 1}, forge.ErrUnsupported},
		{"later, the head moved", true, []step{get, get, enable(`{"errors": [{"type": "UNPROCESSABLE", "message": "The head OID is not the expected head oid"}]}`)}, forge.MergeResult{Tries: 1}, forge.ErrHeadMoved},
		{"later, no right", true, []step{get, get, enable(`{"errors": [{"type": "FORBIDDEN", "message": "Resource not accessible by personal access token"}]}`)}, forge.MergeResult{Tries: 1}, forge.ErrNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := forge.MergeRequest{Head: head, Method: forge.MethodSquash, Title: "CT", Message: "CM", AutoMerge: c.auto}
			got, err := newFake(t, c.steps...).client(forge.GitHub).Merge(t.Context(), 7, m)
			if !errors.Is(err, c.err) || got != c.want {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

const enableAutoMerge = `mutation($id: ID!, $method: PullRequestMergeMethod!, $head: GitObjectID!, $title: String, $message: String) {
  enablePullRequestAutoMerge(input: {pullRequestId: $id, mergeMethod: $method, expectedHeadOid: $head, commitHeadline: $title, commitBody: $message}) {
    pullRequest { id }
  }
}`

// A base that moves for ever is given up.
func TestBaseModifiedForEver(t *testing.T) {
	const answer = `{"message": "Base branch was modified. Review and try the merge again."}`
	steps := make([]step, 0, 40)
	for range 20 {
		steps = append(steps, step{request: "GET /repos/shop/infra/pulls/7", answer: githubPull},
			step{request: "PUT /repos/shop/infra/pulls/7/merge", body: `{"sha": "` + head + `", "merge_method": "merge"}`, status: 405, answer: answer})
	}
	f := newFake(t, steps...)
	result, err := f.client(forge.GitHub).Merge(t.Context(), 7, forge.MergeRequest{Head: head})
	if !errors.Is(err, forge.ErrBaseModified) || result.Tries < 5 || f.done >= len(steps) {
		t.Errorf("%+v, %v after %d requests", result, err, f.done)
	}
	var sum time.Duration
	for _, d := range f.waits {
		sum += d
	}
	if sum > time.Minute {
		t.Errorf("waited %v", f.waits)
	}
	f.steps = f.steps[:f.done]
}

func TestGitHubChecks(t *testing.T) {
	ctx := t.Context()
	f := newFake(t,
		step{request: "GET /repos/shop/infra/pulls/7", answer: githubPull},
		step{request: "GET /repos/shop/infra/pulls/7/reviews?page=1&per_page=100", answer: `[
			{"user": {"login": "bob"}, "state": "CHANGES_REQUESTED", "commit_id": "00", "submitted_at": "2026-01-01T00:00:00Z"},
			{"user": {"login": "carol"}, "state": "APPROVED", "commit_id": "` + head + `", "submitted_at": "2026-01-01T01:00:00Z"},
			{"user": {"login": "bob"}, "state": "APPROVED", "commit_id": "00", "submitted_at": "2026-01-02T00:00:00Z"},
			{"user": {"login": "bob"}, "state": "COMMENTED", "commit_id": "` + head + `", "submitted_at": "2026-01-03T00:00:00Z"},
			{"user": {"login": "carol"}, "state": "DISMISSED", "commit_id": "` + head + `", "submitted_at": "2026-01-04T00:00:00Z"}]`},
		step{request: "GET /repos/shop/infra/commits/" + head + "/status?page=1&per_page=100", answer: `{"state": "pending", "statuses": [
			{"context": "ci", "state": "error", "description": "D", "target_url": "https://x", "updated_at": "2026-01-01T00:00:00Z"}]}`},
		step{request: "GET /repos/shop/infra/commits/" + head + "/check-runs?page=1&per_page=100", answer: `{"total_count": 3, "check_runs": [
			{"name": "build", "status": "completed", "conclusion": "success", "html_url": "https://y", "completed_at": "2026-01-01T00:00:00Z", "output": {"title": "good"}},
			{"name": "test", "status": "in_progress", "conclusion": null, "completed_at": null, "output": {"title": null}},
			{"name": "lint", "status": "completed", "conclusion": "skipped"},
			{"name": "new", "status": "completed", "conclusion": "a word of tomorrow"}]}`},
	)
	c := f.client(forge.GitHub)
	reviews, err := c.Reviews(ctx, 7)
	at := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	if want := []forge.Review{{User: "bob", State: forge.ReviewApproved, Commit: "00", Stale: true, At: at}}; err != nil || !reflect.DeepEqual(reviews, want) {
		t.Errorf("%+v, %v", reviews, err)
	}
	statuses, err := c.Statuses(ctx, head)
	var got []string
	for _, s := range statuses {
		got = append(got, s.Context+" "+string(s.State))
	}
	if want := "ci failure,build success,test pending,lint success,new failure"; err != nil || strings.Join(got, ",") != want {
		t.Errorf("%v, %v", got, err)
	}
}

func TestGitHubRefusals(t *testing.T) {
	const pull, pulls, self = "GET /repos/shop/infra/pulls/7", "POST /repos/shop/infra/pulls", "GET /repos/shop/infra"
	const opened = `{"title": "T", "body": "B", "head": "promote/a", "base": "main", "draft": false}`
	open := func(status int, answer string, header map[string]string) []step {
		return []step{{request: pulls, body: opened, status: status, answer: answer, header: header}}
	}
	invalid := func(message string) string {
		return `{"message": "Validation Failed", "errors": [{"resource": "PullRequest", "code": "custom", "message": "` + message + `"}], "documentation_url": "x"}`
	}
	testRefusals(t, forge.GitHub, []refusal{
		{name: "exists", steps: open(422, invalid("A pull request already exists for shop:promote/a."), nil), do: doOpen, want: forge.ErrExists, text: "opening a pull request: 422 Validation Failed; A pull request already exists"},
		{name: "no change", steps: open(422, invalid("No commits between main and promote/a"), nil), do: doOpen, want: forge.ErrNoChange},
		{name: "narrow, fine-grained", steps: open(403, `{"message": "Resource not accessible by personal access token"}`, map[string]string{"X-Accepted-GitHub-Permissions": "pull_requests=write"}),
			do: doOpen, want: forge.ErrNotAllowed, text: "Resource not accessible", hint: "the token from TOKEN needs the permission pull_requests=write"},
		{name: "narrow, classic", steps: open(403, `{"message": "Must have admin rights"}`, map[string]string{"X-Accepted-OAuth-Scopes": "repo", "X-OAuth-Scopes": "read:org"}),
			do: doOpen, want: forge.ErrNotAllowed, hint: "has the scopes read:org and needs one of repo"},
		{name: "single sign-on", steps: open(403, `{"message": "Resource protected by organization SAML enforcement."}`, map[string]string{"X-GitHub-SSO": "required; url=https://github.com/orgs/shop/sso"}),
			do: doOpen, want: forge.ErrNotAllowed, hint: "single sign-on"},
		{name: "narrow, no word", steps: open(403, `{}`, nil), do: doOpen, want: forge.ErrNotAllowed, text: "403 forbidden", hint: "pull requests: write"},
		{name: "expired", steps: []step{{request: pull, status: 401, answer: `{"message": "Bad credentials"}`}}, do: doGet, want: forge.ErrNotAllowed, text: "the token from TOKEN is not accepted"},
		{name: "not there", steps: []step{{request: pull, status: 404, answer: `{"message": "Not Found"}`}, {request: self, answer: "{}"}}, do: doGet, want: forge.ErrNotFound, text: "Not Found"},
		{name: "no access", steps: []step{{request: pull, status: 404, answer: `{"message": "Not Found"}`}, {request: self, status: 404, answer: `{"message": "Not Found"}`}}, do: doGet, want: forge.ErrNoAccess,
			text: `there is no repository "shop/infra", or the token from TOKEN may not see it`, hint: "the scope repo"},
		{name: "a limit that lasts", steps: []step{{request: pull, status: 403, answer: `{"message": "API rate limit exceeded"}`, header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000900"}}},
			do: doGet, want: forge.ErrLimited, text: "lifts in 15m1s"},
		{name: "a fault", steps: []step{{request: pull, status: 500, answer: "<html>"}}, do: doGet, text: "500 internal server error", hint: "try again later"},
		{name: "a fault while writing", steps: open(502, "", nil), do: doOpen, text: "502 bad gateway"},
		{name: "not GitHub", steps: []step{{request: pull, answer: "<html>"}}, do: doGet, text: "not JSON", hint: "is it GitHub"},
		{name: "another shape", steps: []step{{request: pull, answer: `{"number": "seven"}`}}, do: doGet, text: "not of the form"},
		{name: "moved", steps: []step{{request: pulls, body: opened, status: 301, header: map[string]string{"Location": "/repositories/1/pulls"}}}, do: doOpen, text: "the repository has moved", hint: "git remote set-url"},
		{name: "more pages than are read", steps: endless("GET /repos/shop/infra/pulls?base=main&head=shop%3Apromote%2Fa&page=PAGE&per_page=100&state=open"), do: doFind, text: "more than 20 pages"},
	})
}

// endless has 20 pages with one more each.
func endless(request string) []step {
	var steps []step
	for page := 1; page <= 20; page++ {
		steps = append(steps, step{request: strings.ReplaceAll(request, "PAGE", itoa(page)), answer: "[]", header: map[string]string{"Link": `<x>; rel="next"`}})
	}
	return steps
}

// Limits that lift soon are waited for, reads that fail are read again, and a redirect
// on the same host is followed.
func TestPatience(t *testing.T) {
	const pull = "GET /repos/shop/infra/pulls/7"
	f := newFake(t,
		step{request: pull, status: 429, header: map[string]string{"Retry-After": "7"}},
		step{request: pull, status: 403, header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000003"}},
		step{request: pull, status: 503},
		step{request: pull, status: 307, header: map[string]string{"Location": "/repositories/1/pulls/7"}},
		step{request: "GET /repositories/1/pulls/7", answer: githubPull},
	)
	if _, err := f.client(forge.GitHub).Get(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	if want := []time.Duration{7 * time.Second, 4 * time.Second, 4 * time.Second}; !reflect.DeepEqual(f.waits, want) {
		t.Errorf("waited %v", f.waits)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newFake(t).client(forge.GitHub).Get(ctx, 7); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A pull request that is open without its labels is told together with the error.
func TestOpenedWithoutLabels(t *testing.T) {
	f := newFake(t,
		step{request: "POST /repos/shop/infra/pulls", body: `{"title": "T", "body": "", "head": "promote/a", "base": "main", "draft": false}`, status: 201, answer: githubPull},
		step{request: "POST /repos/shop/infra/issues/7/labels", body: `{"labels": ["x"]}`, status: 403, answer: `{}`})
	pr, err := f.client(forge.GitHub).Open(t.Context(), forge.OpenRequest{Head: "promote/a", Base: "main", Title: "T", Labels: []string{"x"}})
	if pr == nil || !errors.Is(err, forge.ErrNotAllowed) {
		t.Errorf("%+v, %v", pr, err)
	}
}

func TestInstallationToken(t *testing.T) {
	f := newFake(t,
		step{request: "GET /repos/shop/infra/installation", answer: `{"id": 42}`},
		step{request: "POST /app/installations/42/access_tokens", body: `{"repositories": ["infra"]}`, status: 201, answer: `{"token": "ghs_x", "expires_at": "2026-01-01T00:00:00Z"}`})
	r := forge.Repository{Kind: forge.GitHub, Web: f.URL, API: f.URL, Owner: "shop", Name: "infra"}
	token, err := forge.InstallationToken(t.Context(), r, forge.Token{Secret: "jwt", From: "APP"}, 0, forge.Options{})
	if err != nil || token != (forge.Token{Secret: "ghs_x", Scheme: forge.SchemeBearer, From: "APP"}) {
		t.Errorf("%s, %v", token.Secret, err)
	}
	if got := f.last.Get("Authorization"); got != "Bearer jwt" {
		t.Error(got)
	}
	r.Kind = forge.GitLab
	if _, err := forge.InstallationToken(t.Context(), r, forge.Token{}, 1, forge.Options{}); !errors.Is(err, forge.ErrUnsupported) {
		t.Error(err)
	}
}
