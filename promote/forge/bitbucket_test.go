package forge_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// bitbucketPull is a pull request in the shape of Bitbucket Cloud's published
// description.
const bitbucketPull = `{"id": 7, "title": "T", "description": "B", "state": "OPEN", "draft": false, "author": {"uuid": "{me}", "nickname": "bot", "account_id": "1:me"},
  "source": {"branch": {"name": "promote/a"}, "commit": {"hash": "abababababab"}, "repository": {"full_name": "shop/infra"}},
  "destination": {"branch": {"name": "main"}, "commit": {"hash": "00"}, "repository": {"full_name": "shop/infra"}},
  "reviewers": [{"uuid": "{dave}", "nickname": "dave", "account_id": "1:dave"}], "merge_commit": null,
  "participants": [{"user": {"nickname": "bob"}, "role": "PARTICIPANT", "approved": true, "state": "approved", "participated_on": "2026-01-01T00:00:00Z"},
    {"user": {"nickname": "carol"}, "state": "changes_requested"}, {"user": {"nickname": "dave"}, "state": null}],
  "links": {"html": {"href": "https://bitbucket.org/shop/infra/pull-requests/7"}}}`

func TestBitbucket(t *testing.T) {
	ctx := t.Context()
	const at = "/repositories/shop/infra/pullrequests"
	fork := strings.Replace(bitbucketPull, `"full_name": "shop/infra"`, `"full_name": "eve/infra"`, 1)
	q := "?page=PAGE&pagelen=50&q=source.branch.name+%3D+%22promote%2Fa%22+AND+destination.branch.name+%3D+%22main%22&state=OPEN"
	account := "0123456789abcdef01234567"
	f := newFake(t,
		step{request: "GET " + at + strings.ReplaceAll(q, "PAGE", "1"), answer: `{"values": [` + fork + `], "next": "https://evil.example/next"}`},
		step{request: "GET " + at + strings.ReplaceAll(q, "PAGE", "2"), answer: `{"values": [` + bitbucketPull + `]}`},
		step{request: "POST " + at, body: `{"title": "T", "description": "B", "draft": true, "source": {"branch": {"name": "promote/a"}}, "destination": {"branch": {"name": "main"}}}`, status: 201, answer: bitbucketPull},
		step{request: "GET " + at + "/7", answer: bitbucketPull},
		step{request: "PUT " + at + "/7", body: `{"title": "T", "description": "B", "reviewers": [{"uuid": "{dave}"}, {"uuid": "{bob}"}, {"account_id": "` + account + `"}]}`, answer: bitbucketPull},
		step{request: "GET " + at + "/7", answer: bitbucketPull},
		step{request: "GET " + at + "/7", answer: bitbucketPull},
		step{request: "PUT " + at + "/7", body: `{"title": "T2", "description": "B", "reviewers": [{"uuid": "{dave}"}]}`, answer: bitbucketPull},
		step{request: "GET " + at + "/7", answer: bitbucketPull},
		step{request: "POST " + at + "/7/comments", body: `{"content": {"raw": "bye"}}`, status: 201, answer: "{}"},
		step{request: "POST " + at + "/7/decline", body: `{}`, answer: bitbucketPull},
		step{request: "POST /repositories/shop/infra/commit/" + head + "/statuses/build", body: `{"key": "ci", "name": "ci", "state": "SUCCESSFUL", "url": "https://ci.example.com", "description": "D"}`, status: 201, answer: "{}"},
		step{request: "GET /repositories/shop/infra/commit/" + head + "/statuses?page=1&pagelen=50", answer: `{"values": [{"key": "a", "state": "INPROGRESS"}, {"key": "b", "state": "STOPPED"}, {"key": "c", "state": "SUCCESSFUL"}]}`},
		step{request: "GET " + at + "/7", answer: bitbucketPull},
		step{request: "GET " + at + "/7/activity?page=1&pagelen=50", answer: `{"values": [{"comment": {}}, {"approval": {"date": "2026-01-01T00:00:00Z", "user": {"nickname": "bob"}}},
			{"update": {"date": "2025-12-31T00:00:00Z", "source": {"commit": {"hash": "abababababab"}}}}]}`},
	)
	c := f.client(forge.Bitbucket)
	found, err := c.Find(ctx, forge.FindRequest{Head: "promote/a", Base: "main"})
	want := []forge.PullRequest{{Number: 7, URL: "https://bitbucket.org/shop/infra/pull-requests/7", Title: "T", Body: "B", Head: "promote/a", HeadCommit: head[:12], Base: "main",
		Author: "bot", State: forge.StateOpen, Mergeable: forge.Unknown, Into: "shop/infra"}}
	if err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("found %+v, %v", found, err)
	}
	o := forge.OpenRequest{Head: "promote/a", Base: "main", Title: "T", Body: "B", Draft: true, Reviewers: []string{"{bob}", "{me}", account}}
	if _, err := c.Open(ctx, o); err != nil {
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
	if err != nil || len(statuses) != 3 || statuses[0].State != forge.StatusPending || statuses[1].State != forge.StatusFailure || statuses[2].State != forge.StatusSuccess {
		t.Errorf("%+v, %v", statuses, err)
	}
	reviews, err := c.Reviews(ctx, 7)
	words := []forge.Review{{User: "bob", State: forge.ReviewApproved, At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}, {User: "carol", State: forge.ReviewChangesRequested}}
	if err != nil || !reflect.DeepEqual(reviews, words) {
		t.Errorf("%+v, %v", reviews, err)
	}
	if err := c.SetStatus(ctx, head, forge.Status{Context: "ci", State: forge.StatusSuccess}); err == nil {
		t.Error("a status without a URL")
	}
}

