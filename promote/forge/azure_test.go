package forge_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// azurePull is a pull request in the shape of Azure DevOps' published description.
const azurePull = `{"pullRequestId": 7, "title": "T", "description": "B", "status": "active", "isDraft": false, "sourceRefName": "refs/heads/promote/a", "targetRefName": "refs/heads/main",
  "mergeStatus": "succeeded", "lastMergeSourceCommit": {"commitId": "abababababababababababababababababababab"}, "lastMergeCommit": {"commitId": "efef"},
  "createdBy": {"id": "1", "uniqueName": "bot@example.com", "displayName": "Bot"}, "labels": [{"id": "x", "name": "promotion", "active": true}],
  "reviewers": [{"uniqueName": "bob@example.com", "vote": 10}, {"uniqueName": "carol@example.com", "vote": -5}, {"uniqueName": "dave@example.com", "vote": 0}, {"displayName": "erin", "vote": 5}]}`

const (
	azureAt  = "/shop/_apis/git/repositories/infra/pullrequests"
	azureAPI = "api-version=7.0"
)

func TestAzure(t *testing.T) {
	ctx := t.Context()
	fork := strings.Replace(azurePull, `"title"`, `"forkSource": {"name": "refs/heads/promote/a"}, "title"`, 1)
	get := step{request: "GET " + azureAt + "/7?" + azureAPI, answer: azurePull}
	const id = "00000000-1111-2222-3333-444444444444"
	f := newFake(t,
		step{request: "GET " + azureAt + "?%24skip=0&%24top=100&" + azureAPI + "&searchCriteria.sourceRefName=refs%2Fheads%2Fpromote%2Fa&searchCriteria.status=active&searchCriteria.targetRefName=refs%2Fheads%2Fmain",
			answer: `{"count": 2, "value": [` + fork + `, ` + strings.Replace(azurePull, `"B"`, `"cut"`, 1) + `]}`},
		get,
		step{request: "POST " + azureAt + "?" + azureAPI, body: `{"title": "T", "description": "B", "isDraft": true, "sourceRefName": "refs/heads/promote/a", "targetRefName": "refs/heads/main"}`, status: 201, answer: azurePull},
		step{request: "POST " + azureAt + "/7/labels?" + azureAPI, body: `{"name": "new"}`, answer: "{}"},
		step{request: "GET /_apis/identities?" + azureAPI + "&filterValue=bob%40example.com&searchFilter=General", answer: `{"value": [{"id": "` + id + `"}]}`},
		step{request: "PUT " + azureAt + "/7/reviewers/" + id + "?" + azureAPI, body: `{"id": "` + id + `", "vote": 0}`, answer: "{}"},
		get,
		step{request: "PATCH " + azureAt + "/7?" + azureAPI, body: `{"title": "T2"}`, answer: azurePull},
		get,
		step{request: "POST " + azureAt + "/7/threads?" + azureAPI, body: `{"status": "closed", "comments": [{"parentCommentId": 0, "content": "bye", "commentType": "text"}]}`, answer: "{}"},
		step{request: "PATCH " + azureAt + "/7?" + azureAPI, body: `{"status": "abandoned"}`, answer: azurePull},
		step{request: "POST /shop/_apis/git/repositories/infra/commits/" + head + "/statuses?" + azureAPI, body: `{"state": "succeeded", "description": "D", "targetUrl": "https://ci.example.com", "context": {"name": "ci", "genre": ""}}`, status: 201, answer: "{}"},
		step{request: "GET /shop/_apis/git/repositories/infra/commits/" + head + "/statuses?" + azureAPI + "&latestOnly=true&skip=0&top=100",
			answer: `{"value": [{"id": 1, "state": "failed", "context": {"name": "test", "genre": "ci"}}, {"id": 2, "state": "succeeded", "context": {"name": "test", "genre": "ci"}}, {"id": 3, "state": "notSet", "context": {"name": "x"}}]}`},
		get,
		step{request: "GET " + azureAt + "/7/iterations?" + azureAPI, answer: `{"count": 1, "value": [{"id": 1, "createdDate": "2026-01-01T00:00:00Z"}]}`},
	)
	c := f.client(forge.Azure)
	found, err := c.Find(ctx, forge.FindRequest{Head: "promote/a", Base: "main"})
	want := []forge.PullRequest{{Number: 7, URL: f.URL + "/shop/_git/infra/pullrequest/7", Title: "T", Body: "B", Head: "promote/a", HeadCommit: head, Base: "main",
		Author: "bot@example.com", Labels: []string{"promotion"}, State: forge.StateOpen, Mergeable: forge.Yes}}
	if err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("found %+v, %v", found, err)
	}
	if _, err := c.Open(ctx, forge.OpenRequest{Head: "promote/a", Base: "main", Title: "T", Body: "B", Draft: true, Labels: []string{"new"}, Reviewers: []string{"bob@example.com"}}); err != nil {
		t.Error(err)
	}
	if err := doUpdate(ctx, c); err != nil {
		t.Error(err)
	}
	if err := doClose(ctx, c); err != nil {
		t.Error(err)
	}
	if err := doSetStatus(ctx, c); err != nil {
		t.Error(err)
	}
	statuses, err := c.Statuses(ctx, head)
	if want := []forge.Status{{Context: "ci/test", State: forge.StatusSuccess}, {Context: "x", State: forge.StatusPending}}; err != nil || !reflect.DeepEqual(statuses, want) {
		t.Errorf("%+v, %v", statuses, err)
	}
	reviews, err := c.Reviews(ctx, 7)
	if want := []forge.Review{{User: "bob@example.com", State: forge.ReviewApproved}, {User: "carol@example.com", State: forge.ReviewChangesRequested}, {User: "erin", State: forge.ReviewApproved}}; err != nil || !reflect.DeepEqual(reviews, want) {
		t.Errorf("%+v, %v", reviews, err)
	}
}

