package tags

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// Newest finds the newest tag of a repository by a selector, and what it stands
// for. That no tag is admitted is a [digest.ErrNotFound], whose text says what the
// tags lack. Errors are [*digest.Error] values, as of [digest.Resolver.ListTags] and
// [digest.Resolver.Resolve]; the Selection is there even where the tag could not be
// resolved.
func Newest(ctx context.Context, r *digest.Resolver, repository string, s *Selector) (Selection, digest.Resolution, error) {
	chosen, err := Choose(ctx, r, repository, s)
	if err != nil {
		return chosen, digest.Resolution{Ref: repository}, err
	}
	res, err := r.Resolve(ctx, repository+":"+chosen.Tag)
	return chosen, res, err
}

// Choose is Newest for a caller who resolves the tag himself.
func Choose(ctx context.Context, r *digest.Resolver, repository string, s *Selector) (Selection, error) {
	tags, err := r.ListTags(ctx, repository)
	if err != nil {
		return Selection{}, err
	}
	chosen, err := s.SelectCreated(ctx, tags, func(ctx context.Context, tag string) (time.Time, error) {
		return r.Created(ctx, repository+":"+tag)
	})
	if err != nil {
		return chosen, newestFailure(repository, err)
	}
	return chosen, nil
}

// newestFailure says of which repository no tag was chosen.
func newestFailure(repository string, err error) *digest.Error {
	e := &digest.Error{Ref: repository, Registry: digest.Reference{Repository: repository}.Registry(), Kind: digest.ErrUnknown}
	if errors.Is(err, ErrNoTag) {
		e.Kind = digest.ErrNotFound
	}
	text := fmt.Sprintf("%q: %v", digest.Reference{Repository: repository}.Path(), err)
	var asked *digest.Error // about when a tag was built
	if errors.As(err, &asked) {
		e.Status, text = asked.Status, fmt.Sprintf("creation time: %v", asked.Err)
	}
	e.Err = &fault.Cause{Text: text, Err: err}
	return e
}
