package deployments_test

import (
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
	"github.com/kubepromote/kubepromote/promote/forge/deployments"
)

// step is one request that is expected, and what it is answered with.
type step struct {
	at, body string
	status   int
	answer   string
}

// serve answers the steps in their order, and wants all of them.
func serve(t *testing.T, steps []step) forge.Repository {
	t.Helper()
	next := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := r.Method + " " + r.URL.EscapedPath()
		if r.URL.RawQuery != "" {
			at += "?" + r.URL.RawQuery
		}
		if next == len(steps) || steps[next].at != at {
			t.Errorf("request %d is %s", next, at)
			w.WriteHeader(http.StatusTeapot)
			return
		}
		s := steps[next]
		next++
		var got, want any
		if sent, _ := io.ReadAll(r.Body); s.body != "" && (json.Unmarshal(sent, &got) != nil || json.Unmarshal([]byte(s.body), &want) != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("%s: sent %s\nwant %s", at, sent, s.body)
		}
		w.WriteHeader(s.status)
		fmt.Fprint(w, s.answer)
	}))
	t.Cleanup(func() {
		server.Close()
		if next != len(steps) {
			t.Errorf("%d of %d requests were made", next, len(steps))
		}
	})
	return forge.Repository{Web: server.URL, API: server.URL, Owner: "shop", Name: "infra"}
}

var commit = strings.Repeat("ab", 20)

// The requests are those that the forges describe. Sent again, a deployment of a commit in
// an environment is not made a second time, nor has it a success that would hide what has
// come since; one that was begun alone is completed.
func TestRecord(t *testing.T) {
	const self = "/repos/shop/infra/deployments"
	ask := step{"GET " + self + "?environment=production%2Fcart&per_page=1&sha=" + commit, "", 200, `[]`}
	make := step{"POST " + self, `{"ref": "` + commit + `", "environment": "production/cart", "description": "` + strings.Repeat("ä", 139) + `…",
		"auto_merge": false, "required_contexts": [], "payload": {"service": "cart"}}`, 201, `{"id": 7, "environment": "production/cart"}`}
	statuses := step{"GET " + self + "/7/statuses?per_page=1", "", 200, `[]`}
	success := step{"POST " + self + "/7/statuses", `{"state": "success", "description": "` + strings.Repeat("ä", 139) + `…", "auto_inactive": true}`, 201, `{"id": 1}`}
	list := step{"GET /projects/shop%2Finfra/deployments?environment=production%2Fcart&order_by=id&per_page=20&sort=desc", "", 200, `[{"id": 1, "sha": "cdcd"}]`}
	gitlab := step{"POST /projects/shop%2Finfra/deployments", `{"environment": "production/cart", "sha": "` + commit + `", "ref": "main", "tag": false, "status": "success"}`, 201, `{"id": 2}`}
	with := func(s step, status int, answer string) step { s.status, s.answer = status, answer; return s }
	for name, c := range map[string]struct {
		kind  forge.Kind
		steps []step
		err   string
	}{
		"github":              {forge.GitHub, []step{ask, make, success}, ""},
		"github, again":       {forge.GitHub, []step{with(ask, 200, `[{"id": 7}]`), with(statuses, 200, `[{"state": "inactive"}]`)}, ""},
		"github, half":        {forge.GitHub, []step{with(ask, 200, `[{"id": 7}]`), statuses, success}, ""},
		"github, no commit":   {forge.GitHub, []step{ask, with(make, 422, `{"message": "No ref found for: abab"}`)}, "No ref found"},
		"github, merged":      {forge.GitHub, []step{ask, with(make, 202, `{"message": "Auto-merged main into abab on deployment."}`)}, "names no deployment"},
		"github, a conflict":  {forge.GitHub, []step{ask, with(make, 409, `{"message": "Conflict"}`)}, "Conflict"},
		"github, no success":  {forge.GitHub, []step{ask, make, with(success, 422, `{"message": "Validation Failed"}`)}, "Validation Failed"},
		"gitlab":              {forge.GitLab, []step{list, gitlab}, ""},
		"gitlab, again":       {forge.GitLab, []step{with(list, 200, `[{"sha": "cdcd"}, {"sha": "`+commit+`"}]`)}, ""},
		"gitlab, nothing yet": {forge.GitLab, []step{with(list, 404, `{"message": "404 Not found"}`), {"GET /projects/shop%2Finfra", "", 200, `{}`}, gitlab}, ""},
		"gitlab, refused":     {forge.GitLab, []step{list, with(gitlab, 400, `{"message": {"ref": ["The branch or tag does not exist"]}}`)}, "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, c.steps)
			r.Kind = c.kind
			m, err := deployments.New(r, forge.Options{Patience: -1})
			if err != nil {
				t.Fatal(err)
			}
			err = m.Record(t.Context(), deployments.Deployment{Environment: "production/cart", Commit: commit, Branch: "main", Description: strings.Repeat("ä", 200), Payload: map[string]string{"service": "cart"}})
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%v", err)
			}
		})
	}
}

// What a token lacks is said: that it may commit is not enough for deployments. And which
// forges have none.
func TestRefused(t *testing.T) {
	const self = "GET /repos/shop/infra/deployments?environment=production&per_page=1&sha="
	r := serve(t, []step{{self, "", 403, `{"message": "Resource not accessible by integration"}`}})
	r.Kind = forge.GitHub
	m, err := deployments.New(r, forge.Options{Token: forge.Token{Secret: "s3cr3t", From: "TOKEN"}, Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	err = m.Record(t.Context(), deployments.Deployment{Environment: deployments.Name("production", "")})
	var e *forge.Error
	if !errors.As(err, &e) || !errors.Is(err, forge.ErrNotAllowed) || !strings.Contains(e.Hint, "deployments: write (or the scope repo_deployment)") {
		t.Errorf("%v", err)
	}
	for _, kind := range []forge.Kind{forge.Gitea, forge.Bitbucket, forge.BitbucketServer, forge.Azure} {
		if _, err := deployments.New(forge.Repository{Kind: kind}, forge.Options{}); !errors.Is(err, forge.ErrUnsupported) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
