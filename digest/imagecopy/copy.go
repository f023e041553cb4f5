package imagecopy

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/digest/layout"
	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	defaultConcurrency = 6
	defaultTimeout     = 60 * time.Second
)

// ErrNotWritten is the kind of an [*digest.Error] of a [Copier]: the destination did
// not take what was sent, because pushing there is denied (401, 403), or the
// repository does not exist, or for any other reason. The tag that was asked
// for is not moved, unless moving it is what failed. What has arrived stays,
// and the next copy starts from there.
var ErrNotWritten = errors.New("could not be written")

// Options adjust a [Copier]. The zero value is fit for use.
type Options struct {
	// Client asks the registries, and may be shared with others; nil means one of
	// the Copier's own with its defaults.
	Client *registry.Client
	// Concurrency is how many blobs are sent at a time, and a quarter of how many
	// manifests are read; 0 or less means 6. A blob in flight takes about 100 kB of
	// memory, whatever its size.
	Concurrency int
	// Timeout is how long nothing may move: it bounds a small request with all
	// its tries, and each pause in a large one. 0 or less means 60 s. It does
	// not bound the copy, which ends when its context does.
	Timeout time.Duration
	// Progress, unless nil, is called as bytes are sent, at most about ten
	// times a second and at the end of each blob and manifest, from one
	// goroutine at a time.
	Progress func(Event)
}

// Event is how far a copy has come.
type Event struct {
	// Ref is the destination as it was given.
	Ref string
	// Digest is that of the blob or manifest that moved last.
	Digest string
	// Done counts the bytes that are at the destination, sent by this copy or
	// there before. It goes back when a blob has to be sent again.
	Done int64
	// Total is what Done is in the end. It is the same in all events of a copy.
	Total int64
}

// Copier copies images between registries, and from files. It keeps connections,
// credentials and tokens. It is safe for concurrent use. Make it with [New].
type Copier struct {
	client      *registry.Client
	concurrency int
	timeout     time.Duration
	progress    func(Event)
}

// CopyOptions adjust one copy. The zero value copies all there is.
//
// There is no choice of platforms: an index with fewer of them has another
// digest, and is not what was tested and signed.
type CopyOptions struct {
	// DryRun asks both sides and sends nothing. The result says what would
	// be sent.
	DryRun bool
	// WithoutSignatures leaves behind everything that is attached to the
	// image: signatures, attestations, SBOMs and all other referrers. The
	// copy then passes no verification at its destination.
	WithoutSignatures bool
}

// Count is a number of blobs and manifests, and their size.
type Count struct {
	Blobs     int   `json:"blobs"`
	Manifests int   `json:"manifests"`
	Bytes     int64 `json:"bytes"`
}

// Result is what was copied, or would be. Equal blobs count once.
type Result struct {
	// Source is what was copied, by its digest.
	Source string `json:"source"`
	// Destination is where it is now, by its tag if one was given and its digest.
	Destination string `json:"destination"`
	// Digest and MediaType are of the manifest at both ends.
	Digest    string `json:"digest"`
	MediaType string `json:"mediaType"`
	// Attached are the manifests that belong to the image: signatures,
	// attestations, SBOMs and other referrers.
	Attached []Attachment `json:"attached,omitempty"`
	// Sent went through this machine. Mounted was taken over by the registry
	// from another of its repositories; in a dry run it is what the registry
	// will be asked to take over. Present was there before.
	Sent    Count `json:"sent"`
	Mounted Count `json:"mounted"`
	Present Count `json:"present"`
	// Notes are things to know about the copy, such as layers that are not
	// kept in registries.
	Notes []string `json:"notes,omitempty"`
}

// Attachment is a manifest that belongs to another.
type Attachment struct {
	Digest string `json:"digest"`
	// Subject is the digest of the manifest it belongs to.
	Subject string `json:"subject"`
	// Tag is where cosign looks for it, "sha256-….sig"; empty for a referrer.
	Tag string `json:"tag,omitempty"`
	// ArtifactType is what a referrer says it is.
	ArtifactType string `json:"artifactType,omitempty"`
}

// New makes a Copier. It asks nothing yet.
func New(o Options) *Copier {
	if o.Client == nil {
		o.Client = registry.New(registry.Options{})
	}
	return &Copier{
		client:      o.Client,
		concurrency: cmp.Or(max(o.Concurrency, 0), defaultConcurrency),
		timeout:     cmp.Or(max(o.Timeout, 0), defaultTimeout),
		progress:    o.Progress,
	}
}

// CloseIdleConnections closes connections that are kept for later requests.
// The Copier stays usable.
func (c *Copier) CloseIdleConnections() { c.client.CloseIdleConnections() }