func TestBitbucketMerge(t *testing.T) {
	const at = "/repositories/shop/infra/pullrequests/7"
	get := step{request: "GET " + at, answer: bitbucketPull}
	merge := func(status int, answer string) step {
		return step{request: "POST " + at + "/merge", body: `{"type": "pullrequest", "close_source_branch": false, "merge_strategy": "squash", "message": "CT"}`, status: status, answer: answer}
	}
	merged := strings.NewReplacer(`"OPEN"`, `"MERGED"`, `"merge_commit": null`, `"merge_commit": {"hash": "efef"}`).Replace(bitbucketPull)
	for _, c := range []struct {
		name  string
		steps []step
		want  forge.MergeResult
		err   error
		text  string
	}{
		{"at once", []step{get, merge(200, merged)}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 1}, nil, ""},
		{"the head has moved", []step{{request: get.request, answer: strings.ReplaceAll(bitbucketPull, "abababababab", "cdcdcdcdcdcd")}}, forge.MergeResult{}, forge.ErrHeadMoved, ""},
		{"the head moves at the last moment", []step{get, merge(200, strings.ReplaceAll(merged, "abababababab", "cdcdcdcdcdcd"))}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 1}, forge.ErrHeadMoved, "cdcdcdcdcdcd"},
		{"rules", []step{get, merge(400, `{"type": "error", "error": {"message": "You need at least 1 approval"}}`)}, forge.MergeResult{Tries: 1}, forge.ErrNotMergeable, "at least 1 approval"},
		{"the base moves", []step{get, merge(409, `{"type": "error", "error": {"message": "conflict"}}`), get, merge(200, merged)}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 2}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := newFake(t, c.steps...).client(forge.Bitbucket).Merge(t.Context(), 7, forge.MergeRequest{Head: head, Method: forge.MethodSquash, Title: "CT"})
			if !errors.Is(err, c.err) || got != c.want || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestBitbucketRefusals(t *testing.T) {
	const at = "/repositories/shop/infra/pullrequests"
	open := func(status int, answer string) []step {
		return []step{{request: "POST " + at, body: `{"title": "T", "description": "B", "draft": false, "source": {"branch": {"name": "promote/a"}}, "destination": {"branch": {"name": "main"}}}`, status: status, answer: answer}}
	}
	testRefusals(t, forge.Bitbucket, []refusal{
		{name: "no change", steps: open(400, `{"type": "error", "error": {"message": "There are no changes to be pulled"}}`), do: doOpen, want: forge.ErrNoChange},
		{name: "exists", steps: open(409, `{"type": "error", "error": {"message": "There is an open one"}}`), do: doOpen, want: forge.ErrExists},
		{name: "narrow", steps: open(403, `{"type": "error", "error": {"message": "Your credentials lack one or more required privilege scopes.", "detail": {"required": ["pullrequest:write"], "granted": ["repository"]}}}`),
			do: doOpen, want: forge.ErrNotAllowed, text: "lack one or more", hint: "needs the scope pullrequest:write"},
		{name: "no access", steps: []step{{request: "GET " + at + "/7", status: 404, answer: `{"type": "error", "error": {"message": "Repository shop/infra not found"}}`}, {request: "GET /repositories/shop/infra", status: 404}}, do: doGet, want: forge.ErrNoAccess},
	})
}

