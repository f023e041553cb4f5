package forge_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge"
)

// overlays are the files of one service, at versions of an image that no registry has:
// each is pinned by its digest.
func overlays(service string, staging, production int) map[string]string {
	pin := func(version int) string {
		return fmt.Sprintf("images:\n- {name: %s, newName: 127.0.0.1:1/shop/%[1]s, newTag: v%d, digest: \"sha256:%064[2]d\"}\n", service, version)
	}
	return map[string]string{"apps/" + service + "/overlays/staging/kustomization.yaml": pin(staging), "apps/" + service + "/overlays/production/kustomization.yaml": pin(production)}
}

// clone is a clone of a repository, in which commands are run.
type clone struct {
	*repository
	dir string
}

func (r *repository) clone() *clone {
	r.Helper()
	c := &clone{r, r.TempDir()}
	r.git(c.dir, "clone", "-q", server.RemoteWith("alice", r.name, "alice", tokens["alice"]), ".")
	return c
}

// commit writes files and commits them, some time ago.
func (c *clone) commit(message string, ago time.Duration, all ...map[string]string) {
	c.Helper()
	for _, files := range all {
		for name, text := range files {
			name = filepath.Join(c.dir, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
				c.Fatal(err)
			}
		}
	}
	c.git(c.dir, "add", "-A")
	cmd := exec.CommandContext(c.Context(), "git", "commit", "-q", "-m", message)
	cmd.Dir, cmd.Env = c.dir, append(os.Environ(), append(identity, "GIT_COMMITTER_DATE="+time.Now().Add(-ago).Format(time.RFC3339))...)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.Fatalf("%v\n%s", err, out)
	}
}

