package forge

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge/internal/lists"
	"github.com/kubepromote/kubepromote/promote/forge/internal/words"
)

// gitea speaks version 1 of Gitea's and Forgejo's interface:
// https://docs.gitea.com/api, https://codeberg.org/api/swagger.
type gitea struct{ *wire }

func newGitea(w *wire) *gitea {
	w.self = "/repos/" + escape(w.repository.Owner) + "/" + escape(w.repository.Name)
	return &gitea{wire: w}
}

type giteaLabel struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type giteaPull struct {
	Number    int          `json:"number"`
	HTMLURL   string       `json:"html_url"`
	Title     string       `json:"title"`
	Body      string       `json:"body"`
	State     string       `json:"state"`
	Draft     bool         `json:"draft"`
	Merged    bool         `json:"merged"`
	Mergeable bool         `json:"mergeable"`
	MergeSHA  string       `json:"merge_commit_sha"`
	User      githubUser   `json:"user"`
	Head      githubBranch `json:"head"`
	Base      githubBranch `json:"base"`
	Labels    []giteaLabel `json:"labels"`
}

// wipMarks make a draft of a pull request when its title begins so; a server may be
// set to others.
var wipMarks = []string{"WIP:", "[WIP]"}

func (p *giteaPull) pullRequest() *PullRequest {
	pr := &PullRequest{Number: p.Number, URL: p.HTMLURL, Body: unixLines(p.Body), Head: p.Head.Ref, HeadCommit: p.Head.SHA,
		Base: p.Base.Ref, Author: p.User.Login, State: StateOpen, Mergeable: Unknown, Into: p.Base.repository()}
	// Forgejo's versions of old have no field for drafts.
	pr.Title, pr.Draft = words.Unmarked(p.Title, wipMarks...)
	pr.Draft = pr.Draft || p.Draft
	if p.Mergeable {
		// Its false is a conflict, a draft, or a check that is still going on.
		pr.Mergeable = Yes
	}
	switch {
	case p.Merged:
		pr.State, pr.MergeCommit = StateMerged, p.MergeSHA
	case p.State != "open":
		pr.State = StateClosed
	}
	for _, l := range p.Labels {
		pr.Labels = append(pr.Labels, l.Name)
	}
	return pr
}

func (g *gitea) pull(number int) string  { return g.self + "/pulls/" + strconv.Itoa(number) }
func (g *gitea) issue(number int) string { return g.self + "/issues/" + strconv.Itoa(number) }

// find goes through the open pull requests: there is no question for those of a
// head. The one for a base and a head gives any that ever was.
func (g *gitea) find(ctx context.Context, f FindRequest) ([]PullRequest, error) {
	q := []string{"state", "open"}
	if f.Base != "" {
		q = append(q, "base_branch", f.Base)
	}
	found, err := list[giteaPull](ctx, g.wire, "finding pull requests", g.self+"/pulls", q...)
	return those(found, func(p *giteaPull) bool {
		return f.any() || p.Head.Repo != nil && p.Base.Repo != nil && g.ours(p.Head.Repo.FullName, p.Base.Repo.FullName)
	}, (*giteaPull).pullRequest), err
}

// Carrying implements [Checks].
func (g *gitea) Carrying(ctx context.Context, commit, _ string) ([]PullRequest, error) {
	var p giteaPull
	if err := g.wire.get(ctx, "finding the pull request of a commit", g.self+"/commits/"+commit+"/pull", &p); err != nil {
		return nil, err
	}
	return []PullRequest{*p.pullRequest()}, nil
}

func (g *gitea) get(ctx context.Context, number int) (*PullRequest, error) {
	var p giteaPull
	if err := g.wire.get(ctx, "reading a pull request", g.pull(number), &p); err != nil {
		return nil, err
	}
	return p.pullRequest(), nil
}

func (g *gitea) open(ctx context.Context, o OpenRequest) (*PullRequest, error) {
	title := o.Title
	if o.Draft {
		title = wipMarks[0] + " " + title
	}
	var err error
	if o.Head, err = g.head(ctx, o.Head); err != nil {
		return nil, err
	}
	if err := g.differ(ctx, o); err != nil {
		return nil, err
	}
	in := map[string]any{"title": title, "body": o.Body, "head": o.Head, "base": o.Base}
	var p giteaPull
	err = g.send(ctx, call{op: "opening a pull request", method: http.MethodPost, path: g.self + "/pulls", in: in, out: &p, need: needWrite})
	if err != nil {
		return nil, because(err, http.StatusConflict, map[string]error{"already exists": ErrExists})
	}
	return p.pullRequest(), nil
}

