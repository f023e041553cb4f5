package forge_test

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/forge/codeowners"
	"github.com/kubepromote/kubepromote/promote/forge/protection"
)

// A pull request is opened once, found again, updated in place, and merged only when the
// review and the status are there and its head is the one that was looked at.
func TestReviewedAndMerged(t *testing.T) {
	r, ctx := newRepository(t), t.Context()
	find := forge.FindRequest{Head: "promote/production", Base: "main"}
	if found, err := r.Find(ctx, find); err != nil || len(found) != 0 {
		t.Fatalf("found %v, %v", found, err)
	}
	guarded := func(want protection.Rules) {
		t.Helper()
		got, err := protection.Of(ctx, r.where(), forge.Options{Token: forge.Token{Secret: tokens["alice"], From: "the test"}}, "main")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("main is protected by %+v, want %+v, %v", got, want, err)
		}
	}
	guarded(protection.Rules{})
	r.protect()
	guarded(protection.Rules{Protected: true, Approvals: 1, Checks: []string{"ci/test"}})
	head := r.commit("promote/production", "cart.yaml", "image: cart\n")
	open := forge.OpenRequest{Head: "promote/production", Base: "main", Title: "promote cart", Body: "one\ntwo\n", Labels: []string{"promotion", "cart"}, Reviewers: []string{"@bob", "alice"}}
	pr, err := r.Open(ctx, open)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Open(ctx, open); !errors.Is(err, forge.ErrExists) {
		t.Errorf("opened twice: %v", err)
	}
	found, err := r.Find(ctx, find)
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	got := found[0]
	slices.Sort(got.Labels)
	if got.Number != pr.Number || got.HeadCommit != head || got.Base != "main" || got.Author != "alice" || got.Body != "one\ntwo" || got.Draft ||
		got.State != forge.StateOpen || !slices.Equal(got.Labels, []string{"cart", "promotion"}) || !strings.HasSuffix(got.URL, "/pulls/1") {
		t.Errorf("found %+v", got)
	}
	title, body := "promote cart, again", "three\n"
	if pr, err = r.Update(ctx, pr.Number, forge.UpdateRequest{Title: &title, Body: &body, Labels: []string{"cart", "late"}}); err != nil || pr.Title != title || pr.Body != "three" {
		t.Fatalf("updated %+v, %v", pr, err)
	}

	merge := forge.MergeRequest{Head: head, Title: "promote cart (#1)", Message: "Promotion-Service: cart"}
	refused := func(want error, why string) {
		t.Helper()
		if result, err := r.Merge(ctx, pr.Number, merge); !errors.Is(err, want) || result.Merged {
			t.Errorf("%s: %+v, %v", why, result, err)
		}
	}
	refused(forge.ErrNotMergeable, "without review and status")
	r.approve(pr)
	refused(forge.ErrNotMergeable, "without status")
	for _, state := range []forge.StatusState{forge.StatusPending, forge.StatusFailure} {
		if err := r.SetStatus(ctx, head, forge.Status{Context: "ci/test", State: state, Description: "a test", URL: "https://ci.example.com/1"}); err != nil {
			t.Fatal(err)
		}
		refused(forge.ErrNotMergeable, "with the status "+string(state))
	}
	if err := r.SetStatus(ctx, head, forge.Status{Context: "ci/test", State: forge.StatusSuccess}); err != nil {
		t.Fatal(err)
	}
	statuses, err := r.Statuses(ctx, head)
	if err != nil || len(statuses) != 1 || statuses[0].State != forge.StatusSuccess || statuses[0].Context != "ci/test" {
		t.Errorf("statuses %+v, %v", statuses, err)
	}
	reviews, err := r.Reviews(ctx, pr.Number)
	if err != nil || len(reviews) != 1 || reviews[0].User != "bob" || reviews[0].State != forge.ReviewApproved || reviews[0].Commit != head || reviews[0].Stale {
		t.Errorf("reviews %+v, %v", reviews, err)
	}
	merge.Head = strings.Repeat("0", 40)
	refused(forge.ErrHeadMoved, "with another head")
	merge.Head = head
	result, err := r.Merge(ctx, pr.Number, merge)
	if err != nil || !result.Merged || result.Commit == "" {
		t.Fatalf("merged %+v, %v", result, err)
	}
	if again, err := r.Merge(ctx, pr.Number, merge); err != nil || !again.Merged || again.Commit != result.Commit {
		t.Errorf("merged once more: %+v, %v", again, err)
	}
	if err := r.Close(ctx, pr.Number, "late"); !errors.Is(err, forge.ErrNotMergeable) {
		t.Errorf("closing what is merged: %v", err)
	}
	var commit struct {
		Commit struct {
			Message string `json:"message"`
		} `json:"commit"`
	}
	r.api("alice", http.MethodGet, "/git/commits/"+result.Commit, nil, &commit)
	if message := strings.TrimSpace(commit.Commit.Message); !strings.HasPrefix(message, "promote cart (#1)\n\nPromotion-Service: cart") {
		t.Errorf("the message is %q", message)
	}
}

