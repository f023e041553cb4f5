package forge

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge/internal/lists"
	"github.com/kubepromote/kubepromote/promote/forge/internal/words"
)

// gitlab speaks version 4: https://docs.gitlab.com/api/merge_requests/.
type gitlab struct{ *wire }

func newGitLab(w *wire) *gitlab {
	w.self = gitlabProject(w.repository)
	return &gitlab{wire: w}
}

func gitlabProject(r Repository) string { return "/projects/" + escape(r.Owner+"/"+r.Name) }

// project is the number of a project.
func (g *gitlab) project(ctx context.Context, r Repository) (int, error) {
	var p struct {
		ID int `json:"id"`
	}
	err := g.wire.get(ctx, "looking at "+r.Owner+"/"+r.Name, gitlabProject(r), &p)
	return p.ID, err
}

type gitlabUser struct {
	ID       int    `json:"id"`
	Username string `json:"username"`
}

type gitlabMerge struct {
	IID            int          `json:"iid"`
	WebURL         string       `json:"web_url"`
	Title          string       `json:"title"`
	Description    string       `json:"description"`
	State          string       `json:"state"`
	Draft          bool         `json:"draft"`
	SourceBranch   string       `json:"source_branch"`
	TargetBranch   string       `json:"target_branch"`
	SourceProject  int          `json:"source_project_id"`
	TargetProject  int          `json:"target_project_id"`
	SHA            string       `json:"sha"`
	Status         string       `json:"detailed_merge_status"`
	HasConflicts   bool         `json:"has_conflicts"`
	MergeCommitSHA string       `json:"merge_commit_sha"`
	SquashSHA      string       `json:"squash_commit_sha"`
	MergeError     string       `json:"merge_error"`
	Author         gitlabUser   `json:"author"`
	Labels         []string     `json:"labels"`
	Reviewers      []gitlabUser `json:"reviewers"`
}

// draftMark is what makes a draft of a merge request when its title begins so.
const draftMark = "Draft: "

func (p *gitlabMerge) pullRequest() *PullRequest {
	pr := &PullRequest{Number: p.IID, URL: p.WebURL, Title: p.Title, Body: unixLines(p.Description), Head: p.SourceBranch, HeadCommit: p.SHA,
		Base: p.TargetBranch, Author: p.Author.Username, Labels: p.Labels, Draft: p.Draft, State: StateOpen, Mergeable: p.mergeable()}
	if p.Draft {
		pr.Title, _ = words.Unmarked(p.Title, "Draft:", "[Draft]", "(Draft)")
	}
	switch p.State {
	case "merged":
		pr.State, pr.MergeCommit = StateMerged, p.MergeCommitSHA
		if pr.MergeCommit == "" {
			pr.MergeCommit = p.SquashSHA
		}
		if pr.MergeCommit == "" { // by fast-forward
			pr.MergeCommit = p.SHA
		}
	case "closed":
		pr.State = StateClosed
	}
	return pr
}

func (p *gitlabMerge) mergeable() Answer {
	switch {
	case p.HasConflicts || p.Status == "conflict" || p.Status == "broken_status":
		return No
	case words.Unsettled(p.Status):
		return Unknown
	}
	return Yes
}

func (g *gitlab) path(number int) string { return g.self + "/merge_requests/" + strconv.Itoa(number) }

func (g *gitlab) find(ctx context.Context, f FindRequest) ([]PullRequest, error) {
	q := []string{"state", "opened"}
	if !f.any() {
		q = append(q, "source_branch", f.Head)
	}
	if f.Base != "" {
		q = append(q, "target_branch", f.Base)
	}
	found, err := list[gitlabMerge](ctx, g.wire, "finding merge requests", g.self+"/merge_requests", q...)
	fork := 0
	if err == nil && g.forked() && !f.any() {
		fork, err = g.project(ctx, g.heads)
	}
	return those(found, func(p *gitlabMerge) bool { return f.any() || p.SourceProject == cmp.Or(fork, p.TargetProject) }, (*gitlabMerge).pullRequest), err
}

// Carrying implements [Checks].
func (g *gitlab) Carrying(ctx context.Context, commit, _ string) ([]PullRequest, error) {
	found, err := list[gitlabMerge](ctx, g.wire, "finding the merge request of a commit", g.self+"/repository/commits/"+commit+"/merge_requests")
	return all(found, (*gitlabMerge).pullRequest), err
}

func (g *gitlab) look(ctx context.Context, number int) (*gitlabMerge, error) {
	var p gitlabMerge
	return &p, g.wire.get(ctx, "reading a merge request", g.path(number), &p)
}