// Copy copies the image, index or artifact that src stands for to the
// repository dst, on the same registry or another, byte for byte: it has the
// same digest there, which is asked back at the end.
//
// src is a reference with a tag or a digest, see [digest.ParseReference], or an image
// in files, see [layout.ParseRef] and [layout.Open]: "oci:DIR[:NAME]", "oci:DIR@sha256:…",
// "oci-archive:FILE[:NAME]" or "docker-archive:FILE[:REFERENCE]". dst is a
// reference with a tag, or a repository alone: the copy then has no tag there,
// only its digest. If dst has a digest, it must be the one that src stands for.
//
// With the image goes what belongs to it and to each of its platforms, and to
// that in turn: cosign's tags sha256-….sig, .att and .sbom, and all referrers
// (OCI distribution specification 1.1). A layout has them as entries of its
// index.json: referrers, cosign's tags as names, and what "cosign save" marks;
// the archive of "docker save" has none. Where the destination keeps no list of
// referrers, the list under the tag sha256-… is added to; entries of others
// stay. Signatures and attestations under cosign's tags that are only at the
// destination stay too. Such lists cannot be changed in one step: what another
// writer adds at that very moment may be lost, as with every client.
//
// Blobs that the destination has are not sent again. Others are taken over by
// the registry itself if both repositories are on one, or else streamed and
// checked on the way. A manifest comes after everything it names, and the tag
// last, so that a copy that was broken off has changed nothing that anybody
// sees, and can be repeated: it sends what is missing. Manifests that the
// destination has are trusted to be complete.
//
// Layers that must not be distributed are left out, as every client does, with
// a note. What fails for the moment is tried up to three times: requests by the
// [registry.Client], the bytes of a blob by Copy. It returns when ctx ends.
//
// An error is an [*digest.Error]: [digest.ErrNotFound], [digest.ErrUnknown] and
// [digest.ErrMalformed] are about what was to be read, [ErrNotWritten] about the destination.
func (c *Copier) Copy(ctx context.Context, src, dst string, o CopyOptions) (Result, error) {
	from, wanted, closeSource, err := c.source(ctx, src)
	if err != nil {
		return Result{}, err
	}
	defer closeSource()
	to, err := parseDestination(dst)
	if err != nil {
		return Result{}, err
	}
	at, err := c.repository(to)
	if err != nil {
		return Result{}, err
	}
	p, err := c.plan(ctx, from, wanted, o)
	if err != nil {
		return Result{}, ended(ctx, src, err)
	}
	if to.Digest != "" && to.Digest != p.root.digest() {
		return Result{}, &digest.Error{Ref: dst, Kind: digest.ErrMalformed,
			Err: fault.Text("the source is " + p.root.digest() + ", which is not the digest of the destination")}
	}
	job := newTransfer(c, from, at, p, dst)
	if err := job.run(ctx, o.DryRun); err != nil {
		return job.result, ended(ctx, dst, err)
	}
	return job.result, nil
}

// ended makes an *Error of the bare end of a context.
func ended(ctx context.Context, ref string, err error) error {
	if _, ok := errors.AsType[*digest.Error](err); ok {
		return err
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return &digest.Error{Ref: ref, Kind: digest.ErrUnknown, Err: &fault.Cause{Text: fault.Network(err), Err: err}}
}

// source finds what to read from, and the tag or digest to start at.
func (c *Copier) source(ctx context.Context, src string) (from copySource, tagOrDigest string, done func(), err error) {
	if layout.IsRef(src) {
		image, err := layout.Open(ctx, src)
		if err != nil {
			return nil, "", nil, fileError(err)
		}
		return fileSource{image}, image.Descriptor().Digest.String(), func() { image.Close() }, nil
	}
	ref, err := digest.ParseReference(src)
	if err != nil {
		return nil, "", nil, err
	}
	at, err := c.repository(ref)
	if err != nil {
		return nil, "", nil, err
	}
	return repositorySource{at}, cmp.Or(ref.Digest, ref.Tag), func() {}, nil
}

// parseDestination also takes a repository with neither tag nor digest.
func parseDestination(dst string) (digest.Reference, error) {
	ref, err := digest.ParseReference(dst)
	if err == nil {
		return ref, nil
	}
	anyDigest := grammar.DigestPrefix + strings.Repeat("0", grammar.DigestHexLen)
	if bare, bareErr := digest.ParseReference(dst + "@" + anyDigest); bareErr == nil {
		return digest.Reference{Repository: bare.Repository}, nil
	}
	return digest.Reference{}, err
}
