package forge

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge/internal/lists"
)

// github speaks the REST interface of version 2022-11-28, and GraphQL for what is
// only there: https://docs.github.com/en/rest, https://docs.github.com/en/graphql.
type github struct {
	*wire
	// graphql is the whole address.
	graphql string
}

func newGitHub(w *wire) *github {
	w.rest.Header.Set("Accept", "application/vnd.github+json")
	w.rest.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	w.self = "/repos/" + escape(w.repository.Owner) + "/" + escape(w.repository.Name)
	return &github{wire: w, graphql: strings.TrimSuffix(w.repository.API, "/v3") + "/graphql"}
}

type githubUser struct {
	Login string `json:"login"`
}

type githubBranch struct {
	Ref  string `json:"ref"`
	SHA  string `json:"sha"`
	Repo *struct {
		FullName string `json:"full_name"`
	} `json:"repo"`
}

func (b githubBranch) repository() string {
	if b.Repo == nil {
		return ""
	}
	return b.Repo.FullName
}

type githubPull struct {
	Number    int          `json:"number"`
	NodeID    string       `json:"node_id"`
	HTMLURL   string       `json:"html_url"`
	Title     string       `json:"title"`
	Body      string       `json:"body"`
	State     string       `json:"state"`
	Draft     bool         `json:"draft"`
	Merged    bool         `json:"merged"`
	MergedAt  *time.Time   `json:"merged_at"`
	Mergeable *bool        `json:"mergeable"`
	MergeSHA  string       `json:"merge_commit_sha"`
	User      githubUser   `json:"user"`
	Head      githubBranch `json:"head"`
	Base      githubBranch `json:"base"`
	Labels    []struct {
		Name string `json:"name"`
	} `json:"labels"`
}

func (p *githubPull) pullRequest() *PullRequest {
	pr := &PullRequest{Number: p.Number, URL: p.HTMLURL, Title: p.Title, Body: unixLines(p.Body), Head: p.Head.Ref, HeadCommit: p.Head.SHA,
		Base: p.Base.Ref, Author: p.User.Login, Draft: p.Draft, State: StateOpen, Mergeable: answerOf(p.Mergeable), Into: p.Base.repository()}
	if p.State != "open" {
		pr.State = StateClosed
	}
	if p.Merged || p.MergedAt != nil {
		// Before that, the field is a merge that GitHub tried for itself.
		pr.State, pr.MergeCommit = StateMerged, p.MergeSHA
	}
	for _, l := range p.Labels {
		pr.Labels = append(pr.Labels, l.Name)
	}
	return pr
}

func answerOf(b *bool) Answer {
	switch {
	case b == nil:
		return Unknown
	case *b:
		return Yes
	}
	return No
}

func (g *github) pull(number int) string  { return g.self + "/pulls/" + strconv.Itoa(number) }
func (g *github) issue(number int) string { return g.self + "/issues/" + strconv.Itoa(number) }

func (g *github) find(ctx context.Context, f FindRequest) ([]PullRequest, error) {
	q := []string{"state", "open"}
	if !f.any() {
		q = append(q, "head", g.heads.Owner+":"+f.Head)
	}
	if f.Base != "" {
		q = append(q, "base", f.Base)
	}
	found, err := list[githubPull](ctx, g.wire, "finding pull requests", g.self+"/pulls", q...)
	return those(found, func(p *githubPull) bool {
		return f.any() || p.Head.Repo != nil && p.Base.Repo != nil && g.ours(p.Head.Repo.FullName, p.Base.Repo.FullName)
	}, (*githubPull).pullRequest), err
}