func (g *gitlab) get(ctx context.Context, number int) (*PullRequest, error) {
	p, err := g.look(ctx, number)
	if err != nil {
		return nil, err
	}
	return p.pullRequest(), nil
}

func (g *gitlab) open(ctx context.Context, o OpenRequest) (*PullRequest, error) {
	title := o.Title
	if o.Draft {
		title = draftMark + title
	}
	in := map[string]any{"source_branch": o.Head, "target_branch": o.Base, "title": title, "description": o.Body}
	if g.forked() {
		id, err := g.project(ctx, g.repository)
		if err != nil {
			return nil, err
		}
		in["target_project_id"] = id
	}
	var p gitlabMerge
	err := g.send(ctx, call{op: "opening a merge request", method: http.MethodPost, path: gitlabProject(g.heads) + "/merge_requests", in: in, out: &p, need: needWrite})
	if err != nil {
		return nil, because(err, http.StatusConflict, map[string]error{"already exists": ErrExists})
	}
	return p.pullRequest(), nil
}

func (g *gitlab) edit(ctx context.Context, pr *PullRequest, u UpdateRequest) (*PullRequest, error) {
	in := make(map[string]any)
	if u.Title != nil {
		title := *u.Title
		if pr.Draft {
			title = draftMark + title
		}
		in["title"] = title
	}
	if u.Body != nil {
		in["description"] = *u.Body
	}
	return g.put(ctx, "updating a merge request", pr.Number, in)
}

func (g *gitlab) put(ctx context.Context, op string, number int, in map[string]any) (*PullRequest, error) {
	var p gitlabMerge
	if err := g.send(ctx, call{op: op, method: http.MethodPut, path: g.path(number), in: in, out: &p, need: needWrite}); err != nil {
		return nil, err
	}
	return p.pullRequest(), nil
}

