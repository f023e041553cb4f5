package forge_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// giteaPull is a pull request in the shape of Gitea's published description. How a
// real Gitea answers is tested in e2e/forge; here is what that does not do on demand.
const giteaPull = `{"number": 7, "html_url": "https://git.example.com/shop/infra/pulls/7", "title": "T", "body": "B", "state": "open", "draft": false, "merged": false, "mergeable": true,
  "user": {"login": "bot"}, "labels": [], "head": {"ref": "promote/a", "sha": "abababababababababababababababababababab", "repo": {"full_name": "shop/infra"}}, "base": {"ref": "main", "sha": "00", "repo": {"full_name": "shop/infra"}}}`

func TestGiteaMerge(t *testing.T) {
	const at = "/repos/shop/infra/pulls/7"
	get := step{request: "GET " + at, answer: giteaPull}
	merged := step{request: "GET " + at, answer: strings.NewReplacer(`"merged": false`, `"merged": true, "merge_commit_sha": "efef"`, `"open"`, `"closed"`).Replace(giteaPull)}
	merge := func(status int, message string) step {
		return step{request: "POST " + at + "/merge", body: `{"Do": "rebase", "head_commit_id": "` + head + `"}`, status: status, answer: `{"message": "` + message + `", "url": "x"}`}
	}
	later := step{request: "POST " + at + "/merge", body: `{"Do": "rebase", "head_commit_id": "` + head + `", "merge_when_checks_succeed": true}`, status: 201}
	for _, c := range []struct {
		name  string
		auto  bool
		steps []step
		want  forge.MergeResult
		err   error
	}{
		{"at once", false, []step{get, merge(200, ""), merged}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 1}, nil},
		{"the base moves", false, []step{get, merge(409, "merge push out of date"), get, merge(409, "PushRejected with remote message: cannot lock ref 'refs/heads/main': is at 1 but expected 2"), get, merge(200, ""), merged},
			forge.MergeResult{Merged: true, Commit: "efef", Tries: 3}, nil},
		{"a hook says no", false, []step{get, merge(409, "PushRejected with remote message: no promotions on Fridays")}, forge.MergeResult{Tries: 1}, forge.ErrNotMergeable},
		{"still checking", false, []step{get, merge(405, "Please try again later"), get, merge(200, ""), merged}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 2}, nil},
		{"the head moves", false, []step{get, merge(409, "head out of date")}, forge.MergeResult{Tries: 1}, forge.ErrHeadMoved},
		{"no right", false, []step{get, merge(405, "User not allowed to merge PR")}, forge.MergeResult{Tries: 1}, forge.ErrNotAllowed},
		{"later", true, []step{get, merge(405, "Does not have enough approvals"), later, get}, forge.MergeResult{Tries: 1}, nil},
		{"later, the head moves", true, []step{get, merge(409, "head out of date")}, forge.MergeResult{Tries: 1}, forge.ErrHeadMoved},
		{"later, still checking", true, []step{get, merge(405, "Please try again later"), get, merge(200, ""), merged}, forge.MergeResult{Merged: true, Commit: "efef", Tries: 2}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := newFake(t, c.steps...).client(forge.Gitea).Merge(t.Context(), 7, forge.MergeRequest{Head: head, Method: forge.MethodRebase, AutoMerge: c.auto})
			if !errors.Is(err, c.err) || got != c.want {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// Gitea lists all that are open; versions of old do not look at the base either.
func TestGiteaFind(t *testing.T) {
	other := strings.Replace(giteaPull, `"promote/a"`, `"promote/b"`, 1)
	base := strings.Replace(giteaPull, `"main"`, `"release"`, 1)
	closed := strings.Replace(giteaPull, `"open"`, `"closed"`, 1)
	fork := strings.Replace(giteaPull, `"full_name": "shop/infra"`, `"full_name": "eve/infra"`, 1)
	older := strings.Replace(giteaPull, `"number": 7`, `"number": 5`, 1)
	const list = "GET /repos/shop/infra/pulls?base_branch=main&limit=100&page=PAGE&state=open"
	f := newFake(t,
		step{request: strings.ReplaceAll(list, "PAGE", "1"), answer: "[" + strings.Join([]string{other, base, closed, fork}, ",") + "]", header: map[string]string{"Link": `<x>; rel="next",<y>; rel="last"`}},
		step{request: strings.ReplaceAll(list, "PAGE", "2"), answer: "[" + giteaPull + "," + older + "]", header: map[string]string{"Link": `<x>; rel="first"`}})
	found, err := f.client(forge.Gitea).Find(t.Context(), forge.FindRequest{Head: "promote/a", Base: "main"})
	if err != nil || len(found) != 2 || found[0].Number != 5 || found[1].Number != 7 {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestGiteaLabelOfTheOrganization(t *testing.T) {
	f := newFake(t,
		step{request: "GET /repos/shop/infra/pulls/7", answer: giteaPull},
		step{request: "GET /repos/shop/infra/labels?limit=100&page=1", answer: `[{"id": 1, "name": "cart"}]`},
		step{request: "GET /orgs/shop/labels?limit=100&page=1", answer: `[{"id": 9, "name": "cart"}, {"id": 2, "name": "promotion"}]`},
		step{request: "POST /repos/shop/infra/labels", body: `{"name": "new", "color": "#ededed"}`, status: 201, answer: `{"id": 3, "name": "new"}`},
		step{request: "POST /repos/shop/infra/issues/7/labels", body: `{"labels": [1, 2, 3]}`, answer: "[]"})
	if _, err := f.client(forge.Gitea).Update(t.Context(), 7, forge.UpdateRequest{Labels: []string{"cart", "promotion", "new"}}); err != nil {
		t.Error(err)
	}
}