// Gitea compares the head itself: one that moves between the look and the merge is
// not merged.
func TestHeadMoves(t *testing.T) {
	r, ctx := newRepository(t), t.Context()
	pr := r.open("promote/head")
	r.commit("promote/head", "late.yaml", "late\n")
	if _, err := r.Merge(ctx, pr.Number, forge.MergeRequest{Head: pr.HeadCommit}); !errors.Is(err, forge.ErrHeadMoved) {
		t.Errorf("merged a head that moved: %v", err)
	}
	if now, err := r.Get(ctx, pr.Number); err != nil || now.State != forge.StateOpen {
		t.Errorf("afterwards %+v, %v", now, err)
	}
}

// Pull requests that are merged at once move each other's base. All of them land.
func TestBaseMoves(t *testing.T) {
	r, ctx := newRepository(t), t.Context()
	const many = 3
	var prs []*forge.PullRequest
	for i := range many {
		prs = append(prs, r.open(fmt.Sprintf("promote/service-%d", i)))
	}
	var done sync.WaitGroup
	for _, pr := range prs {
		done.Go(func() {
			if result, err := r.Merge(ctx, pr.Number, forge.MergeRequest{Head: pr.HeadCommit}); err != nil || !result.Merged {
				t.Errorf("%d: %+v, %v", pr.Number, result, err)
			} else {
				t.Logf("%d took %d tries", pr.Number, result.Tries)
			}
		})
	}
	done.Wait()
	var files []struct{}
	r.api("alice", http.MethodGet, "/contents", nil, &files)
	if len(files) != many+1 {
		t.Errorf("main has %d files, want %d", len(files), many+1)
	}
}

