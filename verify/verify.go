package verify

import (
	"cmp"
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
	o.Concurrency = cmp.Or(max(o.Concurrency, 0), 16)
	o.Timeout = cmp.Or(max(o.Timeout, 0), 30*time.Second)
	return &Verifier{o: o, now: time.Now}
}

// target is an image to look at, once however often it was asked for.
type target struct {
	repo    name.Repository
	given   string         // a layout, as it was named
	layout  *source.Layout // where it is, in place of the registry
	digest  v1.Hash
	service string // that it is for, where the policy asks about one
	results []int  // the indexes of its results
}

// Key is equal for the same image.
func (t *target) key() string {
	if t.layout != nil {
		return t.service + " " + t.given
	}
	return t.service + " " + t.repo.Name() + "@" + t.digest.String()
}

// Subject is an image to verify, and the service that it is for.
type Subject struct {
	// Image has one of the forms that Verify takes.
	Image string
	// Service is the one that the image is to run in. An approval that names a
	// service counts for that one alone; where Service is empty, it is not known
	// whether it counts, and the outcome is Unknown unless something else is
	// enough. An approval that names none counts for every service.
	Service string
}

// Verify checks images against a policy. An image is given as
// repository@sha256:hex; in repository:tag@sha256:hex the tag has no meaning.
// oci:DIR is the image of an OCI layout, and oci:DIR:NAME and oci:DIR@sha256:hex
// one of several, see [layout.ParseRef] for all forms; its signatures are looked
// for in the same layout.
// There is one result for each image, in the same order. Whatever goes wrong,
// a context that is done included, is the outcome of the images it concerns.
// No image is for a service here: see VerifySubjects.
func (v *Verifier) Verify(ctx context.Context, p *Policy, images ...string) []Result {
	subjects := make([]Subject, len(images))
	for i, image := range images {
		subjects[i].Image = image
	}
	return v.VerifySubjects(ctx, p, subjects...)
}

// VerifySubjects checks images for the services that they are for, as Verify does.
func (v *Verifier) VerifySubjects(ctx context.Context, p *Policy, subjects ...Subject) []Result {
	results := make([]Result, len(subjects))
	var targets []*target
	known := map[string]*target{}
	asks := p != nil && slices.ContainsFunc(p.model.Rules, (*policy.Rule).AsksService)
	for i, s := range subjects {
		t, err := v.target(ctx, s.Image)
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
		if asks {
			t.service = s.Service
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
		results[i].Image = subjects[i].Image
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
