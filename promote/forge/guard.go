package forge

import (
	"context"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote/forge/internal/address"
	"github.com/kubepromote/kubepromote/promote/forge/internal/body"
	"github.com/kubepromote/kubepromote/promote/forge/internal/lists"
)

// remote is what each kind of forge does in its own way. What is the same for all
// stands in guard.
type remote interface {
	Checks
	Teams
	find(ctx context.Context, f FindRequest) ([]PullRequest, error)
	get(ctx context.Context, number int) (*PullRequest, error)
	// open opens a pull request without labels and reviewers, if it cannot set them
	// in the same request; the rest is done by decorate.
	open(ctx context.Context, o OpenRequest) (*PullRequest, error)
	// edit changes title and body, which may both be nil.
	edit(ctx context.Context, pr *PullRequest, u UpdateRequest) (*PullRequest, error)
	// decorate adds labels and reviewers.
	decorate(ctx context.Context, pr *PullRequest, labels, reviewers []string) error
	comment(ctx context.Context, number int, text string) error
	shut(ctx context.Context, pr *PullRequest) error
	// merge asks once. errAgain means that another try may go well.
	merge(ctx context.Context, pr *PullRequest, m MergeRequest) (MergeResult, error)
}

// guard checks what is asked, brings it into the forge's bounds, and tries again
// where that is of use.
type guard struct {
	wire   *wire
	remote remote
}

// again marks a refusal that another try may overcome: the base moved, or the forge
// has not yet looked whether the branches merge.
type again struct{ err *Error }

// Error is that of the refusal.
func (a *again) Error() string { return a.err.Error() }

// Unwrap gives the refusal.
func (a *again) Unwrap() error { return a.err }

const (
	// mergeTries bounds how often one merge is asked for. The patience is used up before
	// where it is the usual one.
	mergeTries = 15
	// longestWait is the most between two tries.
	longestWait = 5 * time.Second
)

func (g *guard) usage(msg string) error { return &Error{Op: g.wire.repository.Host(), Msg: msg} }

// Find is that of [Forge].
func (g *guard) Find(ctx context.Context, f FindRequest) ([]PullRequest, error) {
	if why := address.WrongBranch(f.Head); why != "" && (!f.any() || f.Base == "") {
		return nil, g.usage("the head branch " + why)
	}
	if why := address.WrongBranch(f.Base); why != "" && f.Base != "" {
		return nil, g.usage("the base branch " + why)
	}
	found, err := g.remote.find(ctx, f)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(pr PullRequest) bool {
		return !f.any() && pr.Head != f.Head || f.Base != "" && pr.Base != f.Base || pr.State != StateOpen
	})
	slices.SortFunc(found, func(a, b PullRequest) int { return a.Number - b.Number })
	return found, nil
}

// Get is that of [Forge].
func (g *guard) Get(ctx context.Context, number int) (*PullRequest, error) {
	return g.remote.get(ctx, number)
}

// Open is that of [Forge].
func (g *guard) Open(ctx context.Context, o OpenRequest) (*PullRequest, error) {
	if err := g.wire.repository.Kind.Unsupported(o, MergeRequest{}); err != nil {
		return nil, err
	}
	for _, branch := range []struct{ what, name string }{{"head", o.Head}, {"base", o.Base}} {
		if why := address.WrongBranch(branch.name); why != "" {
			return nil, g.usage("the " + branch.what + " branch " + why)
		}
	}
	o.Title, o.Body = body.Title(o.Title), g.wire.repository.Kind.FitBody(o.Body, "")
	o.Labels, o.Reviewers = lists.Names(o.Labels, false), lists.Names(o.Reviewers, true)
	if o.Title == "" {
		return nil, g.usage("a pull request needs a title")
	}
	pr, err := g.remote.open(ctx, o)
	if err != nil {
		return nil, err
	}
	return pr, g.decorate(ctx, pr, o.Labels, o.Reviewers)
}