// Carrying implements [Checks]. GitHub knows what a commit came from for the default branch;
// into another, it is among those that were closed last.
func (g *github) Carrying(ctx context.Context, commit, base string) ([]PullRequest, error) {
	const op = "finding the pull request of a commit"
	found, err := list[githubPull](ctx, g.wire, op, g.self+"/commits/"+commit+"/pulls")
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusUnprocessableEntity {
		return nil, nil // no such commit
	}
	merged := slices.DeleteFunc(all(found, (*githubPull).pullRequest), func(pr PullRequest) bool { return pr.State != StateMerged })
	if err != nil || slices.ContainsFunc(merged, g.mine) {
		return merged, err
	}
	found = nil
	_, err = g.page(ctx, op, g.self+"/pulls", 1, &found, "state", "closed", "base", base, "sort", "updated", "direction", "desc")
	return append(slices.DeleteFunc(all(found, (*githubPull).pullRequest), func(pr PullRequest) bool { return pr.MergeCommit != commit }), merged...), err
}

func (g *github) get(ctx context.Context, number int) (*PullRequest, error) {
	p, err := g.look(ctx, number)
	if err != nil {
		return nil, err
	}
	return p.pullRequest(), nil
}

func (g *github) look(ctx context.Context, number int) (*githubPull, error) {
	var p githubPull
	return &p, g.wire.get(ctx, "reading a pull request", g.pull(number), &p)
}

func (g *github) open(ctx context.Context, o OpenRequest) (*PullRequest, error) {
	in := map[string]any{"title": o.Title, "body": o.Body, "head": o.Head, "base": o.Base, "draft": o.Draft}
	if g.forked() { // the second tells it from others of the same owner
		in["head"], in["head_repo"] = g.heads.Owner+":"+o.Head, g.heads.Name
	}
	var p githubPull
	err := g.send(ctx, call{op: "opening a pull request", method: http.MethodPost, path: g.self + "/pulls", in: in, out: &p, need: needWrite})
	if err != nil {
		return nil, because(err, http.StatusUnprocessableEntity, map[string]error{
			"already exists": ErrExists, "No commits between": ErrNoChange, "Draft pull requests are not supported": ErrUnsupported})
	}
	return p.pullRequest(), nil
}

// because finds what an error of a status is about by a part of its text.
func because(err error, status int, texts map[string]error) error {
	var e *Error
	if errors.As(err, &e) && e.Status == status && e.Err == nil {
		for text, kind := range texts {
			if strings.Contains(e.Msg, text) {
				e.Err = kind
			}
		}
	}
	return err
}

func (g *github) edit(ctx context.Context, pr *PullRequest, u UpdateRequest) (*PullRequest, error) {
	in := make(map[string]any)
	if u.Title != nil {
		in["title"] = *u.Title
	}
	if u.Body != nil {
		in["body"] = *u.Body
	}
	var p githubPull
	if err := g.send(ctx, call{op: "updating a pull request", method: http.MethodPatch, path: g.pull(pr.Number), in: in, out: &p, need: needWrite}); err != nil {
		return nil, err
	}
	return p.pullRequest(), nil
}

func (g *github) decorate(ctx context.Context, pr *PullRequest, labels, reviewers []string) error {
	if len(labels) > 0 {
		err := g.send(ctx, call{op: "setting labels", method: http.MethodPost, path: g.issue(pr.Number) + "/labels", in: map[string]any{"labels": labels}, need: needWrite})
		if err != nil {
			return err
		}
	}
	people, teams := lists.PeopleAndTeams(reviewers)
	if len(people)+len(teams) == 0 {
		return nil
	}
	in := map[string]any{"reviewers": people, "team_reviewers": teams}
	return g.send(ctx, call{op: "asking for reviews", method: http.MethodPost, path: g.pull(pr.Number) + "/requested_reviewers", in: in, need: needWrite})
}

func (g *github) comment(ctx context.Context, number int, text string) error {
	return g.send(ctx, call{op: "commenting on a pull request", method: http.MethodPost, path: g.issue(number) + "/comments", in: map[string]any{"body": text}, need: needWrite})
}

