package forge

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dataCenter speaks to Bitbucket Data Center, from 8.0 on:
// https://developer.atlassian.com/server/bitbucket/rest/.
type dataCenter struct {
	*wire
	builds string
}

func newDataCenter(w *wire) *dataCenter {
	w.self = "/api/latest/projects/" + escape(w.repository.Owner) + "/repos/" + escape(w.repository.Name)
	w.rest.Header.Set("X-Atlassian-Token", "no-check")
	return &dataCenter{wire: w, builds: "/build-status/latest/commits/"}
}

type dataCenterUser struct {
	Name string `json:"name"`
}

type dataCenterRef struct {
	ID           string `json:"id"`
	DisplayID    string `json:"displayId"`
	LatestCommit string `json:"latestCommit"`
	Repository   struct {
		Slug    string `json:"slug"`
		Project struct {
			Key string `json:"key"`
		} `json:"project"`
	} `json:"repository"`
}

func (r dataCenterRef) repository() string { return r.Repository.Project.Key + "/" + r.Repository.Slug }

func (r dataCenterRef) branch() string { return strings.TrimPrefix(r.ID, "refs/heads/") }

type dataCenterReviewer struct {
	User     dataCenterUser `json:"user"`
	Status   string         `json:"status,omitempty"`
	Reviewed string         `json:"lastReviewedCommit,omitempty"`
}

type dataCenterPull struct {
	ID          int           `json:"id"`
	Version     int           `json:"version"`
	Title       string        `json:"title"`
	Description string        `json:"description"`
	State       string        `json:"state"`
	Draft       bool          `json:"draft"`
	FromRef     dataCenterRef `json:"fromRef"`
	ToRef       dataCenterRef `json:"toRef"`
	Author      struct {
		User dataCenterUser `json:"user"`
	} `json:"author"`
	Reviewers  []dataCenterReviewer `json:"reviewers"`
	Properties struct {
		MergeCommit struct {
			ID string `json:"id"`
		} `json:"mergeCommit"`
		MergeResult struct {
			Outcome string `json:"outcome"`
			Current bool   `json:"current"`
		} `json:"mergeResult"`
	} `json:"properties"`
	Links struct {
		Self []struct {
			Href string `json:"href"`
		} `json:"self"`
	} `json:"links"`
}

func (p *dataCenterPull) pullRequest() *PullRequest {
	pr := &PullRequest{Number: p.ID, Title: p.Title, Body: unixLines(p.Description), Head: p.FromRef.branch(), HeadCommit: p.FromRef.LatestCommit,
		Base: p.ToRef.branch(), Author: p.Author.User.Name, Draft: p.Draft, State: StateClosed, Mergeable: Unknown, Into: p.ToRef.repository()}
	if len(p.Links.Self) > 0 {
		pr.URL = p.Links.Self[0].Href
	}
	switch p.State {
	case "OPEN":
		pr.State = StateOpen
	case "MERGED":
		pr.State, pr.MergeCommit = StateMerged, p.Properties.MergeCommit.ID
	}
	if result := p.Properties.MergeResult; result.Current {
		switch result.Outcome {
		case "CLEAN":
			pr.Mergeable = Yes
		case "CONFLICTED":
			pr.Mergeable = No
		}
	}
	return pr
}

func (d *dataCenter) pull(number int) string {
	return d.self + "/pull-requests/" + strconv.Itoa(number)
}

// dataCenterPages reads a list of all pages.
func dataCenterPages[T any](ctx context.Context, d *dataCenter, op, path string, pairs ...string) ([]T, error) {
	start := 0
	return pages(func(int) ([]T, bool, error) {
		var out struct {
			Values []T  `json:"values"`
			Last   bool `json:"isLastPage"`
			Next   int  `json:"nextPageStart"`
		}
		err := d.wire.get(ctx, op, path+query(append(pairs, "limit", "100", "start", strconv.Itoa(start))...), &out)
		more := !out.Last && out.Next > start
		start = out.Next
		return out.Values, more, err
	})
}

