package digest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Newest finds the newest tag of a repository by a selector, and what it stands
// for. That no tag is admitted is an [ErrNotFound], whose text says what the tags
// lack. Errors are *Error values, as of [Resolver.ListTags] and
// [Resolver.Resolve]; the Selection is there even where the tag could not be
// resolved.
func (r *Resolver) Newest(ctx context.Context, repository string, s *Selector) (Selection, Resolution, error) {
	tags, err := r.ListTags(ctx, repository)
	if err != nil {
		return Selection{}, Resolution{Ref: repository}, err
	}
	chosen, err := s.SelectCreated(ctx, tags, func(ctx context.Context, tag string) (time.Time, error) {
		return r.created(ctx, repository+":"+tag)
	})
	if err != nil {
		return chosen, Resolution{Ref: repository}, newestFailure(repository, err)
	}
	res, err := r.Resolve(ctx, repository+":"+chosen.Tag)
	return chosen, res, err
}

// newestFailure says of which repository no tag was chosen.
func newestFailure(repository string, err error) *Error {
	e := &Error{Ref: repository, Registry: Reference{Repository: repository}.Registry(), Kind: ErrUnknown}
	if errors.Is(err, ErrNoTag) {
		e.Kind = ErrNotFound
	}
	e.Err = &cause{text: fmt.Sprintf("%q: %v", Reference{Repository: repository}.Path(), err), err: err}
	return e
}

// created asks when the image of a tag was built, by its configuration; of an
// index, by that of its first image.
func (r *Resolver) created(ctx context.Context, ref string) (time.Time, error) {
	parsed, err := ParseReference(ref)
	if err != nil {
		return time.Time{}, err
	}
	q, err := newQuestion(parsed)
	if err != nil {
		return time.Time{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	at, err := promptly(ctx, func(ctx context.Context) (time.Time, error) { return r.readCreated(ctx, q) })
	if err != nil {
		return time.Time{}, failure(q, err, r.transport.Tried(q.repo))
	}
	return at, nil
}

func (r *Resolver) readCreated(ctx context.Context, q question) (time.Time, error) {
	data, _, err := r.get(ctx, q)
	if err != nil {
		return time.Time{}, err
	}
	var m manifestFields
	if err := json.Unmarshal(data, &m); err != nil {
		return time.Time{}, fault("answered with a manifest that is not JSON of its kind")
	}
	if m.Manifests != nil && len(*m.Manifests) > 0 {
		q.ref.Tag, q.ref.Digest = "", (*m.Manifests)[0].Digest.String()
		if data, _, err = r.get(ctx, q); err != nil {
			return time.Time{}, err
		}
		m = manifestFields{}
		if err := json.Unmarshal(data, &m); err != nil {
			return time.Time{}, fault("answered with a manifest that is not JSON of its kind")
		}
	}
	if m.Config == nil {
		return time.Time{}, nil // no image, so it was built at no known time
	}
	var config struct{ Created v1.Time }
	err = r.readConfig(ctx, q.repo, *m.Config, &config)
	return config.Created.Time, err
}