func (g *github) shut(ctx context.Context, pr *PullRequest) error {
	return g.send(ctx, call{op: "closing a pull request", method: http.MethodPatch, path: g.pull(pr.Number), in: map[string]any{"state": "closed"}, need: needWrite})
}

func (g *github) merge(ctx context.Context, pr *PullRequest, m MergeRequest) (MergeResult, error) {
	if m.AutoMerge {
		set, err := g.autoMerge(ctx, pr, m)
		if err != nil || set {
			return MergeResult{}, err
		}
	}
	in := map[string]any{"sha": m.Head, "merge_method": string(methodOr(m.Method, MethodMerge))}
	if m.Title != "" {
		in["commit_title"] = m.Title
	}
	if m.Message != "" {
		in["commit_message"] = m.Message
	}
	var out struct {
		SHA string `json:"sha"`
	}
	err := g.send(ctx, call{op: opMerge, method: http.MethodPut, path: g.pull(pr.Number) + "/merge", in: in, out: &out, need: needMerge})
	if err == nil {
		return MergeResult{Merged: true, Commit: out.SHA}, nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return MergeResult{}, err
	}
	switch {
	case e.Status == http.StatusConflict:
		return MergeResult{}, g.headMoved(pr, m)
	case e.Status == http.StatusMethodNotAllowed && strings.Contains(e.Msg, "Base branch was modified"):
		e.Err = ErrBaseModified
		return MergeResult{}, &again{e}
	case e.Status == http.StatusMethodNotAllowed && pr.Mergeable == Unknown && strings.Contains(e.Msg, "not mergeable"):
		e.Err = ErrNotMergeable
		return MergeResult{}, &again{e}
	case e.Status == http.StatusMethodNotAllowed:
		e.Err = ErrNotMergeable
	}
	return MergeResult{}, err
}

func methodOr(m, standard Method) Method {
	if m == MethodDefault {
		return standard
	}
	return m
}

const enableAutoMerge = `mutation($id: ID!, $method: PullRequestMergeMethod!, $head: GitObjectID!, $title: String, $message: String) {
  enablePullRequestAutoMerge(input: {pullRequestId: $id, mergeMethod: $method, expectedHeadOid: $head, commitHeadline: $title, commitBody: $message}) {
    pullRequest { id }
  }
}`

