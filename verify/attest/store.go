package attest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/source"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// bundleMediaType is the media type of the bundles that are written.
const bundleMediaType types.MediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// StoreOptions says how to write to registries. The zero value is ready for use.
type StoreOptions struct {
	// Client asks the registries; nil means one with its defaults.
	Client  *registry.Client
	Timeout time.Duration // for each bundle, from the first request on; 0: 60s
	// Legacy stores attestations the older way of cosign, as a layer under the
	// tag sha256-<hex>.att, for readers that know nothing else. That is possible
	// for statements signed by key. Registries have no way to change a tag only
	// if nobody else has: a client that takes its time between reading and
	// writing the tag can take away what was written in the meantime, and the
	// other way round. Where that matters, do not use it.
	Legacy bool
}

// Storer puts bundles beside images. It may be used concurrently; bundles for
// one image wait for each other.
type Storer struct {
	o     StoreOptions
	locks [locks]chan struct{} // each holds a value while it is locked
	pause time.Duration        // before a list is looked at again
}

// locks is how many images can be written to at the same time.
const locks = 64

// Stored says where a bundle is.
type Stored struct {
	// Location is the reference, with its digest, of the manifest that leads to
	// the bundle.
	Location string `json:"location"`
	// Digest is that of the manifest.
	Digest string `json:"digest"`
	// Written is false if everything was there before.
	Written bool `json:"written"`
}

// StoreError says that a bundle is not, or perhaps not, in the registry.
type StoreError struct {
	// Unknown is true if the bundle may or may not have been stored, or may be
	// stored but not listed: the registry gave no answer that decides it.
	// Storing it again is safe, and helps. Otherwise the registry, or what was
	// given, refuses it.
	Unknown bool
	Err     error // one line; names the repository
}

// Error is one line that names the repository.
func (e *StoreError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *StoreError) Unwrap() error { return e.Err }

// NewStorer returns a Storer. It makes no request.
func NewStorer(o StoreOptions) *Storer {
	if o.Client == nil {
		o.Client = registry.New(registry.Options{})
	}
	o.Timeout = cmp.Or(max(o.Timeout, 0), time.Minute)
	s := &Storer{o: o, pause: listPause}
	for i := range s.locks {
		s.locks[i] = make(chan struct{}, 1)
	}
	return s
}

