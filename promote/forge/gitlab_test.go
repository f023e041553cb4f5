package forge_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// gitlabMerge is a merge request in the shape of GitLab's published description.
const gitlabMerge = `{"id": 1000, "iid": 7, "web_url": "https://gitlab.com/shop/infra/-/merge_requests/7", "title": "Draft: T", "description": "B", "state": "opened", "draft": true,
  "source_branch": "promote/a", "target_branch": "main", "source_project_id": 3, "target_project_id": 3, "sha": "abababababababababababababababababababab",
  "detailed_merge_status": "mergeable", "has_conflicts": false, "merge_commit_sha": null, "squash_commit_sha": null, "merge_error": null,
  "author": {"id": 1, "username": "bot"}, "labels": ["promotion"], "reviewers": [{"id": 5, "username": "dave"}]}`

func TestGitLab(t *testing.T) {
	ctx := t.Context()
	const at = "/projects/shop%2Finfra/merge_requests"
	fork := strings.ReplaceAll(gitlabMerge, `"source_project_id": 3`, `"source_project_id": 4`)
	f := newFake(t,
		step{request: "GET " + at + "?page=1&per_page=100&source_branch=promote%2Fa&state=opened&target_branch=main", answer: "[" + fork + "," + gitlabMerge + "]"},
		step{request: "POST " + at, body: `{"title": "Draft: T", "description": "B", "source_branch": "promote/a", "target_branch": "main"}`, status: 201, answer: gitlabMerge},
		step{request: "GET " + at + "/7", answer: gitlabMerge},
		step{request: "GET /users?username=bob", answer: `[{"id": 9, "username": "Bob"}]`},
		step{request: "PUT " + at + "/7", body: `{"add_labels": "new,other", "reviewer_ids": [5, 9]}`, answer: gitlabMerge},
		step{request: "GET " + at + "/7", answer: gitlabMerge},
		step{request: "PUT " + at + "/7", body: `{"title": "Draft: T2", "description": "B2\n\\/merge"}`, answer: gitlabMerge},
		step{request: "GET " + at + "/7", answer: gitlabMerge},
		step{request: "POST " + at + "/7/notes", body: `{"body": "\\/approve"}`, status: 201, answer: "{}"},
		step{request: "PUT " + at + "/7", body: `{"state_event": "close"}`, answer: gitlabMerge},
		step{request: "POST /projects/shop%2Finfra/statuses/" + head, body: `{"state": "failed", "name": "promote", "description": "D"}`, status: 201, answer: "{}"},
		step{request: "POST /projects/shop%2Finfra/statuses/" + head, body: `{"state": "success", "name": "promote", "description": ""}`, status: 400, answer: `{"message": "Cannot transition status via :succeed from :success"}`},
	)
	c := f.client(forge.GitLab)
	found, err := c.Find(ctx, forge.FindRequest{Head: "promote/a", Base: "main"})
	want := []forge.PullRequest{{Number: 7, URL: "https://gitlab.com/shop/infra/-/merge_requests/7", Title: "T", Body: "B", Head: "promote/a", HeadCommit: head, Base: "main",
		Author: "bot", Labels: []string{"promotion"}, Draft: true, State: forge.StateOpen, Mergeable: forge.Yes}}
	if err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("found %+v, %v", found, err)
	}
	o := forge.OpenRequest{Head: "promote/a", Base: "main", Title: "T", Body: "B", Draft: true, Labels: []string{"new", "other"}, Reviewers: []string{"@bob"}}
	if _, err := c.Open(ctx, o); err != nil {
		t.Error(err)
	}
	title, body := "T2", "B2\n/merge"
	if _, err := c.Update(ctx, 7, forge.UpdateRequest{Title: &title, Body: &body}); err != nil {
		t.Error(err)
	}
	if err := c.Close(ctx, 7, "/approve"); err != nil {
		t.Error(err)
	}
	if err := c.SetStatus(ctx, head, forge.Status{Context: "promote", State: forge.StatusFailure, Description: "D"}); err != nil {
		t.Error(err)
	}
	if err := c.SetStatus(ctx, head, forge.Status{Context: "promote", State: forge.StatusSuccess}); err != nil {
		t.Errorf("the same once more: %v", err)
	}
}