// autoMerge gives false where there is nothing to wait for: GitHub refuses that.
func (g *github) autoMerge(ctx context.Context, pr *PullRequest, m MergeRequest) (bool, error) {
	p, err := g.look(ctx, pr.Number)
	if err != nil {
		return false, err
	}
	variables := map[string]any{"id": p.NodeID, "head": m.Head, "method": strings.ToUpper(string(methodOr(m.Method, MethodMerge)))}
	if m.Title != "" {
		variables["title"] = m.Title
	}
	if m.Message != "" {
		variables["message"] = m.Message
	}
	var out struct {
		Errors []struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	c := call{op: "setting auto-merge", method: http.MethodPost, path: g.graphql, out: &out, need: needMerge,
		in: map[string]any{"query": enableAutoMerge, "variables": variables}}
	if err := g.send(ctx, c); err != nil {
		return false, err
	}
	if len(out.Errors) == 0 {
		return true, nil
	}
	text := out.Errors[0].Message
	e := g.fail(c, 0, text, ErrNotMergeable)
	switch {
	case strings.Contains(text, "clean status"), strings.Contains(text, "unstable status"):
		return false, nil
	case strings.Contains(text, "head") && strings.Contains(strings.ToLower(text), "oid"):
		return false, g.headMoved(pr, m)
	case out.Errors[0].Type == "FORBIDDEN":
		e.Err, e.Hint = ErrNotAllowed, g.scopes(needMerge)
	case strings.Contains(text, "not allowed"), strings.Contains(text, "rotected branch rules not configured"):
		e.Err, e.Hint = ErrUnsupported, "allow auto-merge in the settings of the repository, and protect the branch"
	}
	return false, e
}

// Reviews reads the reviews in the order in which they were given.
func (g *github) Reviews(ctx context.Context, number int) ([]Review, error) {
	pr, err := g.get(ctx, number)
	if err != nil {
		return nil, err
	}
	type review struct {
		User      githubUser `json:"user"`
		State     string     `json:"state"`
		CommitID  string     `json:"commit_id"`
		Submitted time.Time  `json:"submitted_at"`
	}
	all, err := list[review](ctx, g.wire, "reading reviews", g.pull(number)+"/reviews")
	if err != nil {
		return nil, err
	}
	var words []Review
	for _, r := range all {
		word := Review{User: r.User.Login, Commit: r.CommitID, Stale: r.CommitID != pr.HeadCommit, At: r.Submitted}
		switch r.State {
		case "APPROVED":
			word.State = ReviewApproved
		case "CHANGES_REQUESTED":
			word.State = ReviewChangesRequested
		case "DISMISSED": // takes back what was said, and is dropped below
		default:
			continue
		}
		words = append(words, word)
	}
	return lastWords(words), nil
}

// lastWords keeps the last word of each reviewer, in the order of the list, and
// drops those that were taken back.
func lastWords(words []Review) []Review {
	words = lists.Last(words, func(r Review) string { return r.User }, func(a, b Review) bool { return !a.At.Before(b.At) })
	var kept []Review
	for _, w := range words {
		if w.State != "" {
			kept = append(kept, w)
		}
	}
	return kept
}

// Statuses are the statuses and the checks of apps such as Actions, which are kept
// apart there.
func (g *github) Statuses(ctx context.Context, commit string) ([]Status, error) {
	statuses, err := pages(func(page int) ([]githubStatus, bool, error) {
		var out struct {
			Statuses []githubStatus `json:"statuses"`
		}
		more, err := g.page(ctx, "reading statuses", g.self+"/commits/"+commit+"/status", page, &out)
		return out.Statuses, more, err
	})
	if err != nil {
		return nil, err
	}
	checks, err := pages(func(page int) ([]githubCheck, bool, error) {
		var out struct {
			Runs []githubCheck `json:"check_runs"`
		}
		more, err := g.page(ctx, "reading checks", g.self+"/commits/"+commit+"/check-runs", page, &out)
		return out.Runs, more, err
	})
	if err != nil {
		return nil, err
	}
	var all []Status
	for _, s := range statuses {
		all = append(all, Status{Context: s.Context, State: statusOf(s.State), Description: s.Description, URL: s.TargetURL, At: s.UpdatedAt})
	}
	for _, c := range checks {
		state := StatusPending
		if c.Status == "completed" {
			state = statusOf(c.Conclusion)
		}
		all = append(all, Status{Context: c.Name, State: state, Description: c.Output.Title, URL: c.HTMLURL, At: c.CompletedAt})
	}
	return all, nil
}

type githubStatus struct {
	Context     string    `json:"context"`
	State       string    `json:"state"`
	Description string    `json:"description"`
	TargetURL   string    `json:"target_url"`
	UpdatedAt   time.Time `json:"updated_at"`
}

type githubCheck struct {
	Name        string    `json:"name"`
	Status      string    `json:"status"`
	Conclusion  string    `json:"conclusion"`
	HTMLURL     string    `json:"html_url"`
	CompletedAt time.Time `json:"completed_at"`
	Output      struct {
		Title string `json:"title"`
	} `json:"output"`
}

// SetStatus implements [Checks].
func (g *github) SetStatus(ctx context.Context, commit string, s Status) error {
	in := map[string]any{"state": string(s.State), "context": s.Context, "description": s.Description}
	if s.URL != "" {
		in["target_url"] = s.URL
	}
	return g.send(ctx, call{op: "setting a status", method: http.MethodPost, path: g.self + "/statuses/" + commit, in: in, need: needStatus})
}