// Two changes of one file conflict. Gitea words that as "try again later", so that
// only patience tells.
func TestConflict(t *testing.T) {
	r, ctx := newRepository(t), t.Context()
	r.commit("one", "same.yaml", "one\n")
	r.commit("two", "same.yaml", "two\n")
	var prs []*forge.PullRequest
	for _, branch := range []string{"one", "two"} {
		pr, err := r.Open(ctx, forge.OpenRequest{Head: branch, Base: "main", Title: branch})
		if err != nil {
			t.Fatal(err)
		}
		prs = append(prs, pr)
	}
	if _, err := r.Merge(ctx, prs[0].Number, forge.MergeRequest{Head: prs[0].HeadCommit, Method: forge.MethodSquash}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.as(tokens["alice"], 5*time.Second).Merge(ctx, prs[1].Number, forge.MergeRequest{Head: prs[1].HeadCommit}); !errors.Is(err, forge.ErrNotMergeable) {
		t.Errorf("merged a conflict: %v", err)
	}
	if pr, err := r.Get(ctx, prs[1].Number); err != nil || pr.Mergeable == forge.Yes {
		t.Errorf("a conflict is %+v, %v", pr, err)
	}
}

// With AutoMerge, Gitea merges as soon as the status is there.
func TestAutoMerge(t *testing.T) {
	r, ctx := newRepository(t), t.Context()
	r.protect()
	pr := r.open("promote/later")
	r.approve(pr)
	for range 2 { // asking twice is no error
		result, err := r.Merge(ctx, pr.Number, forge.MergeRequest{Head: pr.HeadCommit, AutoMerge: true})
		if err != nil || result.Merged {
			t.Fatalf("%+v, %v", result, err)
		}
	}
	if err := r.SetStatus(ctx, pr.HeadCommit, forge.Status{Context: "ci/test", State: forge.StatusSuccess}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		now, err := r.Get(ctx, pr.Number)
		if err != nil {
			t.Fatal(err)
		}
		if now.State == forge.StateMerged {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not merged: %+v", now)
		}
	}
	ready := r.open("promote/ready")
	r.approve(ready)
	if err := r.SetStatus(ctx, ready.HeadCommit, forge.Status{Context: "ci/test", State: forge.StatusSuccess}); err != nil {
		t.Fatal(err)
	}
	if result, err := r.Merge(ctx, ready.Number, forge.MergeRequest{Head: ready.HeadCommit, AutoMerge: true}); err != nil || !result.Merged {
		t.Errorf("what is ready: %+v, %v", result, err)
	}
}

func TestDraftAndClosed(t *testing.T) {
	r, ctx := newRepository(t), t.Context()
	r.commit("promote/draft", "draft.yaml", "x\n")
	pr, err := r.Open(ctx, forge.OpenRequest{Head: "promote/draft", Base: "main", Title: "a draft", Draft: true})
	if err != nil || !pr.Draft || pr.Title != "a draft" {
		t.Fatalf("%+v, %v", pr, err)
	}
	title := "still a draft"
	if pr, err = r.Update(ctx, pr.Number, forge.UpdateRequest{Title: &title}); err != nil || !pr.Draft || pr.Title != title {
		t.Fatalf("%+v, %v", pr, err)
	}
	if _, err := r.Merge(ctx, pr.Number, forge.MergeRequest{Head: pr.HeadCommit}); !errors.Is(err, forge.ErrNotMergeable) {
		t.Errorf("merged a draft: %v", err)
	}
	for range 2 {
		if err := r.Close(ctx, pr.Number, "superseded by another"); err != nil {
			t.Fatal(err)
		}
	}
	var comments []struct {
		Body string `json:"body"`
	}
	r.api("alice", http.MethodGet, fmt.Sprintf("/issues/%d/comments", pr.Number), nil, &comments)
	if len(comments) != 1 || comments[0].Body != "superseded by another" {
		t.Errorf("comments %+v", comments)
	}
	if found, err := r.Find(ctx, forge.FindRequest{Head: "promote/draft", Base: "main"}); err != nil || len(found) != 0 {
		t.Errorf("found a closed one: %+v, %v", found, err)
	}
	if _, err := r.Merge(ctx, pr.Number, forge.MergeRequest{Head: pr.HeadCommit}); !errors.Is(err, forge.ErrNotMergeable) {
		t.Errorf("merged a closed one: %v", err)
	}
	// One that was closed does not hide the next one.
	if _, err := r.Open(ctx, forge.OpenRequest{Head: "promote/draft", Base: "main", Title: "once more"}); err != nil {
		t.Error(err)
	}
}

func TestNothingToMerge(t *testing.T) {
	r := newRepository(t)
	r.api("alice", http.MethodPost, "/branches", map[string]any{"new_branch_name": "same", "old_branch_name": "main"}, nil)
	_, err := r.Open(t.Context(), forge.OpenRequest{Head: "same", Base: "main", Title: "nothing"})
	if !errors.Is(err, forge.ErrNoChange) {
		t.Error(err)
	}
}

// Somebody's fork may have a branch of our name. Its pull request is not ours.
func TestForks(t *testing.T) {
	r, ctx := newRepository(t), t.Context()
	if err := server.Do(ctx, tokens["carol"], http.MethodPost, "/repos/alice/"+r.name+"/forks", map[string]any{}, nil); err != nil {
		t.Fatal(err)
	}
	in := map[string]any{"content": "eA==", "message": "x", "branch": "main", "new_branch": "promote/production"}
	if err := server.Do(ctx, tokens["carol"], http.MethodPost, "/repos/carol/"+r.name+"/contents/x", in, nil); err != nil {
		t.Fatal(err)
	}
	r.api("carol", http.MethodPost, "/pulls", map[string]any{"head": "carol:promote/production", "base": "main", "title": "hostile"}, nil)
	if found, err := r.Find(ctx, forge.FindRequest{Head: "promote/production", Base: "main"}); err != nil || len(found) != 0 {
		t.Errorf("found that of a fork: %+v, %v", found, err)
	}
	own := r.open("promote/production")
	if found, err := r.Find(ctx, forge.FindRequest{Head: "promote/production"}); err != nil || len(found) != 1 || found[0].Number != own.Number {
		t.Errorf("found %+v, %v", found, err)
	}
}

// Refusals say which of the three it is: no such thing, no access, a token that is
// too narrow.
func TestAccess(t *testing.T) {
	r, ctx := newRepository(t), t.Context()
	pr := r.open("promote/access")
	if _, err := r.Get(ctx, 999); !errors.Is(err, forge.ErrNotFound) {
		t.Errorf("no such pull request: %v", err)
	}
	narrow, err := server.TokenOf(ctx, "alice", "read:repository")
	if err != nil {
		t.Fatal(err)
	}
	r.api("alice", http.MethodPatch, "", map[string]any{"private": true}, nil)
	for _, c := range []struct {
		name, token string
		want        error
		text        string
	}{
		{"a wrong token", "0123456789012345678901234567890123456789", forge.ErrNotAllowed, "the token from the test is not accepted"},
		{"a narrow token", narrow, forge.ErrNotAllowed, "write:repository"},
		{"a stranger", tokens["carol"], forge.ErrNoAccess, `"alice/` + r.name + `"`},
		{"nobody", "", forge.ErrNoAccess, "without a token"},
	} {
		title := "changed"
		_, err := r.as(c.token, time.Second).Update(ctx, pr.Number, forge.UpdateRequest{Title: &title})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.token != "" && err != nil && strings.Contains(err.Error(), c.token) {
			t.Errorf("%s: the token is in the error", c.name)
		}
	}
	if _, err := r.as(tokens["bob"], time.Second).Get(ctx, pr.Number); err != nil {
		t.Errorf("a collaborator: %v", err)
	}
}

// Gitea asks code owners by itself. We must find the same ones in the file.
func TestCodeOwners(t *testing.T) {
	r, ctx := newRepository(t), t.Context()
	const rules = "# who\napps/.*\\\\.yaml @bob\n!apps/.* @carol # all else\ndocs/x\\ y @carol\n"
	r.api("alice", http.MethodPut, "/collaborators/carol", map[string]any{"permission": "write"}, nil)
	r.commit("main", "CODEOWNERS", rules)
	file, err := codeowners.Parse(codeowners.Gitea, "CODEOWNERS", []byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range []string{"apps/cart/values.yaml", "apps/cart/values-yaml", "other.yaml", "docs/x%20y"} {
		branch := fmt.Sprintf("owners-%d", i)
		r.commit(branch, path, "x\n")
		pr, err := r.Open(ctx, forge.OpenRequest{Head: branch, Base: "main", Title: branch})
		if err != nil {
			t.Fatal(err)
		}
		var theirs, ours []string
		var out struct {
			Requested []struct {
				Login string `json:"login"`
			} `json:"requested_reviewers"`
		}
		r.api("alice", http.MethodGet, fmt.Sprintf("/pulls/%d", pr.Number), nil, &out)
		for _, u := range out.Requested {
			theirs = append(theirs, u.Login)
		}
		for _, o := range file.Owners(strings.ReplaceAll(path, "%20", " ")) {
			ours = append(ours, o.Name)
		}
		slices.Sort(theirs)
		slices.Sort(ours)
		if !slices.Equal(theirs, ours) {
			t.Errorf("%s: Gitea asks %v, and we %v", path, theirs, ours)
		}
	}
}
