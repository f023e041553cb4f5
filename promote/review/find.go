package review

import (
	"cmp"
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
	branch := record.Branch("promote", q.To, q.Services)
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

// carried is a pull request that is merged, and the first and the last commit that it has
// brought of those that are judged.
type carried struct {
	forge.PullRequest
	first, last string
}

// carrying is the pull request that a commit came from which is merged already, or which a
// queue is about to merge as another commit. Either has to bring just what is judged: what
// was approved is the end of the pull request, and not what became of it on the way. And it
// has to have made the change: one that came later ends with the same images.
func (a *asks) carrying(ctx context.Context, f *Forge, q promote.GateRequest) (*forge.PullRequest, error) {
	queued, failed := a.queued(ctx, f, q)
	if queued != nil {
		return queued, nil
	}
	line, more, err := a.line(ctx, q)
	if err != nil {
		return nil, err
	}
	failed = cmp.Or(failed, more)
	var found []*carried
	for n, head := range slices.Concat(line, q.Heads) {
		some, err := once(a, "carrying "+f.Base+" "+head, func() ([]forge.PullRequest, error) { return f.Carrying(ctx, head, f.Base) })
		if err != nil {
			return nil, err
		}
		for _, pr := range some {
			at := slices.IndexFunc(found, func(c *carried) bool { return c.Number == pr.Number })
			switch {
			case at < 0 && n < len(line):
				found = append(found, &carried{pr, head, head})
			case at < 0: // the other parent of the newest commit
				found = append(found, &carried{pr, q.Heads[0], q.Heads[0]})
			case n < len(line):
				found[at].first = head
			}
		}
	}
	slices.SortFunc(found, func(a, b *carried) int { return b.Number - a.Number })
	for _, c := range found {
		ok, err := a.made(ctx, c, q)
		if err == nil && ok {
			ok, err = a.brings(ctx, &c.PullRequest, q)
		}
		if err == nil && ok {
			return &c.PullRequest, nil
		}
		failed = cmp.Or(failed, err)
	}
	return nil, failed
}

// mostAsked is how many commits of a push the forge is asked about, each by a request.
const mostAsked = 100

// line are the commits that are judged, newest first. Of too many to be asked about the others
// are in more: what one of them has brought nobody knows then.
func (a *asks) line(ctx context.Context, q promote.GateRequest) (line []string, more, err error) {
	if a.g.Line == nil {
		return q.Heads[:1], nil, nil
	}
	line, err = once(a, "line "+q.Base+" "+q.Heads[0]+" "+q.To+" "+q.Service, func() ([]string, error) { return a.g.Line(ctx, q) })
	if err != nil {
		return nil, nil, err
	}
	if len(line) > mostAsked {
		next := line[mostAsked]
		more = &promote.Error{Msg: fmt.Sprintf("of the commits since %.9s that change it the newest %d were asked about: what brought it may be commit %.9s, or an older one", q.Base, mostAsked, next),
			Hint: fmt.Sprintf("kubectl promote check --base %s --head %s", q.Base, next)}
		line = line[:mostAsked]
	}
	if !slices.Contains(line, q.Heads[0]) {
		line = slices.Concat(q.Heads[:1], line)
	}
	return line, more, nil
}

// queued is the pull request that a queue is about to merge, where that brings what is judged
// and began without it.
func (a *asks) queued(ctx context.Context, f *Forge, q promote.GateRequest) (*forge.PullRequest, error) {
	if a.g.Number == 0 {
		return nil, nil
	}
	pr, err := once(a, fmt.Sprintf("get %d", a.g.Number), func() (*forge.PullRequest, error) { return f.Get(ctx, a.g.Number) })
	if err != nil || pr.State != forge.StateOpen || pr.Base != f.Base {
		return nil, err
	}
	if ok, err := a.brings(ctx, pr, q); err != nil || !ok {
		return nil, err
	}
	if a.g.MergeBase == nil {
		return nil, errNobody
	}
	began, err := once(a, fmt.Sprintf("began %s %d", q.Base, pr.Number), func() (string, error) { return a.g.MergeBase(ctx, q.Base, strings.ToLower(pr.HeadCommit)) })
	if err != nil {
		return nil, err
	}
	if _, some, err := a.at(ctx, began, q); err != nil || some {
		return nil, err
	}
	return pr, nil
}

// made tells whether the commits of a pull request have brought what is judged: the last has
// all of it, and what the first was made on has none.
func (a *asks) made(ctx context.Context, c *carried, q promote.GateRequest) (bool, error) {
	if all, _, err := a.at(ctx, c.last, q); err != nil || !all {
		return false, err
	}
	_, some, err := a.at(ctx, c.first+"^1", q)
	return err == nil && !some, err
}

// at tells which of the images a commit has as they are to be promoted.
func (a *asks) at(ctx context.Context, revision string, q promote.GateRequest) (all, some bool, err error) {
	if a.g.At == nil || a.g.Pipeline == nil {
		return false, false, errNobody
	}
	tree, err := once(a, "at "+revision, func() (promote.Tree, error) { return a.g.At(ctx, revision) })
	if err != nil {
		return false, false, err
	}
	return a.has(tree, q)
}

// brings tells whether what a pull request ends with has all images as they are to be
// promoted.
func (a *asks) brings(ctx context.Context, pr *forge.PullRequest, q promote.GateRequest) (bool, error) {
	if a.g.Proposed == nil || a.g.Pipeline == nil {
		return false, errNobody
	}
	tree, err := once(a, fmt.Sprintf("tree %s %d", q.To, pr.Number), func() (promote.Tree, error) { return a.g.Proposed(ctx, q.To, pr) })
	if err != nil {
		return false, err
	}
	all, _, err := a.has(tree, q)
	return all, err
}

// has tells whether files have all images as they are to be promoted, each in the file that
// it would be written to, and whether they have some.
func (a *asks) has(tree promote.Tree, q promote.GateRequest) (all, some bool, err error) {
	to, err := a.g.Pipeline.Environment(q.To)
	if err != nil {
		return false, false, err
	}
	sites := a.g.Pipeline.Sites(tree)
	found, err := sites.Of(to, q.Service)
	if err != nil {
		return false, false, err
	}
	there := make(map[string][]overlay.Pin)
	for _, one := range sites.WithNamed(found) {
		f, pins, err := sites.ReadPins(one, false)
		if errors.Is(err, pipeline.ErrNoOverlay) {
			continue
		}
		if err != nil {
			return false, false, err
		}
		there[f.Name()] = append(there[f.Name()], pins...)
	}
	all = len(q.Images) > 0
	for _, i := range q.Images {
		is := slices.ContainsFunc(there[i.File], func(p overlay.Pin) bool {
			return p.Repository() == i.Repository && p.Digest == i.New.Digest && (i.New.Digest != "" || p.Tag == i.New.Tag)
		})
		all, some = all && is, some || is
	}
	return all, some, nil
}
