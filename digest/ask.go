package digest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// question is one manifest asked for: the digest of ref if it has one, else
// its tag.
type question struct {
	ref  Reference
	repo *registry.Repository
}

// parse makes the question about a reference.
func (r *Resolver) parse(s string) (question, error) {
	ref, err := ParseReference(s)
	if err != nil {
		return question{}, err
	}
	return r.question(ref)
}

func (r *Resolver) question(ref Reference) (question, error) {
	repo, err := name.NewRepository(ref.Repository)
	if err != nil {
		// The grammar here is the narrower one; this is for the day it is not.
		return question{}, &Error{Ref: ref.String(), Kind: ErrMalformed, Err: fault.Text("repository not accepted")}
	}
	return question{ref: ref, repo: r.client.Repository(repo)}, nil
}

// String is the subject of messages: tag "v1" of "shop/cart".
func (q question) String() string {
	if q.ref.Digest != "" {
		return fmt.Sprintf("digest %s of %q", q.ref.Digest, q.ref.Path())
	}
	return fmt.Sprintf("tag %q of %q", q.ref.Tag, q.ref.Path())
}

// identifier is the last part of the URL.
func (q question) identifier() string {
	if q.ref.Digest != "" {
		return q.ref.Digest
	}
	return q.ref.Tag
}

// lastWords is how long an end is waited for that a context has asked for.
const lastWords = 50 * time.Millisecond

// promptly bounds a question by the Resolver's timeout, and returns when ask
// does or when ctx ends, whichever is first. A transport or a keychain of the
// caller's need not look at ctx; the goroutine then ends with that.
func promptly[T any](ctx context.Context, r *Resolver, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := ask(ctx)
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-answers: // what ends in an orderly way has told the client how
		if a.err == nil {
			return a.value, nil
		}
	case <-time.After(lastWords):
	}
	return none, ctx.Err()
}

// manifest reads the manifest of a question.
func (q question) manifest(ctx context.Context) ([]byte, v1.Descriptor, error) {
	desc, data, err := q.repo.Manifest(ctx, q.identifier())
	return data, desc, err
}

// failure makes the error of a question that was asked.
func failure(q question, err error) *Error {
	return failed(q.ref.String(), q.ref.Registry(), q.String(), q.String()+" not found", err)
}

// failed makes the error of what was asked about a reference; absent says that there
// is no such thing.
func failed(ref, host, what, absent string, err error) *Error {
	e := &Error{Ref: ref, Registry: host, Kind: ErrUnknown}
	if errors.Is(err, ErrNotFound) {
		e.Kind, e.Status, e.Err = ErrNotFound, http.StatusNotFound, fault.Text(absent)
		return e
	}
	status, text := registry.Describe(err)
	e.Status, e.Err = status, &fault.Cause{Text: what + ": " + text, Err: err}
	return e
}