// dataCenterPull is a pull request in the shape of Bitbucket Data Center's published
// description.
const dataCenterPull = `{"id": 7, "version": 3, "title": "T", "description": "B", "state": "OPEN", "draft": false,
  "fromRef": {"id": "refs/heads/promote/a", "displayId": "promote/a", "latestCommit": "abababababababababababababababababababab", "repository": {"slug": "infra", "project": {"key": "SHOP"}}},
  "toRef": {"id": "refs/heads/main", "displayId": "main", "latestCommit": "00", "repository": {"slug": "infra", "project": {"key": "SHOP"}}},
  "author": {"user": {"name": "bot"}, "role": "AUTHOR"},
  "reviewers": [{"user": {"name": "bob"}, "status": "APPROVED", "lastReviewedCommit": "00"}, {"user": {"name": "carol"}, "status": "NEEDS_WORK"}, {"user": {"name": "dave"}, "status": "UNAPPROVED"}],
  "links": {"self": [{"href": "https://git.example.com/projects/SHOP/repos/infra/pull-requests/7"}]}}`

const outOfDate = `{"errors": [{"context": null, "message": "You are attempting to modify a pull request based on out-of-date information.", "exceptionName": "com.atlassian.bitbucket.pull.PullRequestOutOfDateException"}]}`

func TestDataCenter(t *testing.T) {
	ctx := t.Context()
	const at = "/api/latest/projects/shop/repos/infra/pull-requests"
	fork := strings.Replace(dataCenterPull, `"SHOP"`, `"~EVE"`, 1)
	find := "GET " + at + "?at=refs%2Fheads%2Fpromote%2Fa&direction=OUTGOING&limit=100&start=START&state=OPEN"
	get := step{request: "GET " + at + "/7", answer: dataCenterPull}
	clean := step{request: "GET " + at + "/7/merge", answer: `{"canMerge": false, "conflicted": false, "outcome": "CLEAN", "vetoes": []}`}
	const ref = `"repository": {"slug": "infra", "project": {"key": "shop"}}`
	const reviewers = `[{"user": {"name": "bob"}}, {"user": {"name": "carol"}}, {"user": {"name": "dave"}}`
	f := newFake(t,
		step{request: strings.ReplaceAll(find, "START", "0"), answer: `{"values": [` + fork + `], "isLastPage": false, "nextPageStart": 100}`},
		step{request: strings.ReplaceAll(find, "START", "100"), answer: `{"values": [` + dataCenterPull + `], "isLastPage": true}`},
		step{request: "POST " + at, body: `{"title": "T", "description": "B", "draft": true, "fromRef": {"id": "refs/heads/promote/a", ` + ref + `}, "toRef": {"id": "refs/heads/main", ` + ref + `}}`, status: 201, answer: dataCenterPull},
		get,
		step{request: "PUT " + at + "/7", body: `{"version": 3, "title": "T", "description": "B", "reviewers": ` + reviewers + `, {"user": {"name": "erin"}}]}`, answer: dataCenterPull},
		get, clean, get,
		step{request: "PUT " + at + "/7", body: `{"version": 3, "title": "T2", "description": "B", "reviewers": ` + reviewers + `]}`, status: 409, answer: outOfDate},
		step{request: get.request, answer: strings.ReplaceAll(dataCenterPull, `"version": 3`, `"version": 4`)},
		step{request: "PUT " + at + "/7", body: `{"version": 4, "title": "T2", "description": "B", "reviewers": ` + reviewers + `]}`, answer: dataCenterPull},
		get, clean,
		step{request: "POST " + at + "/7/comments", body: `{"text": "bye"}`, status: 201, answer: "{}"},
		get,
		step{request: "POST " + at + "/7/decline?version=3", body: `{"version": 3}`, answer: dataCenterPull},
		step{request: "POST /api/latest/projects/shop/repos/infra/commits/" + head + "/builds", body: `{"key": "ci", "name": "ci", "state": "SUCCESSFUL", "url": "https://ci.example.com", "description": "D"}`, status: 204},
		step{request: "GET /build-status/latest/commits/" + head + "?limit=100&start=0", answer: `{"values": [{"key": "ci", "state": "FAILED", "dateAdded": 1000}], "isLastPage": true}`},
		get,
	)
	c := f.client(forge.BitbucketServer)
	found, err := c.Find(ctx, forge.FindRequest{Head: "promote/a", Base: "main"})
	want := []forge.PullRequest{{Number: 7, URL: "https://git.example.com/projects/SHOP/repos/infra/pull-requests/7", Title: "T", Body: "B", Head: "promote/a", HeadCommit: head, Base: "main",
		Author: "bot", State: forge.StateOpen, Mergeable: forge.Unknown, Into: "SHOP/infra"}}
	if err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("found %+v, %v", found, err)
	}
	if _, err := c.Open(ctx, forge.OpenRequest{Head: "promote/a", Base: "main", Title: "T", Body: "B", Draft: true, Reviewers: []string{"bob", "erin"}}); err != nil {
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
	if statuses, err := c.Statuses(ctx, head); err != nil || len(statuses) != 1 || statuses[0].State != forge.StatusFailure || !statuses[0].At.Equal(time.Unix(1, 0)) {
		t.Errorf("%+v, %v", statuses, err)
	}
	reviews, err := c.Reviews(ctx, 7)
	words := []forge.Review{{User: "bob", State: forge.ReviewApproved, Commit: "00", Stale: true}, {User: "carol", State: forge.ReviewChangesRequested}}
	if err != nil || !reflect.DeepEqual(reviews, words) {
		t.Errorf("%+v, %v", reviews, err)
	}
}