func (d *dataCenter) find(ctx context.Context, f FindRequest) ([]PullRequest, error) {
	direction, at := "OUTGOING", f.Head
	if f.any() || d.forked() && f.Base != "" {
		direction, at = "INCOMING", f.Base
	}
	found, err := dataCenterPages[dataCenterPull](ctx, d, "finding pull requests", d.self+"/pull-requests", "state", "OPEN", "direction", direction, "at", "refs/heads/"+at)
	// OUTGOING has those to other repositories as well.
	return those(found, func(p *dataCenterPull) bool { return f.any() || d.ours(p.FromRef.repository(), p.ToRef.repository()) }, (*dataCenterPull).pullRequest), err
}

// Carrying implements [Checks].
func (d *dataCenter) Carrying(ctx context.Context, commit, _ string) ([]PullRequest, error) {
	found, err := dataCenterPages[dataCenterPull](ctx, d, "finding the pull request of a commit", d.self+"/commits/"+commit+"/pull-requests")
	return all(found, (*dataCenterPull).pullRequest), err
}

func (d *dataCenter) look(ctx context.Context, number int) (*dataCenterPull, error) {
	var p dataCenterPull
	return &p, d.wire.get(ctx, "reading a pull request", d.pull(number), &p)
}

// get asks whether the branches merge, which the pull request itself says only of
// what was asked before.
func (d *dataCenter) get(ctx context.Context, number int) (*PullRequest, error) {
	p, err := d.look(ctx, number)
	if err != nil {
		return nil, err
	}
	pr := p.pullRequest()
	if pr.State != StateOpen {
		return pr, nil
	}
	var merge struct {
		Conflicted bool   `json:"conflicted"`
		Outcome    string `json:"outcome"`
	}
	if err := d.wire.get(ctx, "reading a pull request", d.pull(number)+"/merge", &merge); err != nil {
		return nil, err
	}
	switch {
	case merge.Conflicted:
		pr.Mergeable = No
	case merge.Outcome == "CLEAN":
		pr.Mergeable = Yes
	}
	return pr, nil
}

func (d *dataCenter) ref(branch string, in Repository) any {
	return map[string]any{"id": "refs/heads/" + branch, "repository": map[string]any{
		"slug": in.Name, "project": map[string]any{"key": in.Owner}}}
}

func (d *dataCenter) open(ctx context.Context, o OpenRequest) (*PullRequest, error) {
	in := map[string]any{"title": o.Title, "description": o.Body, "fromRef": d.ref(o.Head, d.heads), "toRef": d.ref(o.Base, d.repository)}
	if o.Draft {
		in["draft"] = true
	}
	var p dataCenterPull
	err := d.send(ctx, call{op: "opening a pull request", method: http.MethodPost, path: d.self + "/pull-requests", in: in, out: &p, need: needWrite})
	if err != nil {
		return nil, because(err, http.StatusConflict, map[string]error{"Only one pull request may be open": ErrExists, "already up-to-date": ErrNoChange})
	}
	return p.pullRequest(), nil
}

func (d *dataCenter) edit(ctx context.Context, pr *PullRequest, u UpdateRequest) (*PullRequest, error) {
	return d.put(ctx, "updating a pull request", pr.Number, func(p *dataCenterPull) {
		if u.Title != nil {
			p.Title = *u.Title
		}
		if u.Body != nil {
			p.Description = *u.Body
		}
	})
}

// put changes a pull request. What is not given is taken away, and the version must
// be the one that it has: where somebody was faster, it is read and changed anew.
func (d *dataCenter) put(ctx context.Context, op string, number int, change func(*dataCenterPull)) (*PullRequest, error) {
	const tries = 3
	for try := 1; ; try++ {
		p, err := d.look(ctx, number)
		if err != nil {
			return nil, err
		}
		change(p)
		reviewers := make([]any, 0, len(p.Reviewers))
		for _, r := range p.Reviewers {
			reviewers = append(reviewers, map[string]any{"user": r.User})
		}
		in := map[string]any{"version": p.Version, "title": p.Title, "description": p.Description, "reviewers": reviewers}
		var out dataCenterPull
		err = d.send(ctx, call{op: op, method: http.MethodPut, path: d.pull(number), in: in, out: &out, need: needWrite})
		if err == nil {
			return out.pullRequest(), nil
		}
		if !outOfDate(err) || try == tries {
			return nil, err
		}
	}
}

func outOfDate(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusConflict && strings.Contains(e.Msg, "out-of-date")
}

