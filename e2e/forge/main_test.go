// Package forge tests promote/forge against a real Gitea.
package forge_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/e2e/internal/gitea"
	"github.com/kubepromote/kubepromote/e2e/internal/peers"
	"github.com/kubepromote/kubepromote/promote/forge"
)

// product is kubectl-promote.
var product string

// server is shared by all tests, which have repositories of their own.
var server *gitea.Server

func TestMain(m *testing.M) {
	status, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (int, error) {
	ctx := context.Background()
	bin, err := peers.Build(ctx, os.Stderr, peers.Gitea, peers.Product)
	if err != nil {
		return 1, err
	}
	static, err := peers.GiteaSources(ctx)
	if err != nil {
		return 1, err
	}
	product = filepath.Join(bin, peers.Product)
	if server, err = gitea.Start(ctx, gitea.Options{Program: filepath.Join(bin, peers.Gitea), Static: static}); err != nil {
		return 1, err
	}
	defer server.Stop()
	for _, name := range []string{"alice", "bob", "carol"} {
		if tokens[name], err = server.User(ctx, name, "write:repository", "write:issue", "read:organization"); err != nil {
			return 1, err
		}
	}
	return m.Run(), nil
}

// tokens are those of the users: alice owns the repositories, bob reviews.
var tokens = make(map[string]string)

var number struct {
	sync.Mutex
	last int
}

// repository is a repository of alice's, in which bob may review.
type repository struct {
	*testing.T
	name string
	forge.Client
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	number.Lock()
	number.last++
	r := &repository{T: t, name: fmt.Sprintf("shop-%d", number.last)}
	number.Unlock()
	if _, err := server.Repository(t.Context(), "alice", r.name, false); err != nil {
		t.Fatal(err)
	}
	r.api("alice", http.MethodPut, "/collaborators/bob", map[string]any{"permission": "write"}, nil)
	r.Client = r.as(tokens["alice"], 2*time.Minute)
	return r
}

// where is the repository as a forge's.
func (r *repository) where() forge.Repository {
	r.Helper()
	where, err := forge.Locate(forge.Remote{URL: server.Remote("alice", r.name), Kind: forge.Gitea})
	if err != nil {
		r.Fatal(err)
	}
	return where
}

// as gives a client with another token and patience.
func (r *repository) as(token string, patience time.Duration) forge.Client {
	r.Helper()
	where := r.where()
	c, err := forge.New(where, forge.Options{Token: forge.Token{Secret: token, From: "the test"}, Patience: patience})
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// api asks for something of the repository that the product has no use for.
func (r *repository) api(user, method, path string, in, out any) {
	r.Helper()
	if err := server.Do(r.Context(), tokens[user], method, "/repos/alice/"+r.name+path, in, out); err != nil {
		r.Fatal(err)
	}
}

// commit adds a file on a branch, which is made from main where it is not there, and
// gives the branch's new head.
func (r *repository) commit(branch, file, text string) string {
	r.Helper()
	in := map[string]any{"content": base64.StdEncoding.EncodeToString([]byte(text)), "message": "add " + file, "branch": branch}
	var branches []struct {
		Name string `json:"name"`
	}
	r.api("alice", http.MethodGet, "/branches", nil, &branches)
	known := false
	for _, b := range branches {
		known = known || b.Name == branch
	}
	if !known {
		in["branch"], in["new_branch"] = "main", branch
	}
	var out struct {
		Commit struct {
			SHA string `json:"sha"`
		} `json:"commit"`
	}
	r.api("alice", http.MethodPost, "/contents/"+file, in, &out)
	return out.Commit.SHA
}

// open opens a pull request from a new branch with one new file.
func (r *repository) open(branch string) *forge.PullRequest {
	r.Helper()
	head := r.commit(branch, strings.ReplaceAll(branch, "/", "-")+".yaml", "image: "+branch+"\n")
	pr, err := r.Open(r.Context(), forge.OpenRequest{Head: branch, Base: "main", Title: "promote " + branch, Body: "a body"})
	if err != nil {
		r.Fatal(err)
	}
	if pr.HeadCommit != head {
		r.Fatalf("the head is %s, want %s", pr.HeadCommit, head)
	}
	return pr
}

// protect makes main ask for a review and the status ci/test.
func (r *repository) protect() {
	r.Helper()
	r.api("alice", http.MethodPost, "/branch_protections", map[string]any{"rule_name": "main", "required_approvals": 1,
		"enable_status_check": true, "status_check_contexts": []string{"ci/test"}, "enable_push": true}, nil)
}

func (r *repository) approve(pr *forge.PullRequest) {
	r.Helper()
	r.api("bob", http.MethodPost, fmt.Sprintf("/pulls/%d/reviews", pr.Number), map[string]any{"event": "APPROVED", "body": "good", "commit_id": pr.HeadCommit}, nil)
}