func TestAzureMerge(t *testing.T) {
	get := step{request: "GET " + azureAt + "/7?" + azureAPI, answer: azurePull}
	is := func(old ...string) step {
		return step{request: get.request, answer: strings.NewReplacer(old...).Replace(azurePull)}
	}
	merge := func(status int, answer string) step {
		return step{request: "PATCH " + azureAt + "/7?" + azureAPI, status: status, answer: answer,
			body: `{"status": "completed", "lastMergeSourceCommit": {"commitId": "` + head + `"}, "completionOptions": {"mergeStrategy": "noFastForward", "deleteSourceBranch": false, "mergeCommitMessage": "CT"}}`}
	}
	queued := strings.ReplaceAll(azurePull, `"succeeded"`, `"queued"`)
	merged := strings.ReplaceAll(azurePull, `"active"`, `"completed"`)
	moved := is(head, strings.Repeat("cd", 20))
	const policy = `{"$id": "1", "message": "TF402455: Pushes to this branch are not permitted; you must meet the branch policy.", "typeKey": "GitPullRequestUpdateRejectedByPolicyException"}`
	for _, c := range []struct {
		name  string
		auto  bool
		steps []step
		want  forge.MergeResult
		err   error
	}{
		{"after a while", false, []step{get, merge(200, queued), {request: get.request, answer: queued}, {request: get.request, answer: merged}}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 1}, nil},
		{"a conflict", false, []step{get, merge(200, queued), is(`"succeeded"`, `"conflicts"`)}, forge.MergeResult{Tries: 1}, forge.ErrNotMergeable},
		{"policies", false, []step{get, merge(409, policy), get}, forge.MergeResult{Tries: 1}, forge.ErrNotMergeable},
		{"policies, as 403", false, []step{get, merge(403, policy), get}, forge.MergeResult{Tries: 1}, forge.ErrNotMergeable},
		{"no right", false, []step{get, merge(403, `{"message": "TF401027: You need the Git 'PullRequestContribute' permission to perform this action."}`), get}, forge.MergeResult{Tries: 1}, forge.ErrNotAllowed},
		{"the head moves", false, []step{get, merge(409, `{"message": "TF401192: stale"}`), moved}, forge.MergeResult{Tries: 1}, forge.ErrHeadMoved},
		{"the head moves while it merges", false, []step{get, merge(200, queued), moved}, forge.MergeResult{Tries: 1}, forge.ErrHeadMoved},
		{"the base moves", false, []step{get, merge(200, queued), is(`"succeeded"`, `"failure"`), get, merge(200, merged)}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 2}, nil},
		{"later", true, []step{get, {request: "GET /_apis/connectionData?api-version=7.0-preview", answer: `{"authenticatedUser": {"id": "me"}}`},
			{request: "PATCH " + azureAt + "/7?" + azureAPI, body: `{"autoCompleteSetBy": {"id": "me"}, "completionOptions": {"mergeStrategy": "noFastForward", "deleteSourceBranch": false, "mergeCommitMessage": "CT"}}`, answer: azurePull}}, forge.MergeResult{Tries: 1}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := newFake(t, c.steps...).client(forge.Azure).Merge(t.Context(), 7, forge.MergeRequest{Head: head, Title: "CT", AutoMerge: c.auto})
			if !errors.Is(err, c.err) || got != c.want {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestAzureRefusals(t *testing.T) {
	open := func(status int, answer string) []step {
		return []step{{request: "POST " + azureAt + "?" + azureAPI, body: `{"title": "T", "description": "B", "isDraft": false, "sourceRefName": "refs/heads/promote/a", "targetRefName": "refs/heads/main"}`, status: status, answer: answer}}
	}
	testRefusals(t, forge.Azure, []refusal{
		{name: "exists", steps: open(409, `{"message": "TF401179: An active pull request for the source and target branch already exists.", "typeKey": "GitPullRequestExistsException"}`), do: doOpen, want: forge.ErrExists},
		{name: "the page for signing in", steps: open(203, "<html>sign in</html>"), do: doOpen, want: forge.ErrNotAllowed, text: "is not accepted", hint: "Code (read & write)"},
		{name: "sent to sign in", steps: []step{{request: "GET " + azureAt + "/7?" + azureAPI, status: 302, header: map[string]string{"Location": "https://login.example.com/_signin?token=x"}}}, do: doGet, text: "https://login.example.com, which does not get the token"},
		{name: "no access", steps: []step{{request: "GET " + azureAt + "/7?" + azureAPI, status: 404, answer: `{"message": "TF200016: The project does not exist: shop."}`},
			{request: "GET /shop/_apis/git/repositories/infra?" + azureAPI, status: 404}}, do: doGet, want: forge.ErrNoAccess},
	})
}