// head names a branch where heads are. Of a fork that is OWNER:BRANCH, which Forgejo and
// versions of Gitea before 1.26 take alone. It stands for the owner's fork of the
// repository, so another of theirs has its whole name.
func (g *gitea) head(ctx context.Context, branch string) (string, error) {
	if !g.forked() {
		return branch, nil
	}
	var fork struct {
		Parent *struct {
			FullName string `json:"full_name"`
		} `json:"parent"`
	}
	if err := g.wire.get(ctx, "reading the fork", "/repos/"+escape(g.heads.Owner)+"/"+escape(g.heads.Name), &fork); err != nil {
		return "", err
	}
	if r := g.repository; fork.Parent != nil && strings.EqualFold(fork.Parent.FullName, r.Owner+"/"+r.Name) && !strings.EqualFold(r.Owner, g.heads.Owner) {
		return g.heads.Owner + ":" + branch, nil
	}
	return g.heads.Owner + "/" + g.heads.Name + ":" + branch, nil
}

// differ looks whether there is anything to merge: a pull request without a commit is
// none of Gitea's worries.
func (g *gitea) differ(ctx context.Context, o OpenRequest) error {
	const op = "comparing two branches"
	var out struct {
		Total int `json:"total_commits"`
	}
	if err := g.wire.get(ctx, op, g.self+"/compare/"+escape(o.Base)+"..."+escape(o.Head), &out); err != nil {
		return err
	}
	if out.Total == 0 {
		return g.fail(call{op: op}, 0, o.Head+" has no commit that "+o.Base+" lacks", ErrNoChange)
	}
	return nil
}

func (g *gitea) edit(ctx context.Context, pr *PullRequest, u UpdateRequest) (*PullRequest, error) {
	in := make(map[string]any)
	if u.Title != nil {
		title := *u.Title
		if pr.Draft {
			title = wipMarks[0] + " " + title
		}
		in["title"] = title
	}
	if u.Body != nil {
		in["body"] = *u.Body
	}
	return g.patch(ctx, "updating a pull request", pr.Number, in)
}

func (g *gitea) patch(ctx context.Context, op string, number int, in map[string]any) (*PullRequest, error) {
	var p giteaPull
	if err := g.send(ctx, call{op: op, method: http.MethodPatch, path: g.pull(number), in: in, out: &p, need: needWrite}); err != nil {
		return nil, err
	}
	return p.pullRequest(), nil
}

