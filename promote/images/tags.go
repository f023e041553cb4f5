package images

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/tags"
	"github.com/kubepromote/kubepromote/promote"
	"golang.org/x/sync/errgroup"
)

// Tags finds the newest tags of repositories, as [promote.Tags] wants it.
type Tags struct {
	digest *digest.Resolver
	chosen func(promote.NewestQuestion) string
}

// NewTags finds tags by the resolver given.
func NewTags(r *digest.Resolver) *Tags { return &Tags{digest: r} }

// As takes the tag that was chosen before for the newest, where chosen gives one and the
// rule admits it: a plan that was reviewed stays what it is while builds go on.
func (t *Tags) As(chosen func(promote.NewestQuestion) string) *Tags { return &Tags{t.digest, chosen} }

// listsAtATime bounds how many repositories are listed at once: each may have many
// pages, and the client bounds what one registry is asked.
const listsAtATime = 8

// Newest implements [promote.Tags]. A repository that is not there or has no tag that
// the rule admits fails; what could not be listed is unknown.
func (t *Tags) Newest(ctx context.Context, questions []promote.NewestQuestion, done func()) ([]promote.NewestTag, error) {
	type list struct{ repository, rule, before string }
	selectors := make(map[string]*tags.Selector)
	same := make(map[list][]int)
	for n, q := range questions {
		if selectors[q.Rule] == nil {
			s, err := tags.ParseSelector(q.Rule)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", q.RuleAt, err)
			}
			selectors[q.Rule] = s
		}
		l := list{repository: q.Repository, rule: q.Rule}
		if t.chosen != nil {
			l.before = t.chosen(q)
		}
		same[l] = append(same[l], n)
	}
	out := make([]promote.NewestTag, len(questions))
	var mu sync.Mutex // of done
	var group errgroup.Group
	group.SetLimit(listsAtATime)
	for l, numbers := range same {
		group.Go(func() error {
			chosen, err := t.choose(ctx, l.repository, selectors[l.rule], l.before)
			mu.Lock()
			defer mu.Unlock()
			for _, n := range numbers {
				out[n] = newest(chosen, err)
				out[n].Older = err == nil && selectors[l.rule].Older(chosen.Tag, questions[n].Now)
				done()
			}
			return nil
		})
	}
	return out, group.Wait()
}

// choose gives the newest tag, or the one that was chosen before.
func (t *Tags) choose(ctx context.Context, repository string, s *tags.Selector, before string) (tags.Selection, error) {
	if before == "" {
		return tags.Choose(ctx, t.digest, repository, s)
	}
	chosen, err := s.SelectCreated(ctx, []string{before}, func(ctx context.Context, tag string) (time.Time, error) {
		return t.digest.Created(ctx, repository+":"+tag)
	})
	chosen.Why = before + ": chosen when it was planned"
	return chosen, err
}

func newest(chosen tags.Selection, err error) promote.NewestTag {
	switch {
	case err == nil:
		return promote.NewestTag{Answer: promote.Pass, Tag: chosen.Tag, Why: chosen.Why}
	case errors.Is(err, digest.ErrNotFound), errors.Is(err, digest.ErrMalformed), errors.Is(err, tags.ErrNoTag):
		return promote.NewestTag{Answer: promote.Fail, Reason: err.Error()}
	}
	return promote.NewestTag{Answer: promote.Unknown, Reason: err.Error()}
}
