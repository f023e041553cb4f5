package digest

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/kubepromote/kubepromote/digest/internal/grammar"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// ListTags lists the tags of a repository, "registry.example.com/shop/cart" or
// "nginx", in the order in which the registry has them. It follows the pages of
// the distribution protocol, as long as they stay at the same place of the same
// registry, up to 100,000 tags, within the Resolver's timeout.
//
// Errors are of the kinds of [Resolver.Resolve]: a repository that is not there
// is [ErrNotFound], a repository without tags is an empty list.
func (r *Resolver) ListTags(ctx context.Context, repository string) ([]string, error) {
	repo, err := parseRepository(repository)
	if err != nil {
		return nil, err
	}
	tags, err := promptly(ctx, r, r.client.Repository(repo).Tags)
	if err != nil {
		return nil, tagsFailure(repo, repository, err)
	}
	return tags, nil
}

func parseRepository(s string) (name.Repository, error) {
	fail := func(at int, why string) (name.Repository, error) {
		return name.Repository{}, &Error{Ref: s, Kind: ErrMalformed, Err: fault.Text("byte " + strconv.Itoa(at+1) + ": " + why)}
	}
	if scheme, _, ok := strings.Cut(s, "://"); ok {
		return fail(0, strconv.Quote(scheme+"://")+" does not belong in a repository, leave it out")
	}
	repository, tag, digest := grammar.SplitReference(s)
	if at, why := grammar.CheckRepository(repository); why != "" {
		return fail(at, why)
	}
	if tag != "" || digest != "" || repository != s {
		return fail(len(repository), "tag or digest, where only a repository is asked for")
	}
	repo, err := name.NewRepository(repository)
	if err != nil {
		return fail(0, "repository not accepted") // as in newQuestion
	}
	return repo, nil
}

func tagsFailure(repo name.Repository, given string, err error) *Error {
	return failed(given, Reference{Repository: given}.Registry(), fmt.Sprintf("tags of %q", repo.RepositoryStr()),
		fmt.Sprintf("repository %q not found", repo.RepositoryStr()), err)
}