func TestDataCenterMerge(t *testing.T) {
	const at = "/api/latest/projects/shop/repos/infra/pull-requests/7"
	get := step{request: "GET " + at, answer: dataCenterPull}
	clean := step{request: "GET " + at + "/merge", answer: `{"conflicted": false, "outcome": "CLEAN"}`}
	moved := step{request: get.request, answer: strings.ReplaceAll(dataCenterPull, head, strings.Repeat("cd", 20))}
	merged := strings.NewReplacer(`"OPEN"`, `"MERGED"`, `"links"`, `"properties": {"mergeCommit": {"id": "efef"}}, "links"`).Replace(dataCenterPull)
	merge := func(status int, answer string) step {
		return step{request: "POST " + at + "/merge?version=3", body: `{"version": 3, "strategyId": "squash", "message": "CT"}`, status: status, answer: answer}
	}
	const veto = `{"errors": [{"message": "The pull request has vetoes.", "exceptionName": "com.atlassian.bitbucket.pull.PullRequestMergeVetoedException", "vetoes": [{"summaryMessage": "Needs 2 approvals", "detailedMessage": "x"}]}]}`
	for _, c := range []struct {
		name  string
		steps []step
		want  forge.MergeResult
		err   error
		text  string
	}{
		{"at once", []step{get, clean, get, merge(200, merged)}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 1}, nil, ""},
		{"the head moves between the looks", []step{get, clean, moved}, forge.MergeResult{Tries: 1}, forge.ErrHeadMoved, ""},
		{"the version moves, and the head with it", []step{get, clean, get, merge(409, outOfDate), moved, clean}, forge.MergeResult{}, forge.ErrHeadMoved, ""},
		{"the version moves", []step{get, clean, get, merge(409, outOfDate), get, clean, get, merge(200, merged)}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 2}, nil, ""},
		{"vetoes", []step{get, clean, get, merge(409, veto)}, forge.MergeResult{Tries: 1}, forge.ErrNotMergeable, "Needs 2 approvals"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := newFake(t, c.steps...).client(forge.BitbucketServer).Merge(t.Context(), 7, forge.MergeRequest{Head: head, Method: forge.MethodSquash, Title: "CT"})
			if !errors.Is(err, c.err) || got != c.want || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestDataCenterRefusals(t *testing.T) {
	const at = "/api/latest/projects/shop/repos/infra/pull-requests"
	const ref = `"repository": {"slug": "infra", "project": {"key": "shop"}}`
	open := func(status int, answer string) []step {
		return []step{{request: "POST " + at, body: `{"title": "T", "description": "B", "fromRef": {"id": "refs/heads/promote/a", ` + ref + `}, "toRef": {"id": "refs/heads/main", ` + ref + `}}`, status: status, answer: answer}}
	}
	testRefusals(t, forge.BitbucketServer, []refusal{
		{name: "exists", steps: open(409, `{"errors": [{"context": null, "message": "Only one pull request may be open for a given source and target branch", "exceptionName": "com.atlassian.bitbucket.pull.DuplicatePullRequestException"}]}`), do: doOpen, want: forge.ErrExists},
		{name: "no change", steps: open(409, `{"errors": [{"message": "main is already up-to-date with branch promote/a in repository infra.", "exceptionName": "com.atlassian.bitbucket.pull.EmptyPullRequestException"}]}`), do: doOpen, want: forge.ErrNoChange},
		{name: "narrow", steps: open(401, `{"errors": [{"message": "You are not permitted to access this resource", "exceptionName": "com.atlassian.bitbucket.AuthorisationException"}]}`), do: doOpen, want: forge.ErrNotAllowed, hint: "repository write"},
	})
}
