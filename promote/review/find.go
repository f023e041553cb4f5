package review

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/forge"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/promote/record"
)

// pull is the open pull request that brings what is asked about. Where there is none, the
// verdict says so.
func (a *asks) pull(ctx context.Context, f *Forge, q promote.GateRequest) (*forge.PullRequest, *promote.Verdict) {
	if len(q.Heads) > 0 {
		return a.checked(ctx, f, q)
	}
	branch := promote.ProposalBranch(q.To, q.Services)
	key := "branch " + q.To + " " + branch
	found, err := once(a, key, func() ([]forge.PullRequest, error) {
		return f.Find(ctx, forge.FindRequest{Head: branch, Base: f.Base})
	})
	if err == nil && len(found) == 0 { // it may be one of other services beside
		found, err = a.recorded(ctx, f, q)
	}
	if err != nil {
		v := untold("", err)
		return nil, &v
	}
	if len(found) == 0 {
		v := say(promote.Wait, "there is no open pull request for it yet")
		v.Advice = promote.Advice{Do: promote.DoPropose, With: map[string]string{"service": q.Service, "to": q.To}}
		return nil, &v
	}
	var failed *promote.Verdict
	for n := range found {
		pr := &found[n]
		brings, err := a.brings(ctx, pr, q)
		if err != nil && failed == nil { // such as one of a fork, which anybody opens: another may bring it
			v := untold(number(pr)+": ", err)
			failed = &v
		}
		if err == nil && brings {
			return pr, nil
		}
	}
	if failed != nil {
		return nil, failed
	}
	v := say(promote.Wait, "%s brings something else than is to be promoted now", number(&found[0]))
	v.Advice = promote.Advice{Do: promote.DoPropose, With: map[string]string{"service": q.Service, "to": q.To}}
	return nil, &v
}

// all are the open pull requests into the base.
func (a *asks) all(ctx context.Context, f *Forge) ([]forge.PullRequest, error) {
	return once(a, "all "+f.Base, func() ([]forge.PullRequest, error) { return f.Find(ctx, forge.FindRequest{Base: f.Base}) })
}

// recorded finds pull requests whose text has the record of the service's promotion. That
// it is so, their files tell: anybody can write a text.
func (a *asks) recorded(ctx context.Context, f *Forge, q promote.GateRequest) ([]forge.PullRequest, error) {
	all, err := a.all(ctx, f)
	return slices.DeleteFunc(slices.Clone(all), func(pr forge.PullRequest) bool {
		return !slices.ContainsFunc(record.Parse(pr.Body), func(t record.Trailers) bool { return t.Service == q.Service && t.To == q.To })
	}), err
}

// checked is the pull request that ends with the change at hand, whoever has made it.
func (a *asks) checked(ctx context.Context, f *Forge, q promote.GateRequest) (*forge.PullRequest, *promote.Verdict) {
	all, err := a.all(ctx, f)
	if err != nil {
		v := untold("", err)
		return nil, &v
	}
	const fewest = 12 // digits, which is what Bitbucket Cloud gives
	for n := range all {
		at := strings.ToLower(all[n].HeadCommit)
		if len(at) >= fewest && slices.ContainsFunc(q.Heads, func(head string) bool { return strings.HasPrefix(head, at) }) {
			return &all[n], nil
		}
	}
	pr, err := a.carrying(ctx, f, q)
	if err == nil && pr != nil {
		return pr, nil
	}
	if err != nil {
		v := untold("", err)
		return nil, &v
	}
	v := say(promote.Wait, "no pull request into %s ends with commit %.9s, or has brought it", f.Base, q.Heads[0])
	v.Hint = "open one"
	return nil, &v
}

// carrying is the pull request that a commit came from which is merged already, or which a
// queue is about to merge as another commit. Either has to bring just what is judged: what
// was approved is the end of the pull request, and not what became of it on the way.
func (a *asks) carrying(ctx context.Context, f *Forge, q promote.GateRequest) (*forge.PullRequest, error) {
	var found []forge.PullRequest
	if a.g.Number > 0 {
		pr, err := once(a, fmt.Sprintf("get %d", a.g.Number), func() (*forge.PullRequest, error) { return f.Get(ctx, a.g.Number) })
		if err != nil {
			return nil, err
		}
		if pr.State == forge.StateOpen && pr.Base == f.Base {
			found = append(found, *pr)
		}
	}
	heads := slices.Clone(q.Heads)
	if a.g.Line != nil {
		line, err := once(a, "line "+q.Base+" "+q.Heads[0], func() ([]string, error) { return a.g.Line(ctx, q) })
		if err != nil {
			return nil, err
		}
		heads = append(heads, line...)
	}
	slices.Sort(heads)
	for _, head := range slices.Compact(heads) {
		some, err := once(a, "carrying "+f.Base+" "+head, func() ([]forge.PullRequest, error) { return f.Carrying(ctx, head, f.Base) })
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	slices.SortFunc(found, func(a, b forge.PullRequest) int { return b.Number - a.Number })
	for n := range found {
		if ok, err := a.brings(ctx, &found[n], q); err != nil || ok {
			return &found[n], err
		}
	}
	return nil, nil
}

// brings tells whether what a pull request ends with has all images as they are to be
// promoted, each in the file that it would be written to.
func (a *asks) brings(ctx context.Context, pr *forge.PullRequest, q promote.GateRequest) (bool, error) {
	if a.g.Proposed == nil || a.g.Pipeline == nil {
		return false, errNobody
	}
	tree, err := once(a, fmt.Sprintf("tree %s %d", q.To, pr.Number), func() (promote.Tree, error) { return a.g.Proposed(ctx, q.To, pr) })
	if err != nil {
		return false, err
	}
	to, err := a.g.Pipeline.Environment(q.To)
	if err != nil {
		return false, err
	}
	sites := a.g.Pipeline.Sites(tree)
	all, err := sites.Of(to, q.Service)
	if err != nil {
		return false, err
	}
	there := make(map[string][]overlay.Pin)
	for _, one := range sites.WithNamed(all) {
		f, pins, err := sites.ReadPins(one, false)
		if errors.Is(err, pipeline.ErrNoOverlay) {
			continue
		}
		if err != nil {
			return false, err
		}
		there[f.Name()] = append(there[f.Name()], pins...)
	}
	for _, i := range q.Images {
		if !slices.ContainsFunc(there[i.File], func(p overlay.Pin) bool {
			return p.Repository() == i.Repository && p.Digest == i.New.Digest && (i.New.Digest != "" || p.Tag == i.New.Tag)
		}) {
			return false, nil
		}
	}
	return len(q.Images) > 0, nil
}
