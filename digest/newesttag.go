package digest

import (
	"context"
	"errors"
	"fmt"
	"time"
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
		return r.Created(ctx, repository+":"+tag)
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
	text := fmt.Sprintf("%q: %v", Reference{Repository: repository}.Path(), err)
	var asked *Error // about when a tag was built
	if errors.As(err, &asked) {
		e.Status, text = asked.Status, fmt.Sprintf("creation time: %v", asked.Err)
	}
	e.Err = &cause{text: text, err: err}
	return e
}