func TestGitLabMerge(t *testing.T) {
	const at = "/projects/shop%2Finfra/merge_requests/7"
	get := step{request: "GET " + at, answer: gitlabMerge}
	merged := strings.NewReplacer(`"opened"`, `"merged"`, `"merge_commit_sha": null`, `"merge_commit_sha": "efef"`).Replace(gitlabMerge)
	is := func(status string) step {
		return step{request: "GET " + at, answer: strings.ReplaceAll(gitlabMerge, `"mergeable"`, `"`+status+`"`)}
	}
	merge := func(status int, answer string) step {
		return step{request: "PUT " + at + "/merge", body: `{"sha": "` + head + `", "squash": true, "squash_commit_message": "CT\n\nCM"}`, status: status, answer: answer}
	}
	const no = `{"message": "405 Method Not Allowed"}`
	for _, c := range []struct {
		name  string
		steps []step
		want  forge.MergeResult
		err   error
		text  string
	}{
		{"at once", []step{get, merge(200, merged)}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 1}, nil, ""},
		{"the head moves", []step{get, merge(409, `{"message": "SHA does not match HEAD of source branch"}`)}, forge.MergeResult{Tries: 1}, forge.ErrHeadMoved, "has the head"},
		{"not approved", []step{get, merge(405, no), is("not_approved")}, forge.MergeResult{Tries: 1}, forge.ErrNotMergeable, "approvals are missing"},
		{"a pipeline", []step{get, merge(422, `{"message": "Branch cannot be merged"}`), is("ci_must_pass")}, forge.MergeResult{Tries: 1}, forge.ErrNotMergeable, "a pipeline must succeed"},
		{"a word of tomorrow", []step{get, merge(405, no), is("moon_phase")}, forge.MergeResult{Tries: 1}, forge.ErrNotMergeable, "moon phase"},
		{"not looked yet", []step{get, merge(405, no), is("checking"), get, merge(422, no), is("mergeable"), get, merge(200, merged)}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 3}, nil, ""},
		{"no right", []step{get, merge(401, `{"message": "401 Unauthorized"}`)}, forge.MergeResult{Tries: 1}, forge.ErrNotAllowed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := forge.MergeRequest{Head: head, Method: forge.MethodSquash, Title: "CT", Message: "CM"}
			got, err := newFake(t, c.steps...).client(forge.GitLab).Merge(t.Context(), 7, m)
			if !errors.Is(err, c.err) || got != c.want || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	f := newFake(t, get, step{request: "PUT " + at + "/merge", body: `{"sha": "` + head + `", "auto_merge": true, "merge_when_pipeline_succeeds": true}`, answer: gitlabMerge})
	if got, err := f.client(forge.GitLab).Merge(t.Context(), 7, forge.MergeRequest{Head: head, AutoMerge: true}); err != nil || got.Merged {
		t.Errorf("later: %+v, %v", got, err)
	}
}

func TestGitLabChecks(t *testing.T) {
	ctx := t.Context()
	const at = "/projects/shop%2Finfra/"
	f := newFake(t,
		step{request: "GET " + at + "merge_requests/7/approvals", answer: `{"approved_by": [{"user": {"username": "bob"}, "approved_at": "2026-01-01T00:00:00Z"}, {"user": {"username": "carol"}}]}`},
		step{request: "GET " + at + "merge_requests/7/reviewers", answer: `[{"user": {"username": "carol"}, "state": "requested_changes"}, {"user": {"username": "dave"}, "state": "unreviewed"}]`},
		step{request: "GET " + at + "merge_requests/7/versions?page=1&per_page=100", answer: `[{"id": 1, "head_commit_sha": "` + head + `", "created_at": "2025-12-31T00:00:00Z"}]`},
		step{request: "GET " + at + "repository/commits/" + head + "/statuses?page=1&per_page=100", answer: `[{"name": "build", "status": "success", "created_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:01:00Z"},
			{"name": "test", "status": "running", "created_at": "2026-01-01T00:00:00Z", "finished_at": null, "description": null, "target_url": null},
			{"name": "lint", "status": "failed", "allow_failure": true}, {"name": "deploy", "status": "canceled"}]`})
	c := f.client(forge.GitLab)
	reviews, err := c.Reviews(ctx, 7)
	want := []forge.Review{{User: "bob", State: forge.ReviewApproved, At: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}, {User: "carol", State: forge.ReviewChangesRequested}}
	if err != nil || !reflect.DeepEqual(reviews, want) {
		t.Errorf("%+v, %v", reviews, err)
	}
	statuses, err := c.Statuses(ctx, head)
	var got []string
	for _, s := range statuses {
		got = append(got, s.Context+" "+string(s.State))
	}
	if want := "build success,test pending,lint success,deploy failure"; err != nil || strings.Join(got, ",") != want {
		t.Errorf("%v, %v", got, err)
	}
}

func TestGitLabRefusals(t *testing.T) {
	const at, self = "/projects/shop%2Finfra/merge_requests", "GET /projects/shop%2Finfra"
	const opened = `{"title": "T", "description": "B", "source_branch": "promote/a", "target_branch": "main"}`
	open := func(status int, answer string) []step {
		return []step{{request: "POST " + at, body: opened, status: status, answer: answer}}
	}
	testRefusals(t, forge.GitLab, []refusal{
		{name: "exists", steps: open(409, `{"message": ["Another open merge request already exists for this source branch: !5"]}`), do: doOpen, want: forge.ErrExists, text: "already exists for this source branch: !5"},
		{name: "fields", steps: open(400, `{"message": {"source_branch": ["is invalid"], "base": ["no"]}}`), do: doOpen, text: "400 base no; source_branch is invalid"},
		{name: "narrow", steps: open(403, `{"error": "insufficient_scope", "error_description": "The request requires higher privileges", "scope": "api"}`), do: doOpen, want: forge.ErrNotAllowed, text: "insufficient_scope", hint: "the scope api"},
		{name: "expired", steps: open(401, `{"message": "401 Unauthorized"}`), do: doOpen, want: forge.ErrNotAllowed, text: "is not accepted"},
		{name: "not there", steps: []step{{request: "GET " + at + "/7", status: 404, answer: `{"message": "404 Not found"}`}, {request: self, answer: "{}"}}, do: doGet, want: forge.ErrNotFound},
		{name: "no access", steps: []step{{request: "GET " + at + "/7", status: 404, answer: `{"message": "404 Project Not Found"}`}, {request: self, status: 404, answer: "{}"}}, do: doGet, want: forge.ErrNoAccess},
		{name: "limited", steps: []step{{request: "GET " + at + "/7", status: 429, header: map[string]string{"RateLimit-Reset": "1800000600"}}}, do: doGet, want: forge.ErrLimited, text: "10m1s"},
	})
}
