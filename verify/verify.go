package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/source"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// Options says how to reach registries. The zero value is ready for use.
type Options struct {
	Keychain    authn.Keychain    // credentials; nil: authn.DefaultKeychain
	Transport   http.RoundTripper // nil: remote.DefaultTransport
	Concurrency int               // images read at the same time by one Verify; 0: 16
	Timeout     time.Duration     // for each image, from the first request on; 0: 30s
	UserAgent   string            // put before the one of go-containerregistry
	// TransportAuthenticates says that Transport logs in by itself, and repeats
	// what is worth repeating: no credentials are looked up, nothing is asked of
	// a registry before the first manifest, and no request is made twice.
	TransportAuthenticates bool
	// LayoutName is the repository whose rules hold for images in OCI layouts,
	// and the name that is compared with signed names. A layout has no name that
	// could be believed; without LayoutName only rules with the pattern ** hold.
	LayoutName string
}

// Verifier checks images. It keeps the sessions with registries, so that the
// second image of a repository costs no second login. It may be used
// concurrently.
type Verifier struct {
	o         Options
	transport http.RoundTripper
	now       func() time.Time

	mu       sync.Mutex
	sessions map[string]*session // by repository
}

// New returns a Verifier. It makes no request.
func New(o Options) *Verifier {
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	if o.Transport == nil {
		o.Transport = remote.DefaultTransport
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 16
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if !o.TransportAuthenticates {
		o.Transport = source.Retry(o.Transport)
	}
	return &Verifier{
		o:         o,
		transport: transport.NewUserAgent(o.Transport, o.UserAgent),
		now:       time.Now,
		sessions:  map[string]*session{},
	}
}

// target is an image to look at, once however often it was asked for.
type target struct {
	repo    name.Repository
	layout  *source.Layout // where it is, in place of the registry
	digest  v1.Hash
	results []int // the indexes of its results
}

// Key is equal for the same image.
func (t *target) key() string {
	if t.layout != nil {
		return "oci:" + t.layout.Path
	}
	return t.repo.Name() + "@" + t.digest.String()
}

// Verify checks images against a policy. An image is given as
// repository@sha256:hex; in repository:tag@sha256:hex the tag has no meaning.
// oci:DIR is the image of an OCI layout, and oci:DIR:REF and oci:DIR@sha256:hex
// one of several; its signatures are looked for in the same layout.
// There is one result for each image, in the same order. Whatever goes wrong,
// a context that is done included, is the outcome of the images it concerns.
func (v *Verifier) Verify(ctx context.Context, p *Policy, images ...string) []Result {
	results := make([]Result, len(images))
	var targets []*target
	known := map[string]*target{}
	for i, image := range images {
		t, err := v.target(image)
		if err != nil {
			results[i] = Result{Outcome: Rejected, Reason: err.Error()}
			if _, ok := errors.AsType[*source.LayoutError](err); ok {
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

func (v *Verifier) target(image string) (*target, error) {
	if rest, ok := strings.CutPrefix(image, "oci:"); ok {
		l, digest, err := source.OpenLayout(rest)
		if err != nil {
			return nil, err
		}
		t := &target{layout: l, digest: digest}
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

// session is a repository being opened, or opened.
type session struct {
	ready chan struct{} // closed when the rest is set
	repo  *source.Repository
	err   error
}

// Repository opens a repository, once for all who ask at the same time. A
// failure is told to those and then forgotten.
func (v *Verifier) repository(ctx context.Context, repo name.Repository) (*source.Repository, error) {
	for {
		v.mu.Lock()
		s := v.sessions[repo.Name()]
		if s == nil {
			s = &session{ready: make(chan struct{}), err: errors.New("the registry could not be opened")}
			v.sessions[repo.Name()] = s
			v.mu.Unlock()
			v.open(ctx, repo, s)
			return s.repo, s.err
		}
		v.mu.Unlock()
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		// The time of the one who opened it may have run out, and ours not.
		if !errors.Is(s.err, context.Canceled) && !errors.Is(s.err, context.DeadlineExceeded) || ctx.Err() != nil {
			return s.repo, s.err
		}
	}
}

func (v *Verifier) open(ctx context.Context, repo name.Repository, s *session) {
	defer func() {
		if s.err != nil {
			v.mu.Lock()
			delete(v.sessions, repo.Name())
			v.mu.Unlock()
		}
		close(s.ready)
	}()
	if v.o.TransportAuthenticates {
		s.repo, s.err = &source.Repository{Name: repo, Client: &http.Client{Transport: v.transport, CheckRedirect: source.CheckRedirect}}, nil
		return
	}
	auth, err := authn.Resolve(ctx, v.o.Keychain, repo)
	if err != nil {
		s.err = fmt.Errorf("no credentials for %s: %w", repo.RegistryStr(), err)
		return
	}
	tr, err := transport.NewWithContext(ctx, repo.Registry, auth, v.transport, []string{repo.Scope(transport.PullScope)})
	if err != nil {
		s.err = fmt.Errorf("cannot reach the registry %s: %w", strings.TrimSuffix(repo.RegistryStr(), "/"), source.BareError(err))
		return
	}
	s.repo, s.err = &source.Repository{Name: repo, Client: &http.Client{Transport: tr, CheckRedirect: source.CheckRedirect}}, nil
}
