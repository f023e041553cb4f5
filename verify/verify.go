package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest/layout"
	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/source"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// Options says how to reach registries. The zero value is ready for use.
type Options struct {
	// Client asks the registries, and may be shared with others; nil means one of
	// the Verifier's own with its defaults. With a cache ([registry.Client.Cached])
	// what has a digest is not read twice.
	Client      *registry.Client
	Concurrency int           // images read at the same time by one Verify; 0: 16
	Timeout     time.Duration // for each image, from the first request on; 0: 30s
	// LayoutName is the repository whose rules hold for images in OCI layouts,
	// and the name that is compared with signed names. A layout has no name that
	// could be believed; without LayoutName only rules with the pattern ** hold.
	LayoutName string
}

// Verifier checks images. It keeps the sessions with registries, so that the
// second image of a repository costs no second login. It may be used
// concurrently.
type Verifier struct {
	o   Options
	now func() time.Time
}

// New returns a Verifier. It makes no request.
func New(o Options) *Verifier {
	if o.Client == nil {
		o.Client = registry.New(registry.Options{})
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 16
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	return &Verifier{o: o, now: time.Now}
}

// target is an image to look at, once however often it was asked for.
type target struct {
	repo    name.Repository
	given   string         // a layout, as it was named
	layout  *source.Layout // where it is, in place of the registry
	digest  v1.Hash
	results []int // the indexes of its results
}

// Key is equal for the same image.
func (t *target) key() string {
	if t.layout != nil {
		return t.given
	}
	return t.repo.Name() + "@" + t.digest.String()
}

// Verify checks images against a policy. An image is given as
// repository@sha256:hex; in repository:tag@sha256:hex the tag has no meaning.
// oci:DIR is the image of an OCI layout, and oci:DIR:NAME and oci:DIR@sha256:hex
// one of several, see [layout.ParseRef] for all forms; its signatures are looked
// for in the same layout.
// There is one result for each image, in the same order. Whatever goes wrong,
// a context that is done included, is the outcome of the images it concerns.
func (v *Verifier) Verify(ctx context.Context, p *Policy, images ...string) []Result {
	results := make([]Result, len(images))
	var targets []*target
	known := map[string]*target{}
	for i, image := range images {
		t, err := v.target(ctx, image)
		if err != nil {
			results[i] = Result{Outcome: Rejected, Reason: err.Error()}
			if _, ok := errors.AsType[*layout.Error](err); ok && !errors.Is(err, layout.ErrMalformed) {
				results[i].Outcome = Unknown
			}
			continue
		}
		if t.layout != nil {
			defer t.layout.Close()
		}
		key := t.key()
		if known[key] == nil {
			known[key] = t
			targets = append(targets, t)
		}
		known[key].results = append(known[key].results, i)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, v.o.Concurrency)
	for _, t := range targets {
		wg.Go(func() {
			r := v.bounded(ctx, p, t, slots)
			for _, i := range t.results {
				results[i] = r
				results[i].Evidence = slices.Clone(r.Evidence)
				results[i].Warnings = slices.Clone(r.Warnings)
			}
		})
	}
	wg.Wait()
	for i := range results {
		results[i].Image = images[i]
	}
	return results
}

func (v *Verifier) target(ctx context.Context, image string) (*target, error) {
	if layout.IsRef(image) {
		l, err := layout.Open(ctx, image)
		if err != nil {
			return nil, err
		}
		t := &target{given: image, layout: &source.Layout{Image: l}, digest: l.Descriptor().Digest}
		if v.o.LayoutName != "" {
			if t.repo, err = name.NewRepository(v.o.LayoutName); err != nil {
				l.Close()
				return nil, fmt.Errorf("the name of the layout %s is no repository", untrusted.Quoted(v.o.LayoutName))
			}
		}
		return t, nil
	}
	repo, digest, err := statement.ParseImage(image)
	if err != nil {
		return nil, err
	}
	return &target{repo: repo, digest: digest}, nil
}

// Name is what the patterns of the policy are compared with.
func (t *target) name() string {
	if t.repo == (name.Repository{}) {
		return "oci:layout"
	}
	return policy.CanonicalName(t.repo)
}

// bounded waits for a slot and ends with the time limit, even if something
// below, such as a credential helper, does not.
func (v *Verifier) bounded(ctx context.Context, p *Policy, t *target, slots chan struct{}) Result {
	if p == nil {
		return Result{Outcome: Rejected, Reason: "there is no policy"}
	}
	rules := p.model.Matching(t.name())
	if len(rules) == 0 {
		if p.model.Allow {
			return Result{Outcome: Verified, Reason: "no rule of the policy matches, and the policy allows that"}
		}
		return Result{Outcome: Rejected, Reason: "no rule of the policy matches"}
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return Result{Outcome: Unknown, Reason: interrupted(ctx, 0)}
	}
	defer func() { <-slots }()
	inner, cancel := context.WithTimeout(ctx, v.o.Timeout)
	defer cancel()
	found := make(chan Result, 1)
	go func() { found <- v.examine(inner, t, rules) }()
	var r Result
	select {
	case r = <-found:
	case <-inner.Done():
		select {
		case r = <-found:
		// What ends in an orderly way does so at once.
		case <-time.After(50 * time.Millisecond):
			r.Outcome = Unknown
		}
	}
	if r.Outcome != Verified && inner.Err() != nil {
		// Whatever error came up, this is where it came from.
		return Result{Outcome: Unknown, Reason: interrupted(ctx, v.o.Timeout), Ignored: r.Ignored}
	}
	return r
}

func interrupted(ctx context.Context, limit time.Duration) string {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return "cancelled before everything was read"
	case ctx.Err() != nil:
		return "time ran out before everything was read"
	}
	return fmt.Sprintf("not everything could be read within %s", limit)
}

func (v *Verifier) repository(repo name.Repository) source.Source {
	return source.Repository{Repository: v.o.Client.Repository(repo)}
}
