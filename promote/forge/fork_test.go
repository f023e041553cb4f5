package forge_test

import (
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// A bot that may not push to a repository pushes to a fork of its own. The pull request
// from there is found among those of the same name from elsewhere, and opened with the
// fork as its head. Before, heads were of the repository itself alone.
func TestFork(t *testing.T) {
	swap := func(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }
	first := func(text, own, other string) string { return strings.Replace(text, own, other, 1) }
	const gitlabAt = "/projects/shop%2Finfra"
	for _, c := range []struct {
		kind  forge.Kind
		steps []step
	}{
		{forge.GitHub, []step{
			{request: "GET /repos/shop/infra/pulls?base=main&head=bot%3Apromote%2Fa&page=1&per_page=100&state=open", answer: "[" + githubPull + "," + swap(githubPull, "Shop/Infra", "bot/Infra-fork", `"number": 7`, `"number": 8`) + "]"},
			{request: "POST /repos/shop/infra/pulls", body: `{"title": "T", "body": "", "head": "bot:promote/a", "head_repo": "infra-fork", "base": "main", "draft": false}`, status: 201, answer: githubPull},
		}},
		{forge.GitLab, []step{
			{request: "GET " + gitlabAt + "/merge_requests?page=1&per_page=100&source_branch=promote%2Fa&state=opened&target_branch=main", answer: "[" + gitlabMerge + "," + swap(gitlabMerge, `"source_project_id": 3`, `"source_project_id": 4`, `"iid": 7`, `"iid": 8`) + "]"},
			{request: "GET /projects/bot%2Finfra-fork", answer: `{"id": 4}`},
			{request: "GET " + gitlabAt, answer: `{"id": 3}`},
			{request: "POST /projects/bot%2Finfra-fork/merge_requests", body: `{"title": "T", "description": "", "source_branch": "promote/a", "target_branch": "main", "target_project_id": 3}`, status: 201, answer: gitlabMerge},
		}},
		{forge.Gitea, []step{
			{request: "GET /repos/shop/infra/pulls?base_branch=main&limit=100&page=1&state=open", answer: "[" + giteaPull + "," + first(swap(giteaPull, `"number": 7`, `"number": 8`), "shop/infra\"}", "Bot/infra-fork\"}") + "]"},
			{request: "GET /repos/bot/infra-fork", answer: `{"parent": {"full_name": "Shop/infra"}}`},
			{request: "GET /repos/shop/infra/compare/main...bot:promote%2Fa", answer: `{"total_commits": 1}`},
			{request: "POST /repos/shop/infra/pulls", body: `{"title": "T", "body": "", "head": "bot:promote/a", "base": "main"}`, status: 201, answer: giteaPull},
		}},
		{forge.Bitbucket, []step{
			{request: "GET /repositories/shop/infra/pullrequests?page=1&pagelen=50&q=source.branch.name+%3D+%22promote%2Fa%22+AND+destination.branch.name+%3D+%22main%22&state=OPEN", answer: `{"values": [` + bitbucketPull + "," + first(swap(bitbucketPull, `"id": 7`, `"id": 8`), "shop/infra\"}", "bot/infra-fork\"}") + "]}"},
			{request: "POST /repositories/shop/infra/pullrequests", body: `{"title": "T", "description": "", "draft": false, "source": {"branch": {"name": "promote/a"}, "repository": {"full_name": "bot/infra-fork"}}, "destination": {"branch": {"name": "main"}}}`, status: 201, answer: bitbucketPull},
		}},
		{forge.BitbucketServer, []step{
			{request: "GET /api/latest/projects/shop/repos/infra/pull-requests?at=refs%2Fheads%2Fmain&direction=INCOMING&limit=100&start=0&state=OPEN", answer: `{"isLastPage": true, "values": [` + dataCenterPull + "," + first(swap(dataCenterPull, `"id": 7`, `"id": 8`), `{"slug": "infra", "project": {"key": "SHOP"}}`, `{"slug": "infra-fork", "project": {"key": "BOT"}}`) + "]}"},
			{request: "POST /api/latest/projects/shop/repos/infra/pull-requests", body: `{"title": "T", "description": "", "fromRef": {"id": "refs/heads/promote/a", "repository": {"slug": "infra-fork", "project": {"key": "bot"}}}, "toRef": {"id": "refs/heads/main", "repository": {"slug": "infra", "project": {"key": "shop"}}}}`, status: 201, answer: dataCenterPull},
		}},
		{forge.Azure, []step{
			{request: "GET /bot/_apis/git/repositories/infra-fork?" + azureAPI, answer: `{"id": "F0"}`},
			{request: "GET " + azureAt + "?%24skip=0&%24top=100&" + azureAPI + "&searchCriteria.sourceRefName=refs%2Fheads%2Fpromote%2Fa&searchCriteria.sourceRepositoryId=F0&searchCriteria.status=active&searchCriteria.targetRefName=refs%2Fheads%2Fmain",
				answer: `{"value": [` + azurePull + "," + swap(azurePull, `"title"`, `"forkSource": {"repository": {"id": "f0"}}, "title"`, `Id": 7`, `Id": 8`) + "]}"},
			{request: "GET " + azureAt + "/8?" + azureAPI, answer: swap(azurePull, `Id": 7`, `Id": 8`)},
			{request: "GET /bot/_apis/git/repositories/infra-fork?" + azureAPI, answer: `{"id": "F0"}`},
			{request: "POST " + azureAt + "?" + azureAPI, body: `{"title": "T", "description": "", "isDraft": false, "sourceRefName": "refs/heads/promote/a", "targetRefName": "refs/heads/main", "forkSource": {"repository": {"id": "F0"}}}`, status: 201, answer: azurePull},
		}},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			f := newFake(t, c.steps...)
			r := forge.Repository{Kind: c.kind, Web: f.URL, API: f.URL, Owner: "shop", Name: "infra"}
			fork := r
			fork.Owner, fork.Name = "bot", "infra-fork"
			client, err := forge.New(r, forge.Options{Fork: fork})
			if err != nil {
				t.Fatal(err)
			}
			found, err := client.Find(t.Context(), forge.FindRequest{Head: "promote/a", Base: "main"})
			if err != nil || len(found) != 1 || found[0].Number != 8 {
				t.Errorf("found %+v, %v", found, err)
			}
			if _, err := client.Open(t.Context(), forge.OpenRequest{Head: "promote/a", Base: "main", Title: "T"}); err != nil {
				t.Error(err)
			}
			fork.Web = "https://elsewhere.example.com"
			if _, err := forge.New(r, forge.Options{Fork: fork}); err == nil || !strings.Contains(err.Error(), "another forge") {
				t.Errorf("a fork on another forge: %v", err)
			}
		})
	}
}

