package promotecmd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/shell"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/proposal"
	"github.com/kubepromote/kubepromote/promote/waves"
)

// merges is the health of what pull requests bring: they have to be merged first.
type merges struct {
	next waves.Health
	open []awaited
}

// awaited is a pull request that is not known to be merged yet.
type awaited struct {
	environment string
	services    []string
	forge       forge.Forge
	request     *proposal.Result
	// merged is told the commit that it has become.
	merged func(commit string) error
	// said is what was said of it last, and when, where several services ask.
	said  promote.Verdict
	asked time.Time
}

func (m *merges) add(plan *promote.Plan, f forge.Forge, pr *proposal.Result, merged func(string) error) {
	one := awaited{environment: plan.To, forge: f, request: pr, merged: merged}
	for _, s := range plan.Services {
		one.services = append(one.services, s.Service)
	}
	m.open = append(m.open, one)
}

// Health implements [waves.Health].
func (m *merges) Health(ctx context.Context, services []string, environment string) promote.Verdict {
	for n, one := range m.open {
		if one.environment != environment || !slices.ContainsFunc(one.services, func(s string) bool { return slices.Contains(services, s) }) {
			continue
		}
		if v := one.verdict(ctx); v.Answer != promote.Pass {
			return v
		}
		m.open = slices.Delete(m.open, n, n+1)
		break
	}
	return m.next.Health(ctx, services, environment)
}

func (a awaited) verdict(ctx context.Context) promote.Verdict {
	pr, err := a.forge.Get(ctx, a.request.Number)
	if err == nil && pr.State == forge.StateMerged {
		err = a.merged(pr.MergeCommit)
	}
	switch {
	case err != nil:
		text, _, _ := strings.Cut(err.Error(), "\n")
		return promote.Verdict{Answer: promote.Unknown, Reason: fmt.Sprintf("pull request %d: %s", a.request.Number, text)}
	case pr.State == forge.StateMerged:
		a.request.Merged = true
		return promote.Verdict{Answer: promote.Pass}
	case pr.State == forge.StateClosed:
		return promote.Verdict{Answer: promote.Fail, Reason: fmt.Sprintf("pull request %d was closed", pr.Number), Hint: a.another()}
	}
	return promote.Verdict{Answer: promote.Wait, Reason: fmt.Sprintf("pull request %d is not merged yet", pr.Number), Hint: "merge " + pr.URL}
}

// another is the command that opens another one.
func (a awaited) another() string {
	const named = 5
	words := []string{"--all"}
	if len(a.services) <= named {
		words = nil
		for _, s := range a.services {
			words = append(words, shell.Quote(s))
		}
	}
	return "kubectl promote " + strings.Join(words, " ") + " --to " + shell.Quote(a.environment) + " --pr"
}

// again is verdict, asked once at each moment.
func (a *awaited) again(ctx context.Context, now time.Time) promote.Verdict {
	if a.said.Answer != promote.Pass && a.asked != now {
		a.said, a.asked = a.verdict(ctx), now
	}
	return a.said
}

// merged tells whether there is nothing left to be merged before health is asked for.
func (p *patient) merged() bool { return p.request == nil }

// becomes is the commit that a pull request has become. Where the forge does not say, it is taken
// for the newest one, which is at hand of a branch at home alone.
func becomes(w *cli.Workspace, plan *promote.Plan, commit string) (string, error) {
	if commit != "" {
		return commit, nil
	}
	e, err := w.Pipeline.Environment(plan.To)
	if err == nil && e.Elsewhere() {
		err = &promote.Error{Msg: "the forge does not say which commit it has become on " + e.Place().String()}
	}
	if err != nil {
		return "", err
	}
	return w.Branch.Tip(), nil
}

// awaitMerge has services followed from the merge of their pull request on, as the commit
// that it has become.
func (o *options) awaitMerge(ctx context.Context, w *cli.Workspace, plan *promote.Plan, pr *proposal.Result, services []*patient) {
	one := &awaited{environment: plan.To, forge: o.forgeOf(w, plan), request: pr}
	one.merged = func(commit string) error {
		if err := o.session.Again(ctx, w); err != nil { // which has the commit now
			return err
		}
		commit, err := becomes(w, plan, commit)
		if err != nil {
			return err
		}
		for _, p := range services {
			p.commit, p.question.Head, p.until = commit, commit, o.clock.Now().Add(p.span)
		}
		return nil
	}
	for _, p := range services {
		p.request = one
	}
	if s := o.session; len(services) > 0 && !s.Quiet {
		fmt.Fprintf(s.ErrOut, "%s is followed once pull request %d is merged\n", cli.Clean(plan.To), pr.Number)
	}
}