// decorate gives all reviewers, those that are there included: the list replaces
// what was.
func (g *gitlab) decorate(ctx context.Context, pr *PullRequest, labels, reviewers []string) error {
	in := make(map[string]any)
	for _, l := range labels {
		if strings.Contains(l, ",") {
			return g.fail(call{op: "setting labels"}, 0, "a label must not have a comma: "+quote(l), ErrUnsupported)
		}
	}
	if len(labels) > 0 {
		in["add_labels"] = strings.Join(labels, ",")
	}
	if len(reviewers) > 0 {
		p, err := g.look(ctx, pr.Number)
		if err != nil {
			return err
		}
		var ids []int
		for _, r := range p.Reviewers {
			ids = append(ids, r.ID)
		}
		for _, name := range reviewers {
			id, err := g.user(ctx, name)
			if err != nil {
				return err
			}
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		in["reviewer_ids"] = ids
	}
	_, err := g.put(ctx, "setting labels and reviewers", pr.Number, in)
	return err
}

func (g *gitlab) user(ctx context.Context, name string) (int, error) {
	const op = "looking for a reviewer"
	var found []gitlabUser
	if err := g.wire.get(ctx, op, "/users"+query("username", name), &found); err != nil {
		return 0, err
	}
	for _, u := range found {
		if strings.EqualFold(u.Username, name) {
			return u.ID, nil
		}
	}
	return 0, g.fail(call{op: op}, 0, "there is no user "+quote(name), ErrNotFound)
}

func (g *gitlab) comment(ctx context.Context, number int, text string) error {
	return g.send(ctx, call{op: "commenting on a merge request", method: http.MethodPost, path: g.path(number) + "/notes", in: map[string]any{"body": text}, need: needWrite})
}

func (g *gitlab) shut(ctx context.Context, pr *PullRequest) error {
	_, err := g.put(ctx, "closing a merge request", pr.Number, map[string]any{"state_event": "close"})
	return err
}

func (g *gitlab) merge(ctx context.Context, pr *PullRequest, m MergeRequest) (MergeResult, error) {
	in := map[string]any{"sha": m.Head}
	if m.AutoMerge {
		// The second is what servers before 17.11 know it by.
		in["auto_merge"], in["merge_when_pipeline_succeeds"] = true, true
	}
	field := "merge_commit_message"
	if m.Method == MethodSquash {
		in["squash"], field = true, "squash_commit_message"
	}
	if text := joined(m); text != "" {
		in[field] = text
	}
	var p gitlabMerge
	c := call{op: "merging a merge request", method: http.MethodPut, path: g.path(pr.Number) + "/merge", in: in, out: &p, need: needMerge}
	err := g.send(ctx, c)
	if err == nil {
		done := p.pullRequest()
		return MergeResult{Merged: done.State == StateMerged, Commit: done.MergeCommit}, nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return MergeResult{}, err
	}
	switch e.Status {
	case http.StatusConflict:
		return MergeResult{}, g.headMoved(pr, m)
	case http.StatusMethodNotAllowed, http.StatusNotAcceptable, http.StatusUnprocessableEntity:
		return MergeResult{}, g.whyNot(ctx, c, pr, e)
	}
	return MergeResult{}, err
}

// joined is title and message in one text.
func joined(m MergeRequest) string {
	if m.Title == "" || m.Message == "" {
		return m.Title + m.Message
	}
	return m.Title + "\n\n" + m.Message
}

// whyNot words a refusal, which says no more than "405 Method Not Allowed".
func (g *gitlab) whyNot(ctx context.Context, c call, pr *PullRequest, refusal *Error) error {
	p, err := g.look(ctx, pr.Number)
	if err != nil {
		return err
	}
	e := g.fail(c, refusal.Status, words.GitLab(p.Status), ErrNotMergeable)
	if p.MergeError != "" {
		e.Msg += ": " + g.printable(p.MergeError)
	}
	if words.Unsettled(p.Status) || p.Status == "mergeable" {
		// It can be merged now, or nobody knows yet.
		e.Err = ErrBaseModified
		return &again{e}
	}
	return e
}

// Reviews are the approvals, and the reviewers who want changes.
func (g *gitlab) Reviews(ctx context.Context, number int) ([]Review, error) {
	var approvals struct {
		By []struct {
			User gitlabUser `json:"user"`
			At   time.Time  `json:"approved_at"`
		} `json:"approved_by"`
	}
	if err := g.wire.get(ctx, "reading approvals", g.path(number)+"/approvals", &approvals); err != nil {
		return nil, err
	}
	var reviewers []struct {
		User  gitlabUser `json:"user"`
		State string     `json:"state"`
	}
	if err := g.wire.get(ctx, "reading reviewers", g.path(number)+"/reviewers", &reviewers); err != nil {
		return nil, err
	}
	var words []Review
	for _, a := range approvals.By {
		words = append(words, Review{User: a.User.Username, State: ReviewApproved, At: a.At})
	}
	for _, r := range reviewers {
		if r.State == "requested_changes" {
			words = append(words, Review{User: r.User.Username, State: ReviewChangesRequested})
		}
	}
	words = lists.Last(words, func(r Review) string { return r.User }, func(a, b Review) bool { return a.State == ReviewChangesRequested })
	return words, stale(words, func() (time.Time, error) { return g.pushed(ctx, number) })
}

// pushed is when the head of a merge request came to be, and zero where it is the first:
// each push is a version.
func (g *gitlab) pushed(ctx context.Context, number int) (time.Time, error) {
	type version struct {
		Created time.Time `json:"created_at"`
	}
	all, err := list[version](ctx, g.wire, "reading versions", g.path(number)+"/versions")
	if err != nil || len(all) < 2 {
		return time.Time{}, err
	}
	return slices.MaxFunc(all, func(a, b version) int { return a.Created.Compare(b.Created) }).Created, nil
}

// Statuses implements [Checks].
func (g *gitlab) Statuses(ctx context.Context, commit string) ([]Status, error) {
	type status struct {
		Name        string    `json:"name"`
		Status      string    `json:"status"`
		Description string    `json:"description"`
		TargetURL   string    `json:"target_url"`
		Allowed     bool      `json:"allow_failure"`
		Created     time.Time `json:"created_at"`
		Finished    time.Time `json:"finished_at"`
	}
	all, err := list[status](ctx, g.wire, "reading statuses", g.self+"/repository/commits/"+commit+"/statuses")
	var found []Status
	for _, s := range all {
		one := Status{Context: s.Name, State: statusOf(s.Status), Description: s.Description, URL: s.TargetURL, At: s.Created}
		if !s.Finished.IsZero() {
			one.At = s.Finished
		}
		if s.Allowed && one.State == StatusFailure {
			one.State = StatusSuccess
		}
		found = append(found, one)
	}
	return found, err
}

// SetStatus implements [Checks].
func (g *gitlab) SetStatus(ctx context.Context, commit string, s Status) error {
	state := map[StatusState]string{StatusPending: "pending", StatusSuccess: "success", StatusFailure: "failed"}[s.State]
	in := map[string]any{"state": state, "name": s.Context, "description": s.Description}
	if s.URL != "" {
		in["target_url"] = s.URL
	}
	err := g.send(ctx, call{op: "setting a status", method: http.MethodPost, path: g.self + "/statuses/" + commit, in: in, need: needStatus})
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusBadRequest && strings.Contains(e.Msg, "Cannot transition status") {
		return nil // it has that state already
	}
	return err
}