func (d *dataCenter) decorate(ctx context.Context, pr *PullRequest, _, reviewers []string) error {
	_, err := d.put(ctx, "asking for reviews", pr.Number, func(p *dataCenterPull) {
		for _, name := range reviewers {
			if !slices.ContainsFunc(p.Reviewers, func(r dataCenterReviewer) bool { return r.User.Name == name }) {
				p.Reviewers = append(p.Reviewers, dataCenterReviewer{User: dataCenterUser{Name: name}})
			}
		}
	})
	return err
}

func (d *dataCenter) comment(ctx context.Context, number int, text string) error {
	return d.send(ctx, call{op: "commenting on a pull request", method: http.MethodPost, path: d.pull(number) + "/comments", in: map[string]any{"text": text}, need: needWrite})
}

func (d *dataCenter) shut(ctx context.Context, pr *PullRequest) error {
	p, err := d.look(ctx, pr.Number)
	if err != nil {
		return err
	}
	path := d.pull(pr.Number) + "/decline" + query("version", strconv.Itoa(p.Version))
	return d.send(ctx, call{op: "declining a pull request", method: http.MethodPost, path: path, in: map[string]any{"version": p.Version}, need: needWrite})
}

// merge is guarded by the version, which is read together with the head: each push
// and each edit counts it up.
func (d *dataCenter) merge(ctx context.Context, pr *PullRequest, m MergeRequest) (MergeResult, error) {
	p, err := d.look(ctx, pr.Number)
	if err != nil {
		return MergeResult{}, err
	}
	if !strings.EqualFold(p.FromRef.LatestCommit, m.Head) {
		return MergeResult{}, d.headMoved(p.pullRequest(), m)
	}
	in := map[string]any{"version": p.Version}
	strategies := map[Method]string{MethodMerge: "no-ff", MethodSquash: "squash", MethodRebase: "rebase-ff-only", MethodFastForward: "ff-only"}
	if s := strategies[m.Method]; s != "" {
		in["strategyId"] = s
	}
	if text := joined(m); text != "" {
		in["message"] = text
	}
	if m.AutoMerge {
		in["autoMerge"] = true
	}
	var out dataCenterPull
	path := d.pull(pr.Number) + "/merge" + query("version", strconv.Itoa(p.Version))
	err = d.send(ctx, call{op: opMerge, method: http.MethodPost, path: path, in: in, out: &out, need: needMerge})
	if err == nil {
		done := out.pullRequest()
		return MergeResult{Merged: done.State == StateMerged, Commit: done.MergeCommit}, nil
	}
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusConflict {
		if outOfDate(err) {
			e.Err = ErrBaseModified
			return MergeResult{}, &again{e}
		}
		e.Err = ErrNotMergeable
	}
	return MergeResult{}, err
}

// Reviews implements [Checks].
func (d *dataCenter) Reviews(ctx context.Context, number int) ([]Review, error) {
	p, err := d.look(ctx, number)
	if err != nil {
		return nil, err
	}
	var words []Review
	for _, r := range p.Reviewers {
		word := Review{User: r.User.Name, Commit: r.Reviewed, Stale: r.Reviewed != "" && r.Reviewed != p.FromRef.LatestCommit}
		switch r.Status {
		case "APPROVED":
			word.State = ReviewApproved
		case "NEEDS_WORK":
			word.State = ReviewChangesRequested
		default:
			continue
		}
		words = append(words, word)
	}
	return words, nil
}

// Statuses implements [Checks].
func (d *dataCenter) Statuses(ctx context.Context, commit string) ([]Status, error) {
	type status struct {
		Key         string `json:"key"`
		State       string `json:"state"`
		Description string `json:"description"`
		URL         string `json:"url"`
		Added       int64  `json:"dateAdded"`
	}
	all, err := dataCenterPages[status](ctx, d, "reading statuses", d.builds+commit)
	var found []Status
	for _, s := range all {
		found = append(found, Status{Context: s.Key, State: statusOf(s.State), Description: s.Description, URL: s.URL, At: time.UnixMilli(s.Added).UTC()})
	}
	return found, err
}

// SetStatus implements [Checks].
func (d *dataCenter) SetStatus(ctx context.Context, commit string, s Status) error {
	in, err := d.buildStatus(s)
	if err != nil {
		return err
	}
	return d.send(ctx, call{op: "setting a status", method: http.MethodPost, path: d.self + "/commits/" + commit + "/builds", in: in, need: needStatus})
}
