package images

import (
	"context"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/sources"
)

// The bounds of what is asked for the sources of a plan.
const (
	mostSources   = 100
	sourcesAtOnce = 8
	sourcesTime   = 15 * time.Second
)

// Sources finds, for each image of plans whose digest changes, which commits of its source
// lie between the two, and puts it into the plan. It is for people to read: what
// registries do not answer in time, or images do not say, is left out. more are hosts
// whose kind is known.
func Sources(ctx context.Context, r *digest.Resolver, plans []*promote.Plan, more map[string]sources.Kind) {
	ctx, cancel := context.WithTimeout(ctx, sourcesTime)
	defer cancel()
	var asked []*promote.ImagePlan
	for _, plan := range plans {
		for _, s := range plan.Services {
			for n := range s.Images {
				i := &s.Images[n]
				if i.Unknown == "" && i.Old.Digest != "" && i.New.Digest != "" && i.Old.Digest != i.New.Digest && len(asked) < mostSources {
					asked = append(asked, i)
				}
			}
		}
	}
	found := make(map[string]digest.Source)
	var refs []string
	for _, i := range asked {
		for _, pin := range []promote.Pin{i.Old, i.New} {
			ref := i.Repository + "@" + pin.Digest
			if _, ok := found[ref]; !ok {
				found[ref] = digest.Source{}
				refs = append(refs, ref)
			}
		}
	}
	ask(refs, func(ref string) digest.Source {
		s, _ := r.Source(ctx, ref) // of what could not be asked nothing is claimed
		return s
	}, found)
	for _, i := range asked {
		old, now := found[i.Repository+"@"+i.Old.Digest], found[i.Repository+"@"+i.New.Digest]
		if c, ok := sources.Between(sources.Of(old), sources.Of(now), more); ok {
			i.Source = &c
		}
	}
}

// ask asks some at a time.
func ask(refs []string, source func(string) digest.Source, into map[string]digest.Source) {
	var wait sync.WaitGroup
	var lock sync.Mutex
	next := make(chan string)
	for range min(sourcesAtOnce, len(refs)) {
		wait.Go(func() {
			for ref := range next {
				s := source(ref)
				lock.Lock()
				into[ref] = s
				lock.Unlock()
			}
		})
	}
	for _, ref := range refs {
		next <- ref
	}
	close(next)
	wait.Wait()
}
