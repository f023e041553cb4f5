// Package contract holds what the clients of forges ask against the forges' published
// descriptions, and has them read the answers that these give as examples. Nothing of a
// description is kept here: it is fetched from the registry that publishes it.
package contract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/commits"
	"github.com/kubepromote/kubepromote/promote/forge/deployments"
)

// octokit publishes GitHub's own description.
const octokit = "@octokit/openapi@23.0.2"

// described reads a description with the paths that begin so alone: the whole of it has
// 13 MB, most of which nobody asks for.
func described(t *testing.T, prefixes ...string) *openapi3.T {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm, which GitHub's description is fetched with, is not on this machine")
	}
	dir := t.TempDir()
	pack := exec.CommandContext(t.Context(), "npm", "pack", "--silent", octokit)
	pack.Dir = dir
	out, err := pack.Output()
	if err != nil {
		t.Skipf("%s cannot be had: %v", octokit, err)
	}
	unpack := exec.Command("tar", "xzf", strings.TrimSpace(string(out)), "package/generated/api.github.com.json")
	unpack.Dir = dir
	if text, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	data, err := os.ReadFile(filepath.Join(dir, "package", "generated", "api.github.com.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]json.RawMessage
	var paths map[string]json.RawMessage
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(doc["paths"], &paths); err != nil {
		t.Fatal(err)
	}
	for path := range paths {
		if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(path, p) }) {
			delete(paths, path)
		}
	}
	if doc["paths"], err = json.Marshal(paths); err != nil {
		t.Fatal(err)
	}
	if data, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	d, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// server answers what is described with the example that the description has for it.
type server struct {
	*testing.T
	doc   *openapi3.T
	asked map[string]int
	// answers are given in place of examples, by method and path of the description.
	answers map[string]string
}

// ServeHTTP validates a request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, params := s.find(r.URL.EscapedPath())
	name := r.Method + " " + path
	s.asked[name]++
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/graphql" { // which has a description of its own
		fmt.Fprint(w, s.answers[r.Method+" /graphql"])
		return
	}
	item := s.doc.Paths.Value(path)
	if item == nil || item.GetOperation(r.Method) == nil {
		s.Errorf("%s %s is not described", r.Method, r.URL.Path)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	op := item.GetOperation(r.Method)
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params,
		Route:   &routers.Route{Spec: s.doc, Path: path, PathItem: item, Method: r.Method, Operation: op},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
	if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
		s.Errorf("%s: %v", name, err)
	}
	for _, status := range []int{http.StatusOK, http.StatusCreated} {
		if response := op.Responses.Status(status); response != nil {
			w.WriteHeader(status)
			if text, ok := s.answers[name]; ok {
				fmt.Fprint(w, text)
				return
			}
			s.example(w, name, response.Value)
			return
		}
	}
	s.Errorf("%s: no success is described", name)
}

func (s *server) example(w http.ResponseWriter, name string, r *openapi3.Response) {
	media := r.Content.Get("application/json")
	if media == nil {
		return
	}
	names := make([]string, 0, len(media.Examples))
	for n := range media.Examples {
		names = append(names, n)
	}
	if slices.Sort(names); len(names) == 0 {
		s.Errorf("%s: there is no example", name)
		return
	}
	text, err := json.Marshal(media.Examples[names[0]].Value.Value)
	if err != nil {
		s.Error(err)
	}
	// The pull requests among them are open, and have the time of their merge all the same.
	_, _ = w.Write(mergedAt.ReplaceAll(text, []byte(`"merged_at":null`)))
}

var mergedAt = regexp.MustCompile(`"merged_at":"[^"]*"`)

// find gives the described path that a request's path is of, and what its holes are.
func (s *server) find(at string) (string, map[string]string) {
	parts := strings.Split(at, "/")
	for path := range s.doc.Paths.Map() {
		wanted := strings.Split(path, "/")
		if len(wanted) != len(parts) {
			continue
		}
		params := make(map[string]string)
		fits := true
		for i, w := range wanted {
			if hole, ok := strings.CutPrefix(w, "{"); ok {
				params[strings.TrimSuffix(hole, "}")] = parts[i]
			} else {
				fits = fits && w == parts[i]
			}
		}
		if fits {
			return path, params
		}
	}
	return at, nil
}

