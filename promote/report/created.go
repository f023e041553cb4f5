package report

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/promote/history"
	"github.com/kubepromote/kubepromote/promote/internal/parallel"
)

// What lead times count from; see Report.LeadTimeFrom.
const (
	FromHistory = "history"
	FromCreated = "created"
)

// MostAsked is how many images are asked about; when the others were made is not known.
const MostAsked = 10_000

// sourceDates end before any image was made: builds that give the same bytes each time write
// such dates, 1970 and 1980, in place of one.
var sourceDates = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// errNotAsked is that of images behind the first MostAsked.
var errNotAsked = errors.New("too many images: it was not asked about")

// Ask asks when the images of all deployments of the span were made, before Report is called.
// It gives an error for each image whose registry has no answer.
func (b *Book) Ask(ctx context.Context, created func(ctx context.Context, ref string) (time.Time, error)) []error {
	b.created = make(map[string]time.Time)
	var refs []string
	for _, e := range b.pipeline.Spec.Environments {
		for k, chain := range b.chains {
			if k.environment != e.Name || b.req.Environment != "" && b.req.Environment != e.Name {
				continue
			}
			for _, d := range chain {
				if d.Time.Before(b.req.Since) || d.Time.After(b.req.Until) || d.begins() {
					continue
				}
				for _, i := range d.Images {
					ref := madeRef(i)
					if _, ok := b.created[ref]; ref != "" && !ok {
						b.created[ref] = time.Time{}
						refs = append(refs, ref)
					}
				}
			}
		}
	}
	slices.Sort(refs) // the chains are in no order: the same are asked about, and told of, each time
	times := make([]time.Time, len(refs))
	errs := parallel.Each(ctx, len(refs), func(n int) (err error) {
		if n >= MostAsked {
			return errNotAsked
		}
		times[n], err = created(ctx, refs[n])
		return err
	})
	var failed []error
	for n, ref := range refs {
		switch {
		case errs[n] != nil:
			failed = append(failed, errs[n])
		case ctx.Err() != nil && times[n].IsZero():
			failed = append(failed, ctx.Err())
		case !times[n].Before(sourceDates):
			b.created[ref] = times[n]
		}
	}
	return failed
}

// madeRef is what a registry is asked about; empty where the digest is not known, since a tag
// may have moved, or the repository.
func madeRef(i history.ImageChange) string {
	if i.New.Digest == "" || i.New == i.Old || i.Repository == "" || i.Unknown {
		return ""
	}
	return i.Repository + "@" + i.New.Digest
}

// sinceMade is how long ago the oldest image of a deployment was made. Unknown tells that of
// one of them nobody knows.
func (b *Book) sinceMade(d *delivery) (took time.Duration, known, unknown bool) {
	for _, i := range d.Images {
		if i.New == (history.Pin{}) || i.New == i.Old {
			continue
		}
		at := b.created[madeRef(i)]
		if at.IsZero() || at.After(d.Time.Add(clockSlack)) {
			return 0, false, true
		}
		took, known = max(took, d.Time.Sub(at)), true
	}
	return took, known, false
}
