package standing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/onforge"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/proposal"
	"github.com/kubepromote/kubepromote/promote/status"
)

// Proposals are the pull requests of promotions that are open.
type Proposals struct {
	session *cli.Session
	// others are those of which nobody can say whose they are.
	others []proposal.Pending
}

// AskProposals asks the forges of the environments that pull requests are opened for, and
// notes them in the statuses.
func AskProposals(ctx context.Context, s *cli.Session, w *cli.Workspace, statuses []status.Service) (*Proposals, error) {
	o := &Proposals{session: s}
	return o, o.ask(ctx, w, statuses)
}

// ByProposals tells whether any environment is delivered by pull requests.
func ByProposals(p *pipeline.Pipeline) bool {
	return slices.ContainsFunc(p.Spec.Environments, func(e pipeline.Environment) bool { return e.Deliver.Mode == pipeline.DeliverPullRequest })
}

func (o *Proposals) ask(ctx context.Context, w *cli.Workspace, statuses []status.Service) error {
	var asked []*pipeline.Environment
	for i := range w.Pipeline.Spec.Environments {
		e := &w.Pipeline.Spec.Environments[i]
		switch {
		case e.Deliver.Mode != pipeline.DeliverPullRequest:
		case e.EachService():
			for _, s := range statuses {
				one, err := w.Pipeline.Of(s.Service).Environment(e.Name)
				if err != nil {
					return err
				}
				asked = append(asked, one)
			}
		default:
			asked = append(asked, e)
		}
	}
	if len(asked) == 0 {
		return &promote.Error{Msg: "no environment is delivered by pull requests", Hint: "deliver: {mode: pullRequest} below an environment of " + pipeline.FileName}
	}
	type place struct {
		pipeline.Place
		remote, forge, url, fork string
	}
	done := make(map[place]bool)
	for _, e := range asked {
		at := place{e.Place(), e.Deliver.Remote, e.Deliver.Forge, e.Deliver.URL, e.Deliver.Fork}
		if done[at] {
			continue // one that was asked is asked about all environments
		}
		done[at] = true
		found, err := o.pendingOf(ctx, w, e)
		if unreached := (*pipeline.Unreached)(nil); errors.As(err, &unreached) {
			continue // which the board says
		}
		if err != nil {
			return err
		}
		o.take(found, statuses)
	}
	return nil
}

func (o *Proposals) pendingOf(ctx context.Context, w *cli.Workspace, e *pipeline.Environment) ([]proposal.Pending, error) {
	home, b, err := o.session.RemoteOf(ctx, w, e)
	if err != nil {
		return nil, err
	}
	heads, err := b.Heads(ctx, "promote/", "rollback/")
	if err != nil || len(heads) == 0 {
		return nil, err
	}
	f, err := onforge.Open(ctx, home, b, e.Deliver, cli.UserAgent())
	if err != nil {
		return nil, err
	}
	all, left, err := proposal.FindPending(ctx, f, b.Name(), heads)
	if left > 0 {
		o.session.Warn("%d more branches of promotions are there, and were not asked about", left)
	}
	return all, err
}

// take notes pull requests with the services that they are of.
func (o *Proposals) take(found []proposal.Pending, statuses []status.Service) {
	for _, p := range found {
		known := false
		for i := range statuses {
			for j := range statuses[i].Environments {
				e := &statuses[i].Environments[j]
				if e.Environment == p.Environment && slices.Contains(p.Services, statuses[i].Service) {
					e.Pending = append(e.Pending, status.Pending{Number: p.Number, URL: p.URL, Title: p.Title, Author: p.Author, Draft: p.Draft, Rollback: p.Rollback})
					known = true
				}
			}
		}
		if !known && len(p.Services) == 0 {
			o.others = append(o.others, p)
		}
	}
}

// Mark is that of what differs from where it is promoted from, or of what may.
func Mark(e status.Environment) string {
	switch {
	case e.Differs:
		return "*"
	case len(e.UnknownFrom) > 0:
		return "?"
	}
	return ""
}

// Numbers are those of pull requests, as forges write them.
func Numbers(all []status.Pending) string {
	var out []string
	for _, p := range all {
		out = append(out, fmt.Sprintf("#%d", p.Number))
	}
	return strings.Join(out, " ")
}

// Explain says below a board what its numbers are.
func (o *Proposals) Explain(shown []status.Service) {
	said := make(map[string]bool)
	say := func(number int, environment, author, title, url string, draft, rollback bool) {
		if said[url] || o.session.Quiet {
			return
		}
		said[url] = true
		what := "pull request"
		if rollback {
			what = "rollback"
		}
		if draft {
			what = "draft of a " + what
		}
		fmt.Fprintln(o.session.ErrOut, cli.Clean(fmt.Sprintf("#%d to %s: %s by %s: %s: %s", number, environment, what, cli.Dash(author), title, url)))
	}
	for _, st := range shown {
		for _, e := range st.Environments {
			for _, p := range e.Pending {
				say(p.Number, e.Environment, p.Author, p.Title, p.URL, p.Draft, p.Rollback)
			}
		}
	}
	for _, p := range o.others {
		say(p.Number, p.Environment, p.Author, p.Title, p.URL, p.Draft, p.Rollback)
	}
}