// All that is asked of GitHub is as GitHub describes it, and what it gives as examples of its
// answers is understood.
func TestGitHub(t *testing.T) {
	const repo = "/repos/{owner}/{repo}"
	s := &server{T: t, asked: make(map[string]int), answers: map[string]string{
		"GET " + repo + "/deployments": `[]`,
		"POST /graphql":                `{"data": {"createCommitOnBranch": {"commit": {"oid": "` + strings.Repeat("cd", 20) + `"}}}}`,
	}}
	s.doc = described(t, repo+"/pulls", repo+"/issues/{issue_number}", repo+"/commits/{ref}", repo+"/statuses", repo+"/git/refs", repo+"/installation", repo+"/deployments",
		"/orgs/{org}/teams/{team_slug}/members", "/app/installations")
	web := httptest.NewServer(s)
	defer web.Close()
	where := forge.Repository{Kind: forge.GitHub, Web: web.URL, API: web.URL, Owner: "octocat", Name: "Hello-World"}
	client, err := forge.New(where, forge.Options{Token: forge.Token{Secret: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	found, err := client.Find(ctx, forge.FindRequest{Head: "new-topic", Base: "master"})
	if err != nil || len(found) != 1 || found[0].Number == 0 || found[0].URL == "" || found[0].Author == "" || len(found[0].HeadCommit) != 40 {
		t.Fatalf("found %+v, %v", found, err)
	}
	number, head := found[0].Number, found[0].HeadCommit
	opened, err := client.Open(ctx, forge.OpenRequest{Head: "new-topic", Base: "master", Title: "T", Body: "B", Draft: true, Labels: []string{"promotion"}, Reviewers: []string{"hubot", "octo-org/ops"}})
	if err != nil || opened.Number != number || opened.State != forge.StateOpen {
		t.Errorf("opened %+v, %v", opened, err)
	}
	title := "T2"
	if _, err := client.Update(ctx, number, forge.UpdateRequest{Title: &title}); err != nil {
		t.Error(err)
	}
	if err := client.Close(ctx, number, "superseded"); err != nil {
		t.Error(err)
	}
	if merged, err := client.Merge(ctx, number, forge.MergeRequest{Head: head, Title: "T", Message: "M"}); err != nil || !merged.Merged || len(merged.Commit) != 40 {
		t.Errorf("merged %+v, %v", merged, err)
	}
	if reviews, err := client.Reviews(ctx, number); err != nil || len(reviews) != 1 || reviews[0].State != forge.ReviewApproved {
		t.Errorf("reviews %+v, %v", reviews, err)
	}
	if statuses, err := client.Statuses(ctx, head); err != nil || len(statuses) < 2 {
		t.Errorf("statuses %+v, %v", statuses, err)
	}
	if err := client.SetStatus(ctx, head, forge.Status{Context: "promote", State: forge.StatusSuccess, URL: "https://ci.example.com/1"}); err != nil {
		t.Error(err)
	}
	if members, err := client.Members(ctx, "octo-org/ops"); err != nil || len(members) == 0 {
		t.Errorf("members %v, %v", members, err)
	}
	maker, err := commits.New(where, forge.Options{Token: forge.Token{Secret: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := maker.Commit(ctx, commits.Request{Branch: "new", Base: "master", Parent: head, Message: "m\n", Files: []commits.File{{Path: "a", Data: []byte("a")}}}); err != nil {
		t.Error(err)
	}
	shows, err := deployments.New(where, forge.Options{Token: forge.Token{Secret: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := shows.Record(ctx, deployments.Deployment{Environment: deployments.Name("production", "cart"), Commit: head, Branch: "master", Description: "cart", Payload: map[string]any{"service": "cart"}}); err != nil {
		t.Error(err)
	}
	if token, err := forge.InstallationToken(ctx, where, forge.Token{Secret: "jwt"}, 0, forge.Options{}); err != nil || token.Secret == "" {
		t.Errorf("the token of an app: %v, %v", token, err)
	}
	names := make([]string, 0, len(s.asked))
	for name := range s.asked {
		names = append(names, name)
	}
	slices.Sort(names)
	t.Logf("%d kinds of requests:\n%s", len(names), strings.Join(names, "\n"))
}
