package forge_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// fresh tells of each approval whether it is of the head that is there now.
func fresh(t *testing.T, c forge.Client) string {
	t.Helper()
	reviews, err := c.Reviews(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range reviews {
		out = append(out, fmt.Sprintf("%s %t", r.User, r.Stale))
	}
	return strings.Join(out, ", ")
}

// Some forges keep an approval when something is pushed, and do not say what was approved.
// Then the times of both tell.
func TestStaleReviews(t *testing.T) {
	const lab = "GET /projects/shop%2Finfra/merge_requests/7/"
	approvals := step{request: lab + "approvals", answer: `{"approved_by": [{"user": {"username": "early"}, "approved_at": "2026-01-01T00:00:00Z"},
		{"user": {"username": "late"}, "approved_at": "2026-01-03T00:00:00Z"}, {"user": {"username": "undated"}}]}`}
	reviewers := step{request: lab + "reviewers", answer: "[]"}
	versions := func(all string) step { return step{request: lab + "versions?page=1&per_page=100", answer: all} }
	const pushes = `[{"created_at": "2026-01-02T00:00:00Z"}, {"created_at": "2025-12-31T00:00:00Z"}]`

	const cloud = "GET /repositories/shop/infra/pullrequests/7"
	people := `"participants": [{"user": {"uuid": "{e}", "nickname": "early"}, "state": "approved", "participated_on": "2026-01-04T00:00:00Z"},
		{"user": {"uuid": "{l}", "nickname": "late"}, "state": "approved"}, {"user": {"uuid": "{f}", "nickname": "late"}, "state": "approved"}]`
	pull := step{request: cloud, answer: `{"id": 7, "state": "OPEN", ` + people + `}`}
	activity := func(hash, before string) step {
		return step{request: cloud + "/activity?page=1&pagelen=50", answer: `{"values": [
			{"approval": {"date": "2026-01-03T00:00:00Z", "user": {"uuid": "{l}", "nickname": "late"}}},
			{"update": {"date": "2026-01-02T12:00:00Z", "source": {"commit": {"hash": "` + hash + `"}}}},
			{"update": {"date": "2026-01-02T00:00:00Z", "source": {"commit": {"hash": "` + hash + `"}}}},
			{"approval": {"date": "2026-01-01T00:00:00Z", "user": {"uuid": "{e}", "nickname": "early"}}},
			{"update": {"date": "2025-12-31T00:00:00Z", "source": {"commit": {"hash": "` + before + `"}}}}]}`}
	}
	get := step{request: "GET " + azureAt + "/7?" + azureAPI, answer: strings.NewReplacer("bob@", "early@", "carol@", "late@").Replace(azurePull)}
	iterations := step{request: "GET " + azureAt + "/7/iterations?" + azureAPI, answer: `{"value": [{"id": 1, "createdDate": "2025-12-31T00:00:00Z"}, {"id": 2, "createdDate": "2026-01-02T00:00:00Z"}]}`}
	vote := func(who, when string) string {
		return `{"publishedDate": "` + when + `", "properties": {"CodeReviewThreadType": {"$type": "System.String", "$value": "VoteUpdate"}}, "comments": [{"author": {"uniqueName": "` + who + `"}, "content": "voted 10"}]}`
	}
	threads := step{request: "GET " + azureAt + "/7/threads?" + azureAPI, answer: `{"value": [` + strings.Join([]string{vote("early@example.com", "2026-01-01T00:00:00Z"),
		vote("late@example.com", "2026-01-03T00:00:00Z"), vote("late@example.com", "2026-01-01T00:00:00Z"), `{"publishedDate": "2026-01-04T00:00:00Z", "properties": null, "comments": [{"author": {"uniqueName": "early@example.com"}}]}`}, ",") + `]}`}
	for _, c := range []struct {
		kind  forge.Kind
		name  string
		steps []step
		want  string
	}{
		{forge.GitLab, "pushed once", []step{approvals, reviewers, versions(`[{"created_at": "2026-01-02T00:00:00Z"}]`)}, "early false, late false, undated false"},
		{forge.GitLab, "pushed again", []step{approvals, reviewers, versions(pushes)}, "early true, late false, undated true"},
		{forge.GitLab, "nobody", []step{{request: lab + "approvals", answer: "{}"}, reviewers}, ""},
		{forge.Bitbucket, "pushed once", []step{pull, activity("aa", "aa")}, "early false, late false, late false"},
		{forge.Bitbucket, "pushed again", []step{pull, activity("bb", "aa")}, "early true, late false, late true"},
		{forge.Azure, "pushed again", []step{get, iterations, threads}, "early@example.com true, late@example.com false, erin true"},
	} {
		t.Run(string(c.kind)+" "+c.name, func(t *testing.T) {
			if got := fresh(t, newFake(t, c.steps...).client(c.kind)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// Whoever looks for a commit asks for all that is open into a branch, forks included.
func TestFindAny(t *testing.T) {
	fork := func(text, own, other string) string { return strings.Replace(text, own, other, 1) }
	for _, c := range []struct {
		kind forge.Kind
		step step
	}{
		{forge.GitHub, step{request: "GET /repos/shop/infra/pulls?base=main&page=1&per_page=100&state=open", answer: "[" + fork(githubPull, "shop/infra", "eve/infra") + "]"}},
		{forge.GitLab, step{request: "GET /projects/shop%2Finfra/merge_requests?page=1&per_page=100&state=opened&target_branch=main", answer: "[" + fork(gitlabMerge, `"source_project_id": 1`, `"source_project_id": 2`) + "]"}},
		{forge.Gitea, step{request: "GET /repos/shop/infra/pulls?base_branch=main&limit=100&page=1&state=open", answer: "[" + fork(giteaPull, `"full_name": "shop/infra"`, `"full_name": "eve/infra"`) + "]"}},
		{forge.Bitbucket, step{request: "GET /repositories/shop/infra/pullrequests?page=1&pagelen=50&q=destination.branch.name+%3D+%22main%22&state=OPEN", answer: `{"values": [` + fork(bitbucketPull, `"full_name": "shop/infra"`, `"full_name": "eve/infra"`) + `]}`}},
		{forge.BitbucketServer, step{request: "GET /api/latest/projects/shop/repos/infra/pull-requests?at=refs%2Fheads%2Fmain&direction=INCOMING&limit=100&start=0&state=OPEN", answer: `{"isLastPage": true, "values": [` + fork(dataCenterPull, `"slug": "infra"`, `"slug": "other"`) + `]}`}},
		{forge.Azure, step{request: "GET " + azureAt + "?%24skip=0&%24top=100&" + azureAPI + "&searchCriteria.status=active&searchCriteria.targetRefName=refs%2Fheads%2Fmain", answer: `{"value": [` + fork(azurePull, `"title"`, `"forkSource": {}, "title"`) + `]}`}},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			f := newFake(t, c.step)
			found, err := f.client(c.kind).Find(t.Context(), forge.FindRequest{Base: "main"})
			if err != nil || len(found) != 1 || found[0].Number != 7 || !strings.HasPrefix(head, found[0].HeadCommit) {
				t.Errorf("%+v, %v", found, err)
			}
			if _, err := f.client(c.kind).Find(t.Context(), forge.FindRequest{}); err == nil {
				t.Error("neither head nor base, and no error")
			}
		})
	}
}

func TestMembers(t *testing.T) {
	for _, c := range []struct {
		kind  forge.Kind
		team  string
		steps []step
		want  []string
		err   error
		text  string
	}{
		{forge.GitHub, "@shop/ops", []step{{request: "GET /orgs/shop/teams/ops/members?page=1&per_page=100", answer: `[{"login": "ann"}, {"login": "bob"}]`, header: map[string]string{"Link": `<x>; rel="next"`}},
			{request: "GET /orgs/shop/teams/ops/members?page=2&per_page=100", answer: `[{"login": "eve"}]`}}, []string{"ann", "bob", "eve"}, nil, ""},
		{forge.GitHub, "ops", nil, nil, nil, "ORGANIZATION/TEAM"},
		{forge.GitHub, "shop/ops", []step{{request: "GET /orgs/shop/teams/ops/members?page=1&per_page=100", status: 403, answer: `{"message": "Must have admin rights"}`}}, nil, forge.ErrNotAllowed, "Must have admin rights"},
		{forge.GitLab, "shop/ops", []step{{request: "GET /groups/shop%2Fops/members/all?page=1&per_page=100", answer: `[{"username": "ann", "state": "active"}, {"username": "gone", "state": "blocked"}]`}}, []string{"ann"}, nil, ""},
		{forge.GitLab, "ops/", []step{{request: "GET /groups/ops/members/all?page=1&per_page=100", answer: `[]`}}, nil, nil, ""},
		{forge.Gitea, "shop/ops", []step{{request: "GET /orgs/shop/teams?limit=100&page=1", answer: `[{"id": 3, "name": "ops-2"}, {"id": 4, "name": "Ops"}]`},
			{request: "GET /teams/4/members?limit=100&page=1", answer: `[{"login": "ann"}]`}}, []string{"ann"}, nil, ""},
		{forge.Gitea, "shop/ops", []step{{request: "GET /orgs/shop/teams?limit=100&page=1", answer: `[]`}}, nil, forge.ErrNotFound, "no team"},
		{forge.Bitbucket, "shop/ops", nil, nil, forge.ErrUnsupported, "Bitbucket Cloud"},
		{forge.BitbucketServer, "shop/ops", nil, nil, forge.ErrUnsupported, "Bitbucket Data Center"},
		{forge.Azure, "shop/Release Team", []step{{request: "GET /_apis/projects/shop/teams/Release%20Team/members?%24skip=0&%24top=100&" + azureAPI, answer: `{"value": [{"identity": {"uniqueName": "ann@example.com"}}]}`}}, []string{"ann@example.com"}, nil, ""},
	} {
		t.Run(string(c.kind)+" "+c.team, func(t *testing.T) {
			got, err := newFake(t, c.steps...).client(c.kind).Members(t.Context(), c.team)
			if (err == nil) != (c.text == "") || c.err != nil && !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.want) || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func doMembers(ctx context.Context, c forge.Client) error {
	_, err := c.Members(ctx, "shop/ops")
	return err
}

// After the merge, what a commit of the branch came from is known by the forge alone: the
// head of the pull request is another commit, where it was squashed or rebased.
func TestCarrying(t *testing.T) {
	open := func(text string) string { return "[" + text + "]" }
	merged := func(text string, pairs ...string) string {
		return "[" + strings.NewReplacer(pairs...).Replace(text) + "]"
	}
	hub := merged(githubPull, `"state": "open"`, `"state": "closed", "merged_at": "2026-01-02T00:00:00Z", "merge_commit_sha": "`+head+`"`, `"merge_commit_sha": "cdcd"`, `"x": ""`)
	foreign := strings.Trim(strings.NewReplacer(`"shop/infra"`, `"eve/infra"`, `"number": 7`, `"number": 8`).Replace(hub), "[]")
	const hubOf = "GET /repos/shop/infra/commits/"
	hubClosed := "GET /repos/shop/infra/pulls?base=main&direction=desc&page=1&per_page=100&sort=updated&state=closed"
	for _, c := range []struct {
		name  string
		kind  forge.Kind
		steps []step
		want  int
	}{
		{"the default branch", forge.GitHub, []step{{request: hubOf + head + "/pulls?page=1&per_page=100", answer: hub}}, 1},
		{"another branch", forge.GitHub, []step{{request: hubOf + head + "/pulls?page=1&per_page=100", answer: "[]"}, {request: hubClosed, answer: hub}}, 1},
		{"one that is open has it", forge.GitHub, []step{{request: hubOf + head + "/pulls?page=1&per_page=100", answer: open(githubPull)}, {request: hubClosed, answer: "[]"}}, 0},
		{"no such commit", forge.GitHub, []step{{request: hubOf + head + "/pulls?page=1&per_page=100", status: 422, answer: `{"message": "No commit found for SHA"}`}}, 0},
		{"merged", forge.GitLab, []step{{request: "GET /projects/shop%2Finfra/repository/commits/" + head + "/merge_requests?page=1&per_page=100", answer: merged(gitlabMerge, `"opened"`, `"merged"`)}}, 1},
		{"into another branch", forge.GitLab, []step{{request: "GET /projects/shop%2Finfra/repository/commits/" + head + "/merge_requests?page=1&per_page=100", answer: merged(gitlabMerge, `"opened"`, `"merged"`, `"main"`, `"other"`)}}, 0},
		{"merged", forge.Gitea, []step{{request: "GET /repos/shop/infra/commits/" + head + "/pull", answer: strings.Trim(merged(giteaPull, `"open"`, `"closed"`, `"merged": false`, `"merged": true`), "[]")}}, 1},
		{"of none", forge.Gitea, []step{{request: "GET /repos/shop/infra/commits/" + head + "/pull", status: 404, answer: "{}"}, {request: "GET /repos/shop/infra", answer: "{}"}}, 0},
		{"merged", forge.Bitbucket, []step{{request: "GET /repositories/shop/infra/commit/" + head + "/pullrequests?page=1&pagelen=50", answer: `{"values": [{"id": 7}]}`}, {request: "GET /repositories/shop/infra/pullrequests/7", answer: strings.Trim(merged(bitbucketPull, `"OPEN"`, `"MERGED"`), "[]")},
			{request: "GET /repositories/shop/infra/commit/abababababab", answer: `{"hash": "` + head + `"}`}}, 1},
		// A pull request into another repository, such as a fork, has the same commit: its
		// approvals are none of this one's.
		{"of two repositories", forge.GitHub, []step{{request: hubOf + head + "/pulls?page=1&per_page=100", answer: "[" + foreign + "," + strings.Trim(hub, "[]") + "]"}}, 1},
		{"of another repository", forge.GitHub, []step{{request: hubOf + head + "/pulls?page=1&per_page=100", answer: "[" + foreign + "]"}, {request: hubClosed, answer: "[]"}}, -1},
		{"of another repository", forge.BitbucketServer, []step{{request: "GET /api/latest/projects/shop/repos/infra/commits/" + head + "/pull-requests?limit=100&start=0", answer: `{"isLastPage": true, "values": ` + merged(dataCenterPull, `"OPEN"`, `"MERGED"`, `"SHOP"`, `"~EVE"`) + `}`}}, -1},
		{"of another repository", forge.Azure, []step{{request: "POST " + strings.TrimSuffix(azureAt, "/pullrequests") + "/pullrequestquery?" + azureAPI, body: `{"queries": [{"type": "lastMergeCommit", "items": ["` + head + `"]}]}`, answer: `{"results": [{"` + head + `": ` + merged(azurePull, `"active"`, `"completed"`, `"title"`, `"repository": {"id": "r1", "name": "fork", "project": {"id": "p1", "name": "Shop"}}, "title"`) + `}]}`}}, -1},
		{"of this one", forge.Azure, []step{{request: "POST " + strings.TrimSuffix(azureAt, "/pullrequests") + "/pullrequestquery?" + azureAPI, body: `{"queries": [{"type": "lastMergeCommit", "items": ["` + head + `"]}]}`, answer: `{"results": [{"` + head + `": ` + merged(azurePull, `"active"`, `"completed"`, `"title"`, `"repository": {"id": "r1", "name": "Infra", "project": {"id": "shop", "name": "The shop"}}, "title"`) + `}]}`}}, 1},
		{"merged", forge.BitbucketServer, []step{{request: "GET /api/latest/projects/shop/repos/infra/commits/" + head + "/pull-requests?limit=100&start=0", answer: `{"isLastPage": true, "values": ` + merged(dataCenterPull, `"OPEN"`, `"MERGED"`) + `}`}}, 1},
		{"merged", forge.Azure, []step{{request: "POST " + strings.TrimSuffix(azureAt, "/pullrequests") + "/pullrequestquery?" + azureAPI, body: `{"queries": [{"type": "lastMergeCommit", "items": ["` + head + `"]}]}`, answer: `{"results": [{"` + head + `": ` + merged(azurePull, `"active"`, `"completed"`) + `}]}`}}, 1},
	} {
		t.Run(string(c.kind)+" "+c.name, func(t *testing.T) {
			found, err := newFake(t, c.steps...).client(c.kind).Carrying(t.Context(), head, "main")
			if c.want < 0 {
				if err == nil || len(found) > 0 || !strings.Contains(err.Error(), "and not for shop/infra") {
					t.Errorf("%+v, %v", found, err)
				}
				return
			}
			if c.kind == forge.Bitbucket && err == nil && len(found) > 0 && found[0].HeadCommit != head {
				t.Errorf("the head is %s", found[0].HeadCommit)
			}
			if err != nil || len(found) != c.want || c.want > 0 && (found[0].Number != 7 || found[0].State != forge.StateMerged) {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
	if _, err := newFake(t).client(forge.Gitea).Carrying(t.Context(), "HEAD", "main"); err == nil {
		t.Error("HEAD is no commit, and no error")
	}
}
