package digest

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// question is one manifest asked for: the digest of ref if it has one, else
// its tag.
type question struct {
	ref  Reference
	repo name.Repository
}

func newQuestion(ref Reference) (question, error) {
	repo, err := name.NewRepository(ref.Repository)
	if err != nil {
		// The grammar here is the narrower one; this is for the day it is not.
		return question{}, &Error{Ref: ref.String(), Kind: ErrMalformed, Err: fault("repository not accepted")}
	}
	return question{ref: ref, repo: repo}, nil
}

// String is the subject of messages: tag "v1" of "shop/cart".
func (q question) String() string {
	if q.ref.Digest != "" {
		return fmt.Sprintf("digest %s of %q", q.ref.Digest, q.ref.Path())
	}
	return fmt.Sprintf("tag %q of %q", q.ref.Tag, q.ref.Path())
}

// target is the reference to hand to the library. A digest goes as if it were a
// tag: the URL is the same, and the comparison of asked and answered digest
// stays here, where its outcome is more than a text.
func (q question) target() name.Reference {
	if q.ref.Digest != "" {
		return q.repo.Tag(q.ref.Digest)
	}
	return q.repo.Tag(q.ref.Tag)
}

// ask returns when there is an answer or when ctx ends, whichever is first. The
// library may be held up by a transport or a keychain that does not look at
// ctx, or by another question's handshake with the same repository; its
// goroutine then ends with that.
func (r *Resolver) ask(ctx context.Context, q question) (v1.Descriptor, error) {
	if err := ctx.Err(); err != nil {
		return v1.Descriptor{}, err
	}
	type answer struct {
		desc v1.Descriptor
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		desc, err := r.patientManifest(ctx, q)
		answers <- answer{desc, err}
	}()
	select {
	case a := <-answers:
		return a.desc, a.err
	case <-ctx.Done():
		return v1.Descriptor{}, ctx.Err()
	}
}

// patientManifest asks again when someone else's handshake was cancelled. The
// puller shares the first handshake with a repository among all who want it,
// under the context of whoever came first.
func (r *Resolver) patientManifest(ctx context.Context, q question) (v1.Descriptor, error) {
	for {
		desc, err := r.manifest(ctx, q)
		var ended *endedError
		if !errors.As(err, &ended) || ctx.Err() != nil {
			return desc, err
		}
		// Whoever was cancelled is gone, so this comes to an end.
	}
}

// manifest asks by HEAD and, where that cannot tell, by GET.
func (r *Resolver) manifest(ctx context.Context, q question) (v1.Descriptor, error) {
	seen := &sighting{}
	ctx = context.WithValue(ctx, sightingKey{}, seen)
	desc, err := r.puller.Head(ctx, q.target())
	if err == nil {
		if _, why := checkDigest(desc.Digest.String()); why == "" {
			return *desc, q.check(desc)
		}
	} else if !seen.inconclusive() {
		return v1.Descriptor{}, verdict(err, seen)
	}
	got, err := r.puller.Get(ctx, q.target())
	if err != nil {
		return v1.Descriptor{}, verdict(err, seen)
	}
	if got.MediaType == types.DockerManifestSchema1Signed {
		// The digest of such a manifest is not that of its bytes.
		return v1.Descriptor{}, fault("answered with a schema 1 manifest and no digest")
	}
	return got.Descriptor, q.check(&got.Descriptor)
}

// check compares the digest that was asked for with the one that was answered.
func (q question) check(desc *v1.Descriptor) error {
	if q.ref.Digest != "" && desc.Digest.String() != q.ref.Digest {
		return fault("answered with another digest, " + desc.Digest.String())
	}
	return nil
}

// inconclusive tells a HEAD whose answer a GET can better: one without a usable
// digest, one not allowed, and a 404 as a web page, which comes from a proxy as
// likely as from the registry.
func (s *sighting) inconclusive() bool {
	if s.method != http.MethodHead {
		return false
	}
	return s.status == http.StatusOK || s.status == http.StatusMethodNotAllowed ||
		s.status == http.StatusNotFound && s.html
}

// verdict adds ErrNotFound to an error that is a definite no.
func verdict(err error, seen *sighting) error {
	var answered *transport.Error
	if !errors.As(err, &answered) || answered.StatusCode != http.StatusNotFound {
		return err
	}
	if answered.Request == nil || !isManifestRequest(answered.Request) {
		return err
	}
	if seen.html && !saysUnknown(answered) {
		return err
	}
	return errors.Join(ErrNotFound, err)
}

func saysUnknown(e *transport.Error) bool {
	for _, d := range e.Errors {
		switch d.Code {
		case transport.ManifestUnknownErrorCode, transport.NameUnknownErrorCode, "NOT_FOUND":
			return true
		}
	}
	return false
}
