package forge

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// bitbucket speaks version 2.0 of Bitbucket Cloud:
// https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/.
type bitbucket struct{ *wire }

func newBitbucket(w *wire) *bitbucket {
	w.self = "/repositories/" + escape(w.repository.Owner) + "/" + escape(w.repository.Name)
	return &bitbucket{wire: w}
}

type bitbucketUser struct {
	UUID      string `json:"uuid,omitempty"`
	AccountID string `json:"account_id,omitempty"`
	Nickname  string `json:"nickname,omitempty"`
	Name      string `json:"display_name,omitempty"`
}

func (u bitbucketUser) name() string {
	for _, s := range []string{u.Nickname, u.Name, u.AccountID} {
		if s != "" {
			return s
		}
	}
	return u.UUID
}

type bitbucketEnd struct {
	Branch struct {
		Name string `json:"name"`
	} `json:"branch"`
	Commit struct {
		Hash string `json:"hash"`
	} `json:"commit"`
	Repository struct {
		FullName string `json:"full_name"`
	} `json:"repository"`
}

type bitbucketPull struct {
	ID          int             `json:"id"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	State       string          `json:"state"`
	Draft       bool            `json:"draft"`
	Author      bitbucketUser   `json:"author"`
	Source      bitbucketEnd    `json:"source"`
	Destination bitbucketEnd    `json:"destination"`
	Reviewers   []bitbucketUser `json:"reviewers"`
	MergeCommit struct {
		Hash string `json:"hash"`
	} `json:"merge_commit"`
	Participants []struct {
		User  bitbucketUser `json:"user"`
		State string        `json:"state"`
		At    time.Time     `json:"participated_on"`
	} `json:"participants"`
	Links struct {
		HTML struct {
			Href string `json:"href"`
		} `json:"html"`
	} `json:"links"`
}

func (p *bitbucketPull) pullRequest() *PullRequest {
	pr := &PullRequest{Number: p.ID, URL: p.Links.HTML.Href, Title: p.Title, Body: unixLines(p.Description), Head: p.Source.Branch.Name,
		HeadCommit: p.Source.Commit.Hash, Base: p.Destination.Branch.Name, Author: p.Author.name(), Draft: p.Draft, State: StateClosed, Mergeable: Unknown, Into: p.Destination.Repository.FullName}
	switch p.State {
	case "OPEN":
		pr.State = StateOpen
	case "MERGED":
		pr.State, pr.MergeCommit = StateMerged, p.MergeCommit.Hash
	}
	return pr
}

func (b *bitbucket) pull(number int) string {
	return b.self + "/pullrequests/" + strconv.Itoa(number)
}

// bitbucketPages reads a list of all pages.
func bitbucketPages[T any](ctx context.Context, b *bitbucket, op, path string, pairs ...string) ([]T, error) {
	return pages(func(page int) ([]T, bool, error) {
		var out struct {
			Values []T    `json:"values"`
			Next   string `json:"next"`
		}
		q := query(append(pairs, "pagelen", "50", "page", strconv.Itoa(page))...)
		err := b.wire.get(ctx, op, path+q, &out)
		return out.Values, out.Next != "", err
	})
}

// Carrying implements [Checks]. The list has no more than numbers to rely on, and a pull
// request 12 digits of its head: who looks for a commit whose branch is gone needs all.
func (b *bitbucket) Carrying(ctx context.Context, commit, _ string) ([]PullRequest, error) {
	found, err := bitbucketPages[bitbucketPull](ctx, b, "finding the pull request of a commit", b.self+"/commit/"+commit+"/pullrequests")
	var whole []PullRequest
	for _, p := range found[:min(len(found), 5)] {
		pr, err := b.get(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		var head struct {
			Hash string `json:"hash"`
		}
		err = b.wire.get(ctx, "reading a commit", b.self+"/commit/"+escape(pr.HeadCommit), &head)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if pr.HeadCommit != "" && strings.HasPrefix(head.Hash, pr.HeadCommit) {
			pr.HeadCommit = head.Hash
		}
		whole = append(whole, *pr)
	}
	return whole, err
}

func (b *bitbucket) find(ctx context.Context, f FindRequest) ([]PullRequest, error) {
	// The names have neither quotation marks nor backslashes; see address.WrongBranch.
	var q []string
	if !f.any() {
		q = append(q, `source.branch.name = "`+f.Head+`"`)
	}
	if f.Base != "" {
		q = append(q, `destination.branch.name = "`+f.Base+`"`)
	}
	found, err := bitbucketPages[bitbucketPull](ctx, b, "finding pull requests", b.self+"/pullrequests", "state", "OPEN", "q", strings.Join(q, " AND "))
	return those(found, func(p *bitbucketPull) bool {
		return f.any() || b.ours(p.Source.Repository.FullName, p.Destination.Repository.FullName)
	}, (*bitbucketPull).pullRequest), err
}

func (b *bitbucket) look(ctx context.Context, number int) (*bitbucketPull, error) {
	var p bitbucketPull
	return &p, b.wire.get(ctx, "reading a pull request", b.pull(number), &p)
}

func (b *bitbucket) get(ctx context.Context, number int) (*PullRequest, error) {
	p, err := b.look(ctx, number)
	if err != nil {
		return nil, err
	}
	return p.pullRequest(), nil
}

func (b *bitbucket) open(ctx context.Context, o OpenRequest) (*PullRequest, error) {
	branch := func(name string) map[string]any { return map[string]any{"branch": map[string]any{"name": name}} }
	source := branch(o.Head)
	if b.forked() {
		source["repository"] = map[string]any{"full_name": b.heads.Owner + "/" + b.heads.Name}
	}
	in := map[string]any{"title": o.Title, "description": o.Body, "source": source, "destination": branch(o.Base), "draft": o.Draft}
	var p bitbucketPull
	err := b.send(ctx, call{op: "opening a pull request", method: http.MethodPost, path: b.self + "/pullrequests", in: in, out: &p, need: needWrite})
	if err != nil {
		err = because(err, http.StatusConflict, map[string]error{"": ErrExists})
		return nil, because(err, http.StatusBadRequest, map[string]error{"no changes to be pulled": ErrNoChange, "already": ErrExists})
	}
	return p.pullRequest(), nil
}

// edit gives the reviewers once more: leaving them out takes them away.
func (b *bitbucket) edit(ctx context.Context, pr *PullRequest, u UpdateRequest) (*PullRequest, error) {
	p, err := b.look(ctx, pr.Number)
	if err != nil {
		return nil, err
	}
	if u.Title != nil {
		p.Title = *u.Title
	}
	if u.Body != nil {
		p.Description = *u.Body
	}
	return b.put(ctx, "updating a pull request", p)
}

func (b *bitbucket) put(ctx context.Context, op string, p *bitbucketPull) (*PullRequest, error) {
	reviewers := make([]bitbucketUser, 0, len(p.Reviewers))
	for _, r := range p.Reviewers {
		if r.UUID != "" {
			r = bitbucketUser{UUID: r.UUID}
		}
		reviewers = append(reviewers, r)
	}
	in := map[string]any{"title": p.Title, "description": p.Description, "reviewers": reviewers}
	var out bitbucketPull
	if err := b.send(ctx, call{op: op, method: http.MethodPut, path: b.pull(p.ID), in: in, out: &out, need: needWrite}); err != nil {
		return nil, err
	}
	return out.pullRequest(), nil
}

func (b *bitbucket) decorate(ctx context.Context, pr *PullRequest, _, reviewers []string) error {
	const op = "asking for reviews"
	p, err := b.look(ctx, pr.Number)
	if err != nil {
		return err
	}
	for _, name := range reviewers {
		var u bitbucketUser
		switch {
		case strings.HasPrefix(name, "{") && strings.HasSuffix(name, "}"):
			u.UUID = name
		case strings.Contains(name, ":") || len(name) == 24 && strings.Trim(name, "0123456789abcdef") == "":
			u.AccountID = name
		default:
			return b.fail(call{op: op}, 0, "Bitbucket Cloud does not find "+quote(name)+" by that name", ErrUnsupported).
				hinted(`write the "{uuid}" or the account id of the user`)
		}
		// The author cannot review, and a request that names one is refused whole.
		if u.UUID != "" && u.UUID == p.Author.UUID || u.AccountID != "" && u.AccountID == p.Author.AccountID {
			continue
		}
		p.Reviewers = append(p.Reviewers, u)
	}
	_, err = b.put(ctx, op, p)
	return err
}

func (b *bitbucket) comment(ctx context.Context, number int, text string) error {
	in := map[string]any{"content": map[string]any{"raw": text}}
	return b.send(ctx, call{op: "commenting on a pull request", method: http.MethodPost, path: b.pull(number) + "/comments", in: in, need: needWrite})
}

func (b *bitbucket) shut(ctx context.Context, pr *PullRequest) error {
	return b.send(ctx, call{op: "declining a pull request", method: http.MethodPost, path: b.pull(pr.Number) + "/decline", in: map[string]any{}, need: needWrite})
}

// merge has no guard of the forge's own: the head was compared before, and is
// compared once more with what was merged.
func (b *bitbucket) merge(ctx context.Context, pr *PullRequest, m MergeRequest) (MergeResult, error) {
	in := map[string]any{"type": "pullrequest", "close_source_branch": false}
	if text := joined(m); text != "" {
		in["message"] = text
	}
	strategies := map[Method]string{MethodMerge: "merge_commit", MethodSquash: "squash", MethodRebase: "rebase_fast_forward", MethodFastForward: "fast_forward"}
	if s := strategies[m.Method]; s != "" {
		in["merge_strategy"] = s
	}
	var out bitbucketPull
	err := b.send(ctx, call{op: opMerge, method: http.MethodPost, path: b.pull(pr.Number) + "/merge", in: in, out: &out, need: needMerge})
	var e *Error
	if errors.As(err, &e) && e.Err == nil {
		switch e.Status {
		case http.StatusConflict:
			e.Err = ErrBaseModified
			return MergeResult{}, &again{e}
		case http.StatusBadRequest:
			e.Err = ErrNotMergeable
		}
	}
	if err != nil {
		return MergeResult{}, err
	}
	done := out.pullRequest()
	result := MergeResult{Merged: done.State == StateMerged, Commit: done.MergeCommit}
	if done.HeadCommit != "" && !strings.HasPrefix(m.Head, done.HeadCommit) {
		return result, b.headMoved(done, m).hinted("it was merged all the same: look at what came in, and take it back if need be")
	}
	return result, nil
}

// Reviews implements [Checks].
func (b *bitbucket) Reviews(ctx context.Context, number int) ([]Review, error) {
	p, err := b.look(ctx, number)
	if err != nil {
		return nil, err
	}
	var words []Review
	for _, one := range p.Participants {
		word := Review{User: one.User.name(), ID: one.User.UUID, At: one.At}
		switch one.State {
		case "approved":
			word.State = ReviewApproved
		case "changes_requested":
			word.State = ReviewChangesRequested
		default:
			continue
		}
		words = append(words, word)
	}
	return words, stale(words, func() (time.Time, error) { return b.dated(ctx, number, words) })
}

// dated gives reviews the time of the approval itself: that of a participant is of
// whatever they did last. Its own time is when the head came to be, zero for the first.
func (b *bitbucket) dated(ctx context.Context, number int, words []Review) (pushed time.Time, err error) {
	type did struct {
		User bitbucketUser `json:"user"`
		Date time.Time     `json:"date"`
	}
	all, err := bitbucketPages[struct {
		Update *struct {
			Date   time.Time    `json:"date"`
			Source bitbucketEnd `json:"source"`
		} `json:"update"`
		Approval *did `json:"approval"`
		Changes  *did `json:"changes_requested"`
	}](ctx, b, "reading the activity", b.self+"/pullrequests/"+strconv.Itoa(number)+"/activity")
	head := ""
	for n := range words {
		words[n].At = time.Time{}
	}
	for _, one := range all { // the newest first
		if u := one.Update; u != nil {
			if hash := u.Source.Commit.Hash; head == "" || hash == head {
				head, pushed = hash, u.Date
			} else {
				head = "-"
			}
		}
		for _, d := range []*did{one.Approval, one.Changes} {
			for n := range words {
				if d != nil && words[n].User == d.User.name() && words[n].ID == d.User.UUID && words[n].At.Before(d.Date) {
					words[n].At = d.Date
				}
			}
		}
	}
	if head != "-" {
		pushed = time.Time{}
	}
	return pushed, err
}

// Statuses implements [Checks].
func (b *bitbucket) Statuses(ctx context.Context, commit string) ([]Status, error) {
	type status struct {
		Key         string    `json:"key"`
		State       string    `json:"state"`
		Description string    `json:"description"`
		URL         string    `json:"url"`
		Updated     time.Time `json:"updated_on"`
	}
	all, err := bitbucketPages[status](ctx, b, "reading statuses", b.self+"/commit/"+commit+"/statuses")
	var found []Status
	for _, s := range all {
		found = append(found, Status{Context: s.Key, State: statusOf(s.State), Description: s.Description, URL: s.URL, At: s.Updated})
	}
	return found, err
}

// bitbucketStates are the words of both Bitbuckets.
var bitbucketStates = map[StatusState]string{StatusPending: "INPROGRESS", StatusSuccess: "SUCCESSFUL", StatusFailure: "FAILED"}

// buildStatus is what both Bitbuckets are sent. They want a URL.
func (w *wire) buildStatus(s Status) (map[string]any, error) {
	const longest = 40 // of Cloud
	if s.URL == "" {
		return nil, w.fail(call{op: "setting a status"}, 0, w.repository.Kind.String()+" wants a URL for a status", nil)
	}
	if w.repository.Kind == Bitbucket && len(s.Context) > longest {
		return nil, w.fail(call{op: "setting a status"}, 0, "the context of a status has at most 40 characters there: "+quote(s.Context), nil)
	}
	return map[string]any{"key": s.Context, "name": s.Context, "state": bitbucketStates[s.State], "url": s.URL, "description": s.Description}, nil
}

// SetStatus implements [Checks].
func (b *bitbucket) SetStatus(ctx context.Context, commit string, s Status) error {
	in, err := b.buildStatus(s)
	if err != nil {
		return err
	}
	return b.send(ctx, call{op: "setting a status", method: http.MethodPost, path: b.self + "/commit/" + commit + "/statuses/build", in: in, need: needStatus})
}
