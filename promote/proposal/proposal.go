// Package proposal keeps the pull request of a promotion: one for each environment and
// set of services, opened once and brought up to date by each later run.
//
// [Body] is what people read: the plan with its images, verdicts, warnings and diff, and
// the record at the end. What comes from files, registries and servers cannot write
// Markdown of its own in it. [Publish] opens the pull request of a branch that the
// promotion's commit has been pushed to, or changes the one that is open, and leaves it
// to the forge to merge it where the pipeline says so. [Supersede] closes those that
// another one has all of, and [Withdraw] one that has nothing left to say.
package proposal

import (
	"context"
	"errors"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
)

// Options say how pull requests are opened.
type Options struct {
	// Kind is the forge's: it knows how long a body may be.
	Kind forge.Kind
	// Labels and Reviewers are those of a pull request that is opened.
	Labels, Reviewers []string
	Draft             bool
	// AutoMerge leaves it to the forge to merge, once all gates have said yes and the
	// forge's own rules are met.
	AutoMerge bool
	// Rendered is what changes in the objects that are applied, where that was rendered.
	Rendered []Rendered
}

// What has become of a pull request.
const (
	Opened    = "opened"
	Updated   = "updated"
	Unchanged = "unchanged"
	Closed    = "closed"
)

// Result is a pull request and what has become of it.
type Result struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
	State  string `json:"state"`
	// Merged tells that the forge has merged it, AutoMerge that it will.
	Merged    bool `json:"merged,omitempty"`
	AutoMerge bool `json:"autoMerge,omitempty"`
	// Superseded are those that were closed as this one has all of them.
	Superseded []Superseded `json:"superseded,omitempty"`
	// Warning is what could not be done beside it, such as asking a reviewer.
	Warning string `json:"warning,omitempty"`
}

// Publish opens the pull request for a commit on the plan's branch, or brings the open
// one up to date.
func Publish(ctx context.Context, f forge.Forge, plan *promote.Plan, commit string, o Options) (*Result, error) {
	title, body := plan.Subject(), o.Kind.FitBody(Body(plan, o.Rendered))
	there, err := f.Find(ctx, forge.FindRequest{Head: plan.Proposal(), Base: plan.Branch})
	if err != nil {
		return nil, err
	}
	var r *Result
	if len(there) > 0 {
		if there[0].HeadCommit == commit { // which stands, as it was planned then
			body = withSources(body, there[0].Body)
		}
		r, err = update(ctx, f, there[0], title, body)
	} else {
		r, err = open(ctx, f, plan, title, body, o)
	}
	if err != nil || !o.AutoMerge || plan.Answer != promote.Pass {
		return r, err
	}
	merged, err := f.Merge(ctx, r.Number, forge.MergeRequest{Head: commit, AutoMerge: true})
	switch {
	case errors.Is(err, forge.ErrNotMergeable), errors.Is(err, forge.ErrUnsupported), errors.Is(err, forge.ErrNotAllowed):
		r.Warning = err.Error()
	case err != nil:
		return r, err
	}
	r.Merged, r.AutoMerge = merged.Merged, err == nil && !merged.Merged
	return r, nil
}

func open(ctx context.Context, f forge.Forge, plan *promote.Plan, title, body string, o Options) (*Result, error) {
	request := forge.OpenRequest{Head: plan.Proposal(), Base: plan.Branch, Title: title, Body: body, Labels: o.Labels, Reviewers: o.Reviewers, Draft: o.Draft}
	opened, err := f.Open(ctx, request)
	switch {
	case opened != nil && err != nil: // labels or reviewers
		return &Result{Number: opened.Number, URL: opened.URL, State: Opened, Warning: err.Error()}, nil
	case errors.Is(err, forge.ErrExists): // another run was faster
		there, ferr := f.Find(ctx, forge.FindRequest{Head: request.Head, Base: request.Base})
		if ferr != nil || len(there) == 0 {
			return nil, errors.Join(err, ferr)
		}
		return update(ctx, f, there[0], title, body)
	case err != nil:
		return nil, err
	}
	return &Result{Number: opened.Number, URL: opened.URL, State: Opened}, nil
}

func update(ctx context.Context, f forge.Forge, there forge.PullRequest, title, body string) (*Result, error) {
	r := &Result{Number: there.Number, URL: there.URL, State: Unchanged}
	if sameText(there.Title, title) && sameText(there.Body, body) {
		return r, nil
	}
	r.State = Updated
	_, err := f.Update(ctx, there.Number, forge.UpdateRequest{Title: &title, Body: &body})
	return r, err
}

// Withdraw closes the open pull request of a plan that would change nothing any more. It
// gives nil where none is open.
func Withdraw(ctx context.Context, f forge.Forge, plan *promote.Plan) (*Result, error) {
	there, err := f.Find(ctx, forge.FindRequest{Head: plan.Proposal(), Base: plan.Branch})
	if err != nil || len(there) == 0 {
		return nil, err
	}
	err = f.Close(ctx, there[0].Number, "There is nothing left to promote: "+plan.To+" has it already.")
	return &Result{Number: there[0].Number, URL: there[0].URL, State: Closed}, err
}