// Store puts a bundle (Sigstore bundle in JSON form, with a statement) beside
// the image it is about, given as repository@sha256:hex. The image must be
// there. The bundle becomes the layer of a manifest whose subject is the image,
// as cosign stores it with --new-bundle-format; where the registry has no
// referrers API, the manifest is added to the list under the tag sha256-<hex>.
// The same bundle is stored once, however often it is given: the manifest
// depends on the bundle alone. The signature is not checked. The error is a
// *StoreError.
func (s *Storer) Store(ctx context.Context, image string, data []byte) (Stored, error) {
	repo, digest, err := statement.ParseImage(image)
	if err != nil {
		return Stored{}, &StoreError{Err: err}
	}
	a, err := readAttestation(data, digest)
	if err != nil {
		return Stored{}, &StoreError{Err: fmt.Errorf("cannot store the bundle beside %s: %w", repo.Name(), err)}
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	unlock, err := s.lock(ctx, digest)
	if err != nil {
		return Stored{}, s.failed(repo, err, false)
	}
	defer unlock()
	w := &writer{source.Repository{Repository: s.o.Client.Repository(repo)}, s.pause}
	// A manifest that is not there cannot be given a signature.
	subject, err := w.Manifest(ctx, digest.String())
	if err != nil {
		return Stored{}, s.failed(repo, err, false)
	}
	put := w.putReferrer
	if s.o.Legacy {
		put = w.putLegacy
	}
	stored, err := put(ctx, subject, a)
	if err != nil {
		return Stored{}, s.failed(repo, err, true)
	}
	stored.Location = repo.Name() + "@" + stored.Digest
	return stored, nil
}

// lock waits until no other bundle is being stored beside the image. Images may
// share a lock, which costs time and nothing else.
func (s *Storer) lock(ctx context.Context, digest v1.Hash) (unlock func(), err error) {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(digest.Hex))
	lock := s.locks[sum.Sum32()%locks]
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// failed names the repository and tells a refusal from no answer. Before
// anything is written, it is certain that this call has not stored the bundle.
func (s *Storer) failed(repo name.Repository, err error, writing bool) error {
	e := &StoreError{Unknown: !refused(err)}
	what := "the bundle was not stored beside"
	if writing && e.Unknown {
		what = "it is not known whether the bundle was stored beside"
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		e.Unknown = true
	}
	e.Err = fmt.Errorf("%s an image of %s: %w", what, repo.Name(), err)
	return e
}

// refused is true for answers that will be the same the next time.
func refused(err error) bool {
	code := 0
	if e, ok := errors.AsType[*registry.Error](err); ok {
		code = e.Status
	}
	_, never := errors.AsType[*refusal](err)
	return never || code >= 400 && code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests
}

// refusal is a reason not to write that no registry has given.
type refusal struct{ text string }

// Error is the reason.
func (e *refusal) Error() string { return e.text }

func refuse(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

// attestation is a bundle to be stored.
type attestation struct {
	data          []byte
	envelope      []byte // DSSE, JSON
	byKey         bool
	predicateType string
	created       string // may be empty
}

// readAttestation accepts a bundle that holds a statement about the digest.
func readAttestation(data []byte, digest v1.Hash) (*attestation, error) {
	if len(data) > sigbundle.MaxSize {
		return nil, refuse("the bundle has more than %d MiB", sigbundle.MaxSize>>20)
	}
	b, err := sigbundle.Parse(data)
	if err != nil {
		return nil, err
	}
	env := b.GetDsseEnvelope()
	if env == nil || env.GetPayloadType() != statement.MediaType || len(env.GetSignatures()) != 1 {
		return nil, refuse("the bundle holds no statement with one signature")
	}
	if got := b.GetMediaType(); got != string(bundleMediaType) {
		return nil, refuse("the bundle is of type %s, not %s", untrusted.Quoted(got), bundleMediaType)
	}
	st, err := statement.Parse(env.GetPayload())
	if err != nil {
		return nil, err
	}
	if !st.About(digest.String()) {
		return nil, refuse("the statement is about another digest")
	}
	a := &attestation{data: data, predicateType: st.PredicateType(), created: madeAt(st),
		byKey: b.GetVerificationMaterial().GetPublicKey() != nil}
	if entries := b.GetVerificationMaterial().GetTlogEntries(); a.created == "" && len(entries) > 0 && entries[0].GetIntegratedTime() > 0 {
		a.created = statement.Stamp(time.Unix(entries[0].GetIntegratedTime(), 0))
	}
	a.envelope, err = json.Marshal(map[string]any{
		"payloadType": env.GetPayloadType(),
		"payload":     env.GetPayload(),
		"signatures":  []map[string]any{{"keyid": env.GetSignatures()[0].GetKeyid(), "sig": env.GetSignatures()[0].GetSig()}},
	})
	return a, err
}

// madeAt is the time that a statement itself gives. It is written beside the
// bundle instead of the time of storing, so that the manifest of a bundle is
// always the same one.
func madeAt(st statement.Statement) string {
	names := map[string]string{statement.VSAType: "timeVerified", statement.ApprovalType: "time"}
	p := statement.Object(st.Predicate())
	if t, err := p.Time(names[st.PredicateType()]); err == nil {
		return statement.Stamp(t)
	}
	return ""
}

// Annotations are those of cosign.
func (a *attestation) Annotations() map[string]string {
	m := map[string]string{
		"dev.sigstore.bundle.content": "dsse-envelope",
		sigbundle.PredicateAnnotation: strings.ToValidUTF8(a.predicateType, "?"),
	}
	if a.created != "" {
		m["org.opencontainers.image.created"] = a.created
	}
	return m
}
