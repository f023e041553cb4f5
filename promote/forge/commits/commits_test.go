package commits_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/commits"
)

var parent, made = strings.Repeat("ab", 20), strings.Repeat("cd", 20)

// step is a request that is to come next, and its answer.
type step struct {
	request, body string
	status        int
	answer        string
}

func serve(t *testing.T, steps ...step) forge.Repository {
	done := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if done >= len(steps) {
			t.Errorf("one request too many: %s %s", r.Method, r.URL)
			return
		}
		s := steps[done]
		done++
		if got := r.Method + " " + r.URL.EscapedPath(); got != s.request {
			t.Errorf("request %d is %s, want %s", done, got, s.request)
		}
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var got, want any
		if err := errors.Join(json.Unmarshal(sent, &got), json.Unmarshal([]byte(s.body), &want)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s sends\n%s, want\n%s", s.request, sent, s.body)
		}
		w.WriteHeader(s.status)
		fmt.Fprint(w, s.answer)
	}))
	t.Cleanup(func() {
		server.Close()
		if done < len(steps) && !t.Failed() {
			t.Errorf("%d of %d requests were made", done, len(steps))
		}
	})
	return forge.Repository{Web: server.URL, API: server.URL, Owner: "shop", Name: "infra"}
}

var request = commits.Request{Branch: "new", Base: "main", Parent: parent, Message: "promote\n\nPromotion-Service: cart\n", Name: "Ada", Email: "ada@example.com",
	Files: []commits.File{{Path: "a.yaml", Data: []byte("a\n"), Was: "01"}, {Path: "b.yaml", Data: []byte("b\n")}, {Path: "c.yaml", Was: "03", Gone: true}, {Path: "empty", Was: "04"}}}

// The shapes are those of the forges' published descriptions.
func TestCommit(t *testing.T) {
	const query = `"mutation($input: CreateCommitOnBranchInput!) {\n  createCommitOnBranch(input: $input) { commit { oid } }\n}"`
	ref := step{"POST /repos/shop/infra/git/refs", `{"ref": "refs/heads/new", "sha": "` + parent + `"}`, 201, `{"ref": "refs/heads/new"}`}
	graphql := func(answer string) step {
		return step{"POST /graphql", `{"query": ` + query + `, "variables": {"input": {
			"branch": {"repositoryNameWithOwner": "shop/infra", "branchName": "new"}, "expectedHeadOid": "` + parent + `",
			"message": {"headline": "promote", "body": "Promotion-Service: cart\nCo-authored-by: Ada <ada@example.com>"},
			"fileChanges": {"additions": [{"path": "a.yaml", "contents": "YQo="}, {"path": "b.yaml", "contents": "Ygo="}, {"path": "empty", "contents": ""}], "deletions": [{"path": "c.yaml"}]}}}}`, 200, answer}
	}
	gitlab := step{"POST /projects/shop%2Finfra/repository/commits", `{"branch": "new", "start_sha": "` + parent + `", "commit_message": "promote\n\nPromotion-Service: cart\n", "author_name": "Ada", "author_email": "ada@example.com",
		"actions": [{"action": "update", "file_path": "a.yaml", "content": "YQo=", "encoding": "base64"}, {"action": "create", "file_path": "b.yaml", "content": "Ygo=", "encoding": "base64"},
			{"action": "delete", "file_path": "c.yaml"}, {"action": "update", "file_path": "empty", "content": "", "encoding": "base64"}]}`, 201, `{"id": "` + made + `"}`}
	gitea := step{"POST /repos/shop/infra/contents", `{"branch": "main", "new_branch": "new", "message": "promote\n\nPromotion-Service: cart\n",
		"author": {"name": "Ada", "email": "ada@example.com"}, "committer": {"name": "Ada", "email": "ada@example.com"},
		"files": [{"operation": "update", "path": "a.yaml", "content": "YQo=", "sha": "01"}, {"operation": "create", "path": "b.yaml", "content": "Ygo="},
			{"operation": "delete", "path": "c.yaml", "sha": "03"}, {"operation": "update", "path": "empty", "sha": "04"}]}`, 201, `{"commit": {"sha": "` + made + `"}}`}
	with := func(s step, status int, answer string) step { s.status, s.answer = status, answer; return s }
	for _, c := range []struct {
		kind  forge.Kind
		steps []step
		err   string
	}{
		{forge.GitHub, []step{ref, graphql(`{"data": {"createCommitOnBranch": {"commit": {"oid": "` + made + `"}}}}`)}, ""},
		{forge.GitHub, []step{ref, graphql(`{"data": {"createCommitOnBranch": null}, "errors": [{"type": "STALE_DATA", "message": "Expected branch to point to ..."}]}`)}, "Expected branch"},
		{forge.GitHub, []step{ref, graphql(`{"data": null, "errors": [{"type": "FORBIDDEN", "message": "Resource not accessible by integration"}]}`)}, "not accessible"},
		{forge.GitHub, []step{ref, graphql(`{"data": {}}`)}, "names no commit"},
		{forge.GitHub, []step{with(ref, 422, `{"message": "Reference already exists"}`)}, "already exists"},
		{forge.GitLab, []step{gitlab}, ""},
		{forge.GitLab, []step{with(gitlab, 400, `{"message": "A file with this name doesn't exist"}`)}, "doesn't exist"},
		{forge.Gitea, []step{gitea}, ""},
		{forge.Gitea, []step{with(gitea, 201, `{}`)}, "names no commit"},
	} {
		r := serve(t, c.steps...)
		r.Kind = c.kind
		m, err := commits.New(r, forge.Options{Patience: -1})
		if err != nil {
			t.Fatal(err)
		}
		commit, err := m.Commit(context.Background(), request)
		if c.err == "" && (err != nil || commit != made) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %s, %v", c.kind, commit, err)
		}
	}
}

// What a token lacks is said, and which forges make no commits.
func TestRefused(t *testing.T) {
	r := serve(t, step{"POST /projects/shop%2Finfra/repository/commits", `{"branch": "new", "start_sha": "", "commit_message": "m", "actions": null}`, 403, `{"message": "403 Forbidden"}`})
	r.Kind = forge.GitLab
	m, err := commits.New(r, forge.Options{Token: forge.Token{Secret: "s3cr3t", From: "TOKEN"}, Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Commit(context.Background(), commits.Request{Branch: "new", Message: "m"})
	var e *forge.Error
	if !errors.As(err, &e) || !errors.Is(err, forge.ErrNotAllowed) || !strings.Contains(e.Hint, "the scope api and the role Developer") {
		t.Errorf("%v, hint %q", err, e.Hint)
	}
	for _, kind := range []forge.Kind{forge.Bitbucket, forge.BitbucketServer, forge.Azure} {
		if _, err := commits.New(forge.Repository{Kind: kind}, forge.Options{}); !errors.Is(err, forge.ErrUnsupported) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
