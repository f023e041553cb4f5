package review

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/internal/location"
	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// status is the gate commitStatus.
type status struct {
	g    *Gates
	cfg  *pipeline.CommitStatusGate
	asks asks
}

func (s *status) check(ctx context.Context, q promote.GateRequest) promote.Verdict {
	f, err := s.asks.forge(ctx, q.To)
	if err != nil {
		return untold("", err)
	}
	commits, v := s.commits(ctx, f, q)
	if v != nil {
		return *v
	}
	var all []checked
	for _, glob := range s.cfg.Contexts {
		glob = location.Fill(glob, location.Holes{location.Service: q.Service, location.Environment: q.To, "from": q.From})
		for _, alike := range commits {
			one := checked{context: glob, commit: alike[0]}
			for _, commit := range alike { // the first that has one counts
				statuses, err := once(&s.asks, "statuses "+commit, func() ([]forge.Status, error) { return f.Statuses(ctx, commit) })
				if err != nil {
					return untold("", err)
				}
				if one.take(commit, statuses) {
					break
				}
			}
			all = append(all, one)
		}
	}
	return s.verdict(all)
}

// checked is what is asked for, and what is there of it.
type checked struct {
	context, commit string
	found           []forge.Status
}

// take takes what a commit has of it, and tells whether that is anything.
func (c *checked) take(commit string, all []forge.Status) bool {
	for _, one := range all {
		if ok, _ := path.Match(c.context, one.Context); ok || one.Context == c.context {
			c.commit, c.found = commit, append(c.found, one)
		}
	}
	return len(c.found) > 0
}

// commits are those whose checks are asked for: all of them, each with others that may
// have the checks in its place.
func (s *status) commits(ctx context.Context, f *Forge, q promote.GateRequest) ([][]string, *promote.Verdict) {
	fail := func(v promote.Verdict) ([][]string, *promote.Verdict) { return nil, &v }
	switch s.cfg.On {
	case pipeline.OnHead:
		if len(q.Heads) > 0 {
			return [][]string{q.Heads}, nil
		}
		return [][]string{{q.Head}}, nil
	case pipeline.OnPullRequest:
		pr, v := s.asks.pull(ctx, f, q)
		if v != nil {
			return nil, v
		}
		return [][]string{{pr.HeadCommit}}, nil
	}
	if s.g.History == nil {
		return fail(say(promote.Unknown, "there is no history to read"))
	}
	var out [][]string
	seen := make(map[string]bool)
	for _, i := range q.Images {
		commit, err := s.g.History.Brought(ctx, q, q.From, i.New)
		if err != nil {
			return fail(untold("the history of "+q.From+": ", err))
		}
		if commit == "" {
			return fail(say(promote.Fail, "image %q: %s does not have %s", i.Name, q.From, i.New.Short()))
		}
		if seen[commit] {
			continue
		}
		seen[commit] = true
		alike := []string{commit}
		// Whoever deploys reports on the newest commit that it finds, and may have passed
		// over the one that brought it.
		if q.Head != "" && q.Head != commit {
			alike = append(alike, q.Head)
		}
		out = append(out, alike)
	}
	if len(out) == 0 {
		return fail(say(promote.Unknown, "no image would change, and of nothing else it is known which commit has brought it"))
	}
	return out, nil
}

func (s *status) verdict(all []checked) promote.Verdict {
	missing := promote.Wait
	if s.cfg.Missing == pipeline.MissingUnknown {
		missing = promote.Unknown
	}
	var answers []promote.Answer
	var reasons []string
	url := ""
	for _, c := range all {
		if len(c.found) == 0 {
			answers, reasons = append(answers, missing), append(reasons, fmt.Sprintf("%s is not there on commit %.9s", c.context, c.commit))
		}
		for _, one := range c.found {
			word := map[forge.StatusState]string{forge.StatusPending: "is still running", forge.StatusFailure: "has failed", forge.StatusSuccess: "is good"}[one.State]
			answer := map[forge.StatusState]promote.Answer{forge.StatusPending: promote.Wait, forge.StatusFailure: promote.Fail, forge.StatusSuccess: promote.Pass}[one.State]
			said := fmt.Sprintf("%s %s on commit %.9s", fault.OneLine(one.Context), cmp.Or(word, "has said nothing"), c.commit)
			if one.Description != "" && answer != promote.Pass {
				said += ": " + fault.OneLine(one.Description)
			}
			answers, reasons = append(answers, answer), append(reasons, said)
			if answer != promote.Pass && url == "" && strings.HasPrefix(one.URL, "https://") {
				url = fault.OneLine(one.URL)
			}
		}
	}
	worst := promote.Worst(answers...)
	var said []string
	for n, a := range answers {
		if a == worst && !slices.Contains(said, reasons[n]) {
			said = append(said, reasons[n])
		}
	}
	const most = 5
	if more := len(said) - most; more > 0 {
		said = append(said[:most], fmt.Sprintf("and %d more", more))
	}
	v := say(worst, "%s", strings.Join(said, "; "))
	if worst != promote.Pass {
		v.Hint = url
	}
	return v
}