func (g *guard) decorate(ctx context.Context, pr *PullRequest, labels, reviewers []string) error {
	reviewers = slices.DeleteFunc(reviewers, func(name string) bool { return strings.EqualFold(name, pr.Author) })
	labels = slices.DeleteFunc(labels, func(name string) bool { return slices.Contains(pr.Labels, name) })
	if len(labels) == 0 && len(reviewers) == 0 {
		return nil
	}
	return g.remote.decorate(ctx, pr, labels, reviewers)
}

// Update is that of [Forge].
func (g *guard) Update(ctx context.Context, number int, u UpdateRequest) (*PullRequest, error) {
	if err := g.wire.repository.Kind.Unsupported(OpenRequest{Labels: u.Labels}, MergeRequest{}); err != nil {
		return nil, err
	}
	if u.Title != nil {
		title := body.Title(*u.Title)
		if title == "" {
			return nil, g.usage("a pull request needs a title")
		}
		u.Title = &title
	}
	if u.Body != nil {
		text := g.wire.repository.Kind.FitBody(*u.Body, "")
		u.Body = &text
	}
	pr, err := g.remote.get(ctx, number)
	if err != nil {
		return nil, err
	}
	if u.Title != nil || u.Body != nil {
		if pr, err = g.remote.edit(ctx, pr, u); err != nil {
			return nil, err
		}
	}
	return pr, g.decorate(ctx, pr, lists.Names(u.Labels, false), lists.Names(u.Reviewers, true))
}

// Close is that of [Forge].
func (g *guard) Close(ctx context.Context, number int, comment string) error {
	pr, err := g.remote.get(ctx, number)
	switch {
	case err != nil:
		return err
	case pr.State == StateMerged:
		return &Error{Op: g.wire.repository.Host() + ": closing a pull request", Msg: pr.URL + " is merged", Err: ErrNotMergeable}
	case pr.State == StateClosed:
		return nil
	}
	if comment = g.wire.repository.Kind.FitBody(comment, ""); comment != "" {
		if err := g.remote.comment(ctx, number, comment); err != nil {
			return err
		}
	}
	return g.remote.shut(ctx, pr)
}

// Merge is that of [Forge].
func (g *guard) Merge(ctx context.Context, number int, m MergeRequest) (MergeResult, error) {
	if err := g.wire.repository.Kind.Unsupported(OpenRequest{}, m); err != nil {
		return MergeResult{}, err
	}
	if raw, err := hex.DecodeString(m.Head); err != nil || len(raw) != 20 && len(raw) != 32 {
		return MergeResult{}, g.usage("the head to merge is no commit: " + quote(m.Head))
	}
	m.Title, m.Message = body.Title(m.Title), g.wire.repository.Kind.inert(m.Message)
	waited := time.Duration(0)
	for try := 0; ; try++ {
		pr, err := g.remote.get(ctx, number)
		if err != nil {
			return MergeResult{}, err
		}
		if result, done, err := g.settled(pr, m); done || err != nil {
			return result, err
		}
		result, err := g.remote.merge(ctx, pr, m)
		result.Tries = try + 1
		var more *again
		if !errors.As(err, &more) {
			return result, err
		}
		// Those who wait for the same base must not come again all at once.
		wait := min(time.Second<<try, longestWait)
		wait += rand.N(wait / 2)
		if try+1 == mergeTries || waited+wait > g.wire.rest.Patience {
			return result, more.err
		}
		waited += wait
		if err := g.wire.wait(ctx, call{op: opMerge}, wait); err != nil {
			return result, err
		}
	}
}

const opMerge = "merging a pull request"

// settled says what needs no merging any more, or must not be merged.
func (g *guard) settled(pr *PullRequest, m MergeRequest) (MergeResult, bool, error) {
	c := call{op: opMerge}
	const fewest = 12 // digits, which is what Bitbucket Cloud gives
	same := len(pr.HeadCommit) >= fewest && strings.HasPrefix(strings.ToLower(m.Head), strings.ToLower(pr.HeadCommit))
	switch {
	case pr.State == StateClosed:
		return MergeResult{}, false, g.wire.fail(c, 0, pr.URL+" is closed", ErrNotMergeable)
	case !same:
		return MergeResult{}, false, g.wire.headMoved(pr, m)
	case pr.State == StateMerged:
		return MergeResult{Merged: true, Commit: pr.MergeCommit}, true, nil
	}
	return MergeResult{}, false, nil
}