func (g *gitea) decorate(ctx context.Context, pr *PullRequest, labels, reviewers []string) error {
	if len(labels) > 0 {
		ids, err := g.labels(ctx, labels)
		if err != nil {
			return err
		}
		if err := g.send(ctx, call{op: "setting labels", method: http.MethodPost, path: g.issue(pr.Number) + "/labels", in: map[string]any{"labels": ids}, need: needWrite}); err != nil {
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

// labels gives the numbers of labels, those of the repository or else those of its
// organization, and makes those that are missing.
func (g *gitea) labels(ctx context.Context, names []string) ([]int64, error) {
	have := make(map[string]int64)
	for _, path := range []string{g.self + "/labels", "/orgs/" + escape(g.repository.Owner) + "/labels"} {
		some, err := list[giteaLabel](ctx, g.wire, "reading labels", path)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrNotAllowed) && path[1] == 'o' {
			continue // the owner is a person, or the token does not reach so far
		}
		if err != nil {
			return nil, err
		}
		for _, l := range some {
			if _, ok := have[l.Name]; !ok {
				have[l.Name] = l.ID
			}
		}
	}
	var ids []int64
	for _, name := range names {
		id, ok := have[name]
		if !ok {
			var made giteaLabel
			in := map[string]any{"name": name, "color": "#ededed"} // as GitHub does it
			if err := g.send(ctx, call{op: "making the label " + quote(name), method: http.MethodPost, path: g.self + "/labels", in: in, out: &made, need: needWrite}); err != nil {
				return nil, err
			}
			id = made.ID
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (g *gitea) comment(ctx context.Context, number int, text string) error {
	return g.send(ctx, call{op: "commenting on a pull request", method: http.MethodPost, path: g.issue(number) + "/comments", in: map[string]any{"body": text}, need: needWrite})
}

func (g *gitea) shut(ctx context.Context, pr *PullRequest) error {
	_, err := g.patch(ctx, "closing a pull request", pr.Number, map[string]any{"state": "closed"})
	return err
}

// merge merges, guarded by the head, and only where the rules say no leaves it to
// Gitea: it would do so in the background otherwise, without a guard.
func (g *gitea) merge(ctx context.Context, pr *PullRequest, m MergeRequest) (MergeResult, error) {
	err := g.ask(ctx, pr, m, false)
	var more *again
	if m.AutoMerge && errors.Is(err, ErrNotMergeable) && !errors.As(err, &more) {
		err = g.ask(ctx, pr, m, true)
	}
	if err != nil {
		return MergeResult{}, err
	}
	// The answer has nothing of what became of it.
	now, err := g.get(ctx, pr.Number)
	if err != nil {
		return MergeResult{}, err
	}
	return MergeResult{Merged: now.State == StateMerged, Commit: now.MergeCommit}, nil
}

func (g *gitea) ask(ctx context.Context, pr *PullRequest, m MergeRequest, later bool) error {
	styles := map[Method]string{MethodDefault: "merge", MethodMerge: "merge", MethodSquash: "squash", MethodRebase: "rebase", MethodFastForward: "fast-forward-only"}
	in := map[string]any{"Do": styles[m.Method], "head_commit_id": m.Head}
	// The names with capitals are those of versions of old.
	if m.Title != "" {
		in["merge_title_field"], in["MergeTitleField"] = m.Title, m.Title
	}
	if m.Message != "" {
		in["merge_message_field"], in["MergeMessageField"] = m.Message, m.Message
	}
	if later {
		in["merge_when_checks_succeed"] = true
	}
	err := g.send(ctx, call{op: opMerge, method: http.MethodPost, path: g.pull(pr.Number) + "/merge", in: in, need: needMerge})
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	says := func(text string) bool { return strings.Contains(e.Msg, text) }
	switch conflict, refused := e.Status == http.StatusConflict, e.Status == http.StatusMethodNotAllowed; {
	case conflict && says("head out of date"):
		return g.headMoved(pr, m)
	case conflict && (says("push out of date") || says("cannot lock ref") || says("failed to update ref")):
		e.Err = ErrBaseModified
		return &again{e}
	case conflict && says("already scheduled"):
		return nil
	case refused && says("try again later"):
		// A conflict is told by the same words.
		e.Err, e.Msg = ErrNotMergeable, "the branches have a conflict, or the forge has not yet found out"
		return &again{e}
	case refused && says("not allowed to merge"):
		e.Err, e.Hint = ErrNotAllowed, g.scopes(needMerge)
	case refused, conflict:
		e.Err = ErrNotMergeable
	}
	return err
}

// Reviews implements [Checks].
func (g *gitea) Reviews(ctx context.Context, number int) ([]Review, error) {
	type review struct {
		User      githubUser `json:"user"`
		State     string     `json:"state"`
		CommitID  string     `json:"commit_id"`
		Stale     bool       `json:"stale"`
		Dismissed bool       `json:"dismissed"`
		Submitted time.Time  `json:"submitted_at"`
	}
	all, err := list[review](ctx, g.wire, "reading reviews", g.pull(number)+"/reviews")
	if err != nil {
		return nil, err
	}
	var words []Review
	for _, r := range all {
		word := Review{User: r.User.Login, Commit: r.CommitID, Stale: r.Stale, At: r.Submitted}
		switch {
		case r.State == "APPROVED" && !r.Dismissed:
			word.State = ReviewApproved
		case r.State == "REQUEST_CHANGES" && !r.Dismissed:
			word.State = ReviewChangesRequested
		case !r.Dismissed:
			continue
		}
		words = append(words, word)
	}
	return lastWords(words), nil
}

// Statuses come newest first.
func (g *gitea) Statuses(ctx context.Context, commit string) ([]Status, error) {
	type status struct {
		ID          int64     `json:"id"`
		Context     string    `json:"context"`
		Status      string    `json:"status"`
		Description string    `json:"description"`
		TargetURL   string    `json:"target_url"`
		Updated     time.Time `json:"updated_at"`
	}
	all, err := list[status](ctx, g.wire, "reading statuses", g.self+"/commits/"+commit+"/statuses")
	all = lists.Last(all, func(s status) string { return s.Context }, func(a, b status) bool { return a.ID > b.ID })
	var found []Status
	for _, s := range all {
		found = append(found, Status{Context: s.Context, State: statusOf(s.Status), Description: s.Description, URL: s.TargetURL, At: s.Updated})
	}
	return found, err
}

// SetStatus implements [Checks].
func (g *gitea) SetStatus(ctx context.Context, commit string, s Status) error {
	in := map[string]any{"state": string(s.State), "context": s.Context, "description": s.Description}
	if s.URL != "" {
		in["target_url"] = s.URL
	}
	return g.send(ctx, call{op: "setting a status", method: http.MethodPost, path: g.self + "/statuses/" + commit, in: in, need: needStatus})
}