// Forgejo, and Gitea before 1.26, take the head of a fork as OWNER:BRANCH alone, and looked
// for a user called OWNER/NAME. That stands for the owner's fork of the repository: of a fork
// of a fork, and of one that the repository's own owner has, it is another repository.
func TestGiteaHeadOfFork(t *testing.T) {
	for name, c := range map[string]struct{ owner, parent, want, path string }{
		"a fork":        {"bot", `{"parent": {"full_name": "shop/infra"}}`, "bot:promote/a", "bot:promote%2Fa"},
		"of a fork":     {"bot", `{"parent": {"full_name": "eve/infra"}}`, "bot/infra-fork:promote/a", "bot%2Finfra-fork:promote%2Fa"},
		"no fork":       {"bot", `{}`, "bot/infra-fork:promote/a", "bot%2Finfra-fork:promote%2Fa"},
		"its own owner": {"Shop", `{"parent": {"full_name": "shop/infra"}}`, "Shop/infra-fork:promote/a", "Shop%2Finfra-fork:promote%2Fa"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t,
				step{request: "GET /repos/" + c.owner + "/infra-fork", answer: c.parent},
				step{request: "GET /repos/shop/infra/compare/main..." + c.path, answer: `{"total_commits": 1}`},
				step{request: "POST /repos/shop/infra/pulls", body: `{"title": "T", "body": "", "head": "` + c.want + `", "base": "main"}`, status: 201, answer: giteaPull})
			r := forge.Repository{Kind: forge.Gitea, Web: f.URL, API: f.URL, Owner: "shop", Name: "infra"}
			fork := r
			fork.Owner, fork.Name = c.owner, "infra-fork"
			client, err := forge.New(r, forge.Options{Fork: fork})
			if err == nil {
				_, err = client.Open(t.Context(), forge.OpenRequest{Head: "promote/a", Base: "main", Title: "T"})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}