func (w *wire) headMoved(pr *PullRequest, m MergeRequest) *Error {
	return w.fail(call{op: opMerge}, http.StatusConflict, pr.URL+" has the head "+short(pr.HeadCommit)+", not "+short(m.Head)+", which was looked at", ErrHeadMoved).
		hinted("look at the new commits, and merge again")
}

func short(commit string) string { return commit[:min(len(commit), 12)] }

// Reviews is that of [Checks].
func (g *guard) Reviews(ctx context.Context, number int) ([]Review, error) {
	return g.remote.Reviews(ctx, number)
}

// Members is that of [Teams].
func (g *guard) Members(ctx context.Context, team string) ([]string, error) {
	if team = lists.Bare(team); team == "" || strings.ContainsAny(team, "\x00\r\n") {
		return nil, g.usage("no team is given")
	}
	return g.remote.Members(ctx, team)
}

// Statuses is that of [Checks].
func (g *guard) Statuses(ctx context.Context, commit string) ([]Status, error) {
	if _, err := hex.DecodeString(commit); err != nil || commit == "" {
		return nil, g.usage("this is no commit: " + quote(commit))
	}
	return g.remote.Statuses(ctx, commit)
}

// Carrying is that of [Checks].
func (g *guard) Carrying(ctx context.Context, commit, base string) ([]PullRequest, error) {
	if _, err := hex.DecodeString(commit); err != nil || commit == "" {
		return nil, g.usage("this is no commit: " + quote(commit))
	}
	if why := address.WrongBranch(base); why != "" {
		return nil, g.usage("the base branch " + why)
	}
	found, err := g.remote.Carrying(ctx, commit, base)
	if errors.Is(err, ErrNotFound) { // a commit that the forge has not got
		return nil, nil
	}
	found = slices.DeleteFunc(found, func(pr PullRequest) bool { return pr.Base != base || pr.State != StateMerged })
	mine := slices.DeleteFunc(slices.Clone(found), func(pr PullRequest) bool { return !g.wire.mine(pr) })
	if err == nil && len(mine) == 0 && len(found) > 0 {
		self := g.wire.repository.Owner + "/" + g.wire.repository.Name
		err = g.wire.fail(call{op: "finding the pull request of a commit"}, 0, found[0].URL+" is for "+found[0].Into+" and not for "+self, nil).
			hinted("if " + self + " is called so now: git remote set-url REMOTE URL")
	}
	return mine, err
}

// mine tells whether a pull request is for this repository, and not for one that has the
// same commit, such as a fork.
func (w *wire) mine(pr PullRequest) bool {
	return pr.Into == "" || strings.EqualFold(pr.Into, w.repository.Owner+"/"+w.repository.Name)
}

// all makes pull requests of what a forge has.
func all[T any](found []T, one func(*T) *PullRequest) []PullRequest {
	return those(found, func(*T) bool { return true }, one)
}

// those makes pull requests of some of what a forge has.
func those[T any](found []T, which func(*T) bool, one func(*T) *PullRequest) []PullRequest {
	var out []PullRequest
	for n := range found {
		if which(&found[n]) {
			out = append(out, *one(&found[n]))
		}
	}
	return out
}

// SetStatus is that of [Checks].
func (g *guard) SetStatus(ctx context.Context, commit string, s Status) error {
	if _, err := hex.DecodeString(commit); err != nil || commit == "" {
		return g.usage("this is no commit: " + quote(commit))
	}
	if s.Context == "" || s.State != StatusPending && s.State != StatusSuccess && s.State != StatusFailure {
		return g.usage("a status needs a context, and one of the states pending, success and failure")
	}
	const most = 140 // of GitHub; the others take 255
	if r := []rune(body.Title(s.Description)); len(r) > most {
		s.Description = string(r[:most-1]) + "…"
	}
	return g.remote.SetStatus(ctx, commit, s)
}
