package digest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest/registry"
)

const (
	defaultConcurrency = 64
	defaultPerRegistry = 32
	defaultTimeout     = 30 * time.Second
	defaultTotal       = 10 * time.Minute
)

// Options adjust a [Resolver]. The zero value is fit for use.
type Options struct {
	// Client asks the registries, and may be shared with others; nil means one of
	// the Resolver's own with its defaults.
	Client *registry.Client
	// Concurrency is how many references ResolveAll asks at a time; 0 or less
	// means 64.
	Concurrency int
	// PerRegistry is how many of those are of one registry; 0 or less means 32.
	PerRegistry int
	// Timeout bounds each reference, all its requests and retries together;
	// 0 or less means 30 s. A context that ends earlier wins.
	Timeout time.Duration
	// Total bounds a call of ResolveAll whose context has no end: a registry that
	// takes its time for each of ten thousand answers would keep it for days. 0 or
	// less means 10 minutes.
	Total time.Duration
}

// Resolver asks registries what references stand for. It keeps connections,
// credentials and tokens, but no answers: a tag is asked anew each time. It is
// safe for concurrent use. Make it with [NewResolver].
type Resolver struct {
	client      *registry.Client
	concurrency int
	perRegistry int
	timeout     time.Duration
	total       time.Duration
}

// Resolution is the answer about one reference.
type Resolution struct {
	// Ref is the reference as it was given.
	Ref string `json:"ref,omitempty"`
	// Repository is its registry and path as they were given.
	Repository string `json:"repository,omitempty"`
	// Tag is the tag of Ref, empty when it has none.
	Tag string `json:"tag,omitempty"`
	// Digest is the digest of the manifest Ref stands for, "sha256:…".
	Digest string `json:"digest,omitempty"`
	// MediaType is the media type of that manifest: an index, or the image
	// for one platform. Empty when the registry does not say.
	MediaType string `json:"mediaType,omitempty"`
	// Size is the size of that manifest in bytes, not of the image.
	Size int64 `json:"size,omitempty"`
	// TagDigest is the digest Tag stands for now, when Ref has both a tag and
	// a digest. It differs from Digest when the tag has moved, and is empty
	// when there is no such tag any more or it could not be told.
	TagDigest string `json:"tagDigest,omitempty"`
	// Index is the digest of the index that Digest was taken from, when a
	// platform was asked for; see [Resolver.ResolvePlatform].
	Index string `json:"index,omitempty"`
}

// Result is the outcome for one reference of [Resolver.ResolveAll].
type Result struct {
	Resolution
	// Err is nil or an [*Error]. If it is set, Digest, MediaType, Size and
	// TagDigest are empty.
	Err error `json:"-"`
}

// NewResolver makes a Resolver. It asks nothing yet.
func NewResolver(o Options) *Resolver {
	if o.Client == nil {
		o.Client = registry.New(registry.Options{})
	}
	return &Resolver{
		client:      o.Client,
		concurrency: cmp.Or(max(o.Concurrency, 0), defaultConcurrency),
		perRegistry: cmp.Or(max(o.PerRegistry, 0), defaultPerRegistry),
		timeout:     cmp.Or(max(o.Timeout, 0), defaultTimeout),
		total:       cmp.Or(max(o.Total, 0), defaultTotal),
	}
}

// CloseIdleConnections closes connections that are kept for later requests.
// The Resolver stays usable.
func (r *Resolver) CloseIdleConnections() { r.client.CloseIdleConnections() }

// Resolve asks what ref stands for; see [ParseReference] for its forms. A ref
// with a digest asks whether the registry has that digest. With a tag as well,
// the answer is still that about the digest, and TagDigest says what the tag
// stands for, when that can be told.
//
// Resolve returns when ctx ends, whatever the registry does. An error is an
// [*Error]; the Resolution then has only the parts of ref.
func (r *Resolver) Resolve(ctx context.Context, ref string) (Resolution, error) {
	parsed, err := ParseReference(ref)
	if err != nil {
		return Resolution{Ref: ref}, err
	}
	return r.resolve(ctx, ref, parsed)
}

func (r *Resolver) resolve(ctx context.Context, given string, ref Reference) (Resolution, error) {
	res := Resolution{Ref: given, Repository: ref.Repository, Tag: ref.Tag}
	q, err := r.question(ref)
	if err != nil {
		return res, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	ask := func(ctx context.Context, ref string) (v1.Descriptor, error) {
		return promptly(ctx, r, func(ctx context.Context) (v1.Descriptor, error) { return q.repo.Head(ctx, ref) })
	}
	desc, err := ask(ctx, q.identifier())
	if err != nil {
		return res, failure(q, err)
	}
	res.Digest, res.MediaType, res.Size = desc.Digest.String(), string(desc.MediaType), desc.Size
	if ref.Tag != "" && ref.Digest != "" {
		// The question was about the digest, and it is answered.
		if tagged, err := ask(ctx, ref.Tag); err == nil {
			res.TagDigest = tagged.Digest.String()
		}
	}
	return res, nil
}

// ResolveAll asks for many references, Options.Concurrency at a time and
// Options.PerRegistry of each registry, so that one that is slow does not hold
// up the others. The results are in the order of refs. References that are equal, in whatever
// spelling, are asked once. When ctx ends, or after Options.Total where it has no end,
// those not yet answered fail with [ErrUnknown].
//
// done, unless nil, is called once for each of refs when it is finished, in
// the order they finish, from one goroutine at a time. It should return soon:
// others wait for it. All calls are over when ResolveAll returns.
func (r *Resolver) ResolveAll(ctx context.Context, refs []string, done func(Result)) []Result {
	if _, ends := ctx.Deadline(); !ends {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.total)
		defer cancel()
	}
	results := make([]Result, len(refs))
	var mu sync.Mutex
	finish := func(i int, res Result) {
		mu.Lock()
		defer mu.Unlock()
		results[i] = res
		if done != nil {
			done(res)
		}
	}
	parsed := make([]Reference, len(refs))
	alike := make(map[Reference][]int)
	var order []Reference // of the keys of alike, as they first come in refs
	for i, s := range refs {
		ref, err := ParseReference(s)
		if err != nil {
			finish(i, Result{Resolution{Ref: s}, err})
			continue
		}
		parsed[i] = ref
		key := ref.Canonical()
		if alike[key] == nil {
			order = append(order, key)
		}
		alike[key] = append(alike[key], i)
	}
	r.announce(order)
	newSchedule(order, r.concurrency, r.perRegistry).run(func(key Reference) {
		first := alike[key][0]
		res, err := r.resolve(ctx, refs[first], parsed[first])
		for _, i := range alike[key] {
			finish(i, respell(res, err, refs[i], parsed[i]))
		}
	})
	return results
}

// announce tells the client which repositories will be asked about.
func (r *Resolver) announce(refs []Reference) {
	repos := make(map[string][]string) // by registry, in the order of refs
	for _, ref := range refs {
		if repo, err := name.NewRepository(ref.Repository); err == nil {
			host := repo.RegistryStr()
			repos[host] = append(repos[host], repo.RepositoryStr())
		}
	}
	for host, paths := range repos {
		slices.Sort(paths)
		r.client.Announce(host, slices.Compact(paths)...)
	}
}

// respell gives the answer to one spelling of a reference to another.
func respell(res Resolution, err error, given string, ref Reference) Result {
	res.Ref, res.Repository = given, ref.Repository
	var e *Error
	if errors.As(err, &e) {
		own := *e
		own.Ref = given
		err = &own
	}
	return Result{res, err}
}
