package digest

import (
	"context"
	"errors"
	"fmt"
	"net/http"

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
		return none, ctx.Err()
	}
}

// manifest reads the manifest of a question.
func (q question) manifest(ctx context.Context) ([]byte, v1.Descriptor, error) {
	desc, data, err := q.repo.Manifest(ctx, q.identifier())
	return data, desc, err
}

// failure makes the error of a question that was asked.
func failure(q question, err error) *Error {
	e := &Error{Ref: q.ref.String(), Registry: q.ref.Registry(), Kind: ErrUnknown}
	if errors.Is(err, ErrNotFound) {
		e.Kind, e.Status = ErrNotFound, http.StatusNotFound
		e.Err = fault.Text(q.String() + " not found")
		return e
	}
	status, text := describe(err)
	e.Status, e.Err = status, &fault.Cause{Text: fmt.Sprintf("%s: %s", q, text), Err: err}
	return e
}

// describe gives the words for what went wrong, and the HTTP status if that is
// what went wrong.
func describe(err error) (status int, text string) {
	var asked *registry.Error
	if errors.As(err, &asked) {
		status = asked.Status
	}
	var said *fault.Cause
	var own fault.Text
	switch {
	case errors.As(err, &said):
		return status, said.Error()
	case asked != nil:
		return status, asked.Error()
	case errors.As(err, &own): // what was answered makes no sense
		return status, own.Error()
	}
	return 0, fault.Network(err)
}
