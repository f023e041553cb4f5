package digest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

const (
	tagsPerPage = 1000
	maxTagPages = 2000
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
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	tags, err := promptly(ctx, func(ctx context.Context) ([]string, error) { return r.tags(ctx, repo) })
	if err != nil {
		return nil, tagsFailure(repo, repository, err, r.transport.Tried(repo))
	}
	return tags, nil
}

func parseRepository(s string) (name.Repository, error) {
	fail := func(at int, why string) (name.Repository, error) {
		return name.Repository{}, &Error{Ref: s, Kind: ErrMalformed, Err: fault("byte " + strconv.Itoa(at+1) + ": " + why)}
	}
	if scheme, _, ok := strings.Cut(s, "://"); ok {
		return fail(0, strconv.Quote(scheme+"://")+" does not belong in a repository, leave it out")
	}
	repository, tag, digest := splitReference(s)
	if at, why := checkRepository(repository); why != "" {
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

// tags reads all pages.
func (r *Resolver) tags(ctx context.Context, repo name.Repository) ([]string, error) {
	page := &url.URL{
		Scheme: "https", Host: repo.RegistryStr(), Path: "/v2/" + repo.RepositoryStr() + "/tags/list",
		RawQuery: "n=" + strconv.Itoa(tagsPerPage),
	}
	tags := []string{}
	for range maxTagPages {
		more, next, err := r.tagPage(ctx, page)
		if err != nil {
			return nil, err
		}
		if tags = append(tags, more...); len(tags) > maxTags {
			return nil, fault(fmt.Sprintf("answered with more than %d tags", maxTags))
		}
		if next == nil {
			return tags, nil
		}
		page = next
	}
	return nil, fault(fmt.Sprintf("answered with more than %d pages", maxTagPages))
}

func (r *Resolver) tagPage(ctx context.Context, page *url.URL) (tags []string, next *url.URL, err error) {
	resp, err := r.requestURL(ctx, http.MethodGet, page, "application/json")
	if err != nil {
		return nil, nil, err
	}
	data, err := readAnswer(resp)
	if err != nil {
		return nil, nil, err
	}
	var list struct {
		Name *string  `json:"name"`
		Tags []string `json:"tags"`
	}
	if err := json.Unmarshal(data, &list); err != nil || list.Name == nil && list.Tags == nil {
		return nil, nil, fault("answered with something else than a list of tags")
	}
	next, err = nextPage(page, resp.Header.Values("Link"))
	return list.Tags, next, err
}

func tagsFailure(repo name.Repository, given string, err error, tried string) *Error {
	e := &Error{Ref: given, Registry: Reference{Repository: given}.Registry(), Kind: ErrUnknown}
	what := fmt.Sprintf("tags of %q", repo.RepositoryStr())
	if errors.Is(err, ErrNotFound) {
		e.Kind, e.Status = ErrNotFound, http.StatusNotFound
		e.Err = fault(fmt.Sprintf("repository %q not found", repo.RepositoryStr()))
		return e
	}
	status, text := describe(err, tried)
	e.Status, e.Err = status, &cause{text: what + ": " + text, err: err}
	return e
}