// run runs the command in the clone, and demands its exit status and what it says.
func (c *clone) run(status int, want string, args ...string) string {
	c.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(c.Context(), product, append([]string{"-q", "--timeout", "10m"}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, &out, &out
	cmd.Env = append(os.Environ(), append(identity, "KUBEPROMOTE_TOKEN="+tokens["alice"], "PROMOTE_INCIDENTS=hunter2")...)
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		c.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status || !strings.Contains(out.String(), want) || strings.Contains(out.String(), tokens["alice"]) {
		c.Errorf("%v: %d, want %d and %q\n%s", args, got, status, want, out.String())
	}
	return out.String()
}

// says has somebody review a pull request.
func (r *repository) says(user, event string, number int, commit string) {
	r.Helper()
	r.api(user, http.MethodPost, fmt.Sprintf("/pulls/%d/reviews", number), map[string]any{"event": event, "body": "as I see it", "commit_id": commit}, nil)
}

// A Friday: the image has to soak, then it is frozen, then there is an incident, then
// Prometheus is down, and at last somebody has to approve. Then it goes, and its verdicts
// stand in the history.
func TestFriday(t *testing.T) {
	var incidents, metrics atomic.Value
	incidents.Store(`{"incidents": [{"id": "P1"}]}`)
	metrics.Store("")
	wire := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch answer := metrics.Load().(string); {
		case r.URL.Path == "/incidents" && r.Header.Get("Authorization") == "hunter2":
			fmt.Fprint(w, incidents.Load())
		case r.URL.Path == "/api/v1/query" && answer != "":
			fmt.Fprint(w, answer)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer wire.Close()
	r := newRepository(t)
	r.api("alice", http.MethodPut, "/collaborators/carol", map[string]any{"permission": "write"}, nil)
	c := r.clone()
	weekend := time.Now().Add(4 * time.Hour).UTC()
	c.commit("shop", 2*time.Hour, overlays("cart", 2, 1), map[string]string{
		"CODEOWNERS":  "apps/.*/overlays/production/.* @bob\n",
		"freeze.yaml": fmt.Sprintf("- {from: %s, to: %s, reason: weekend}\n", weekend.Format("2006-01-02 15:04"), weekend.Add(24*time.Hour).Format("2006-01-02 15:04")),
		"promotion.yaml": `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments:
  - name: staging
  - name: production
    from: [staging]
    deliver: {mode: pullRequest, forge: gitea}
    gates:
    - soak: {for: 1h}
    - freeze: {calendar: freeze.yaml}
    - {name: incidents, http: {url: "` + wire.URL + `/incidents", headersFrom: {Authorization: {env: PROMOTE_INCIDENTS}}, expect: size(body.incidents) == 0}}
    - {name: errors, metric: {prometheus: {url: "` + wire.URL + `", query: up}, below: 0.01}}
    - approvals: {}
`})
	c.commit("web", 30*time.Minute, overlays("web", 2, 1))
	c.git(c.dir, "push", "-q", "origin", "HEAD:main")

	c.run(3, "1h are asked for, until ", "gates", "web", "--to", "production")
	c.run(3, "frozen (weekend) until ", "gates", "cart", "--to", "production", "--at", weekend.Add(time.Hour).Format(time.RFC3339))
	c.run(3, "size(body.incidents) == 0 does not hold", "cart", "--to", "production")
	incidents.Store(`{"incidents": []}`)
	c.run(5, "errors: ", "cart", "--to", "production")
	metrics.Store(`{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1767323045, "0.002"]}]}}`)
	c.run(4, "there is no open pull request for it yet; may approve: bob", "gates", "cart", "--to", "production")
	c.run(4, "1h are asked for, until ", "gates", "web", "--to", "production")
	c.run(4, "frozen (weekend) until ", "gates", "cart", "--to", "production", "--at", weekend.Add(time.Hour).Format(time.RFC3339))

	// It is proposed, and waits for one of the owners.
	c.run(0, "pull request 1, opened", "cart", "--to", "production")
	c.run(4, "pull request 1 is approved by nobody, 0 of 1; may approve: bob", "gates", "cart", "--to", "production")
	head := r.pulls()[0].Head.SHA
	r.says("carol", "APPROVED", 1, head)
	c.run(4, "that of carol does not count, who is not among those who may approve", "approvals", "cart", "--to", "production")
	r.says("bob", "APPROVED", 1, head)
	c.run(0, "pull request 1 is approved by bob; 1 is asked for", "gates", "cart", "--to", "production")
	out := c.run(0, "", "approvals", "cart", "--to", "production")
	if !strings.Contains(out, "bob") || !strings.Contains(out, "counts") || !strings.Contains(out, "foreign") {
		t.Errorf("approvals:\n%s", out)
	}
	c.run(0, "pull request 1, updated", "cart", "--to", "production")
	if _, err := r.Merge(t.Context(), 1, forge.MergeRequest{Head: head}); err != nil {
		t.Fatal(err)
	}
	c.git(c.dir, "pull", "-q", "origin", "main")
	record := c.run(0, "soak=pass; staging has had", "history", "cart", "--env", "production", "-o", "json")
	for _, want := range []string{"incidents=pass", "errors=pass; the value is 0.002", "freeze=pass", "approvals="} {
		if !strings.Contains(record, want) {
			t.Errorf("%q is not in the record\n%s", want, record)
		}
	}
	c.run(0, "nothing would change", "gates", "cart", "--to", "production")

	// What bob has approved is not what would come next.
	c.commit("cart v3", 2*time.Hour, overlays("cart", 3, 2))
	c.git(c.dir, "push", "-q", "origin", "HEAD:main")
	c.run(0, "pull request 2, opened", "cart", "--to", "production")
	head = r.pulls()[0].Head.SHA
	r.says("bob", "APPROVED", 2, head)
	c.run(0, "pull request 2 is approved by bob", "gates", "cart", "--to", "production")
	c.commit("cart v4", 2*time.Hour, overlays("cart", 4, 2))
	c.git(c.dir, "push", "-q", "origin", "HEAD:main")
	c.run(4, "pull request 2 brings something else than is to be promoted now", "gates", "cart", "--to", "production")
	c.run(0, "pull request 2, updated", "cart", "--to", "production")
	c.run(4, "bob has approved an older commit", "gates", "cart", "--to", "production")
}

// Pull requests that people have made by hand: the check says what each is, and as a
// required status it bars the merge of those that may not be.
func TestCheck(t *testing.T) {
	r := newRepository(t)
	c := r.clone()
	c.commit("shop", 3*time.Hour, overlays("cart", 2, 1), overlays("web", 2, 1), overlays("frozen", 3, 1), map[string]string{"promotion.yaml": `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments:
  - name: staging
  - name: production
    from: [staging]
    deliver: {mode: pullRequest, forge: gitea}
    gates:
    - freeze: {deny: [{schedule: "* * * * *", duration: 24h, services: [frozen], reason: always}]}
`})
	c.commit("frozen v2", 2*time.Hour, overlays("frozen", 3, 2))
	c.git(c.dir, "push", "-q", "origin", "HEAD:main")
	r.api("alice", http.MethodPost, "/branch_protections", map[string]any{"rule_name": "main", "enable_status_check": true, "status_check_contexts": []string{"promote/check"}, "enable_push": true}, nil)
	tag := strings.Replace(overlays("cart", 2, 2)["apps/cart/overlays/production/kustomization.yaml"], fmt.Sprintf(", digest: \"sha256:%064d\"", 2), "", 1)
	for _, tt := range []struct {
		name   string
		files  map[string]string
		status int
		want   string
	}{
		{"never-in-staging", overlays("cart", 2, 9), 3, "refused: source: image \"cart\": staging does not have this digest"},
		{"mutable", map[string]string{"apps/cart/overlays/production/kustomization.yaml": tag}, 3, "refused: pin: image \"cart\": the tag v2 has no digest"},
		{"frozen", overlays("frozen", 3, 3), 4, "waiting: freeze: frozen (always)"},
		{"rollback", overlays("frozen", 3, 1), 0, "rollback"},
		{"along", map[string]string{"apps/web/overlays/production/kustomization.yaml": overlays("web", 2, 2)["apps/web/overlays/production/kustomization.yaml"], "apps/web/overlays/production/patch.yaml": "kind: Deployment\n"}, 0,
			"also changes: apps/web/overlays/production/patch.yaml:1"},
		{"good", overlays("cart", 2, 2), 0, "promotion"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.T, r.T = t, t
			c.git(c.dir, "fetch", "-q", "origin")
			c.git(c.dir, "switch", "-q", "-C", tt.name, "origin/main")
			c.commit(tt.name, 0, tt.files)
			c.git(c.dir, "push", "-q", "-f", "origin", "HEAD")
			pr, err := r.Open(t.Context(), forge.OpenRequest{Head: tt.name, Base: "main", Title: tt.name})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.as(tokens["alice"], -1).Merge(t.Context(), pr.Number, forge.MergeRequest{Head: pr.HeadCommit}); !errors.Is(err, forge.ErrNotMergeable) {
				t.Errorf("before the check: %v", err)
			}
			c.run(tt.status, tt.want, "check", "--base", "origin/main", "--commit-status")
			statuses, err := r.Statuses(t.Context(), pr.HeadCommit)
			want := map[int]forge.StatusState{0: forge.StatusSuccess, 3: forge.StatusFailure, 4: forge.StatusPending}[tt.status]
			if err != nil || len(statuses) != 1 || statuses[0].Context != "promote/check" || statuses[0].State != want {
				t.Errorf("%+v, %v", statuses, err)
			}
			_, err = r.as(tokens["alice"], time.Minute).Merge(t.Context(), pr.Number, forge.MergeRequest{Head: pr.HeadCommit})
			if tt.status == 0 && err != nil || tt.status != 0 && !errors.Is(err, forge.ErrNotMergeable) {
				t.Errorf("after the check: %v", err)
			}
		})
	}
}

// Once it is merged, the head is another commit, which the forge alone knows where it came
// from: approvals hold after a squash, and not for what was pushed by hand beside it.
func TestCheckAfterMerge(t *testing.T) {
	r := newRepository(t)
	c := r.clone()
	c.commit("shop", 3*time.Hour, overlays("cart", 2, 1), overlays("web", 2, 1), map[string]string{"promotion.yaml": `apiVersion: kubepromote.dev/v1alpha1
kind: Pipeline
spec:
  environments:
  - name: staging
  - name: production
    from: [staging]
    deliver: {mode: pullRequest, forge: gitea}
    gates:
    - approvals: {by: [bob]}
`})
	c.git(c.dir, "push", "-q", "origin", "HEAD:main")
	c.git(c.dir, "switch", "-q", "-c", "by-hand")
	c.commit("half", 0, map[string]string{"README.md": "more to come\n"})
	c.commit("cart v2", 0, overlays("cart", 2, 2))
	c.git(c.dir, "push", "-q", "origin", "HEAD")
	pr, err := r.Open(t.Context(), forge.OpenRequest{Head: "by-hand", Base: "main", Title: "cart"})
	if err != nil {
		t.Fatal(err)
	}
	r.says("bob", "APPROVED", pr.Number, pr.HeadCommit)
	c.run(0, "promotion", "check", "--base", "origin/main")
	if _, err := r.Merge(t.Context(), pr.Number, forge.MergeRequest{Head: pr.HeadCommit, Method: forge.MethodSquash}); err != nil {
		t.Fatal(err)
	}
	c.git(c.dir, "push", "-q", "origin", ":by-hand")
	c.git(c.dir, "branch", "-q", "-f", "before", "origin/main")
	c.git(c.dir, "fetch", "-q", "origin")
	c.git(c.dir, "switch", "-q", "--detach", "origin/main")
	out := c.run(0, "pass", "check", "--base", "before", "--branch", "main", "-o", "json")
	if !strings.Contains(out, "pull request 1 is approved by bob") {
		t.Error(out)
	}
	c.commit("web v2", 0, overlays("web", 2, 2))
	c.git(c.dir, "push", "-q", "origin", "HEAD:main")
	c.run(4, "no pull request into main ends with commit ", "check", "--base", "before", "--branch", "main")
}

// Members of a real team are known by the names that reviews have.
func TestTeamApproves(t *testing.T) {
	r := newRepository(t)
	token, err := server.TokenOf(t.Context(), "alice", "write:organization", "read:user")
	if err != nil {
		t.Fatal(err)
	}
	do := func(method, path string, in, out any) {
		t.Helper()
		if err := server.Do(t.Context(), token, method, path, in, out); err != nil {
			t.Fatal(err)
		}
	}
	org := r.name + "-org"
	do(http.MethodPost, "/orgs", map[string]any{"username": org}, nil)
	var team struct{ ID int64 }
	do(http.MethodPost, "/orgs/"+org+"/teams", map[string]any{"name": "ops", "permission": "write", "units": []string{"repo.code"}}, &team)
	do(http.MethodPut, fmt.Sprintf("/teams/%d/members/bob", team.ID), nil, nil)
	members, err := r.Members(t.Context(), org+"/ops")
	if err != nil || len(members) != 1 || members[0] != "bob" {
		t.Errorf("%v, %v", members, err)
	}
	if _, err := r.Members(t.Context(), org+"/none"); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("no such team: %v", err)
	}
}
