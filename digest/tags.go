package digest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

const (
	tagsPerPage = 1000
	maxTagPages = 2000
	// maxTagPage bounds the body of one page: 1,000 tags of 128 bytes are far
	// below, and some registries send all tags at once.
	maxTagPage = 16 << 20
)

// ListTags lists the tags of a repository, "registry.example.com/shop/cart" or
// "nginx", in the order in which the registry has them. It follows the pages of
// the distribution protocol, as long as they stay at the same place of the same
// registry, up to 100,000 tags. rt carries the requests: it authenticates them,
// and retries where that is wanted. ctx bounds all of it.
//
// Errors are of the kinds of [Resolver.Resolve]: a repository that is not there
// is [ErrNotFound], a repository without tags is an empty list.
func ListTags(ctx context.Context, rt http.RoundTripper, repository string) ([]string, error) {
	repo, err := parseRepository(repository)
	if err != nil {
		return nil, err
	}
	return listTags(ctx, rt, repo, repository, "those of the given transport")
}

// ListTags lists the tags of a repository with the credentials of the Resolver,
// within its timeout; see [ListTags].
func (r *Resolver) ListTags(ctx context.Context, repository string) ([]string, error) {
	repo, err := parseRepository(repository)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	rt, tried, err := r.authenticated(ctx, repo)
	if err != nil {
		return nil, tagsFailure(repo, repository, err, tried)
	}
	return listTags(ctx, rt, repo, repository, tried)
}

// authenticated makes a transport for pulling from one repository, and names the
// credentials that it uses.
func (r *Resolver) authenticated(ctx context.Context, repo name.Repository) (rt http.RoundTripper, tried string, err error) {
	auth, err := r.keychain.ResolveContext(ctx, repo)
	tried = r.keychain.tried(repo.RegistryStr())
	if err != nil {
		return nil, tried, err
	}
	base := transport.NewUserAgent(r.transport, defaultUserAgent)
	rt, err = transport.NewWithContext(ctx, repo.Registry, auth, base, []string{repo.Scope(transport.PullScope)})
	return rt, tried, err
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

func listTags(ctx context.Context, rt http.RoundTripper, repo name.Repository, given, tried string) ([]string, error) {
	first := &url.URL{
		Scheme: repo.Scheme(), Host: repo.RegistryStr(),
		Path:     "/v2/" + repo.RepositoryStr() + "/tags/list",
		RawQuery: "n=" + strconv.Itoa(tagsPerPage),
	}
	client := &http.Client{Transport: rt, CheckRedirect: stayOnHost}
	tags := []string{}
	for page, pages := first, 1; page != nil; pages++ {
		if pages > maxTagPages {
			return nil, tagsFailure(repo, given, fault(fmt.Sprintf("answered with more than %d pages", maxTagPages)), tried)
		}
		more, next, err := tagPage(ctx, client, page)
		if err != nil {
			return nil, tagsFailure(repo, given, err, tried)
		}
		if tags = append(tags, more...); len(tags) > maxTags {
			return nil, tagsFailure(repo, given, fault(fmt.Sprintf("answered with more than %d tags", maxTags)), tried)
		}
		page = next
	}
	return tags, nil
}

// stayOnHost keeps a registry from sending this program elsewhere: lists of tags
// come from the registry itself.
func stayOnHost(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return errRedirects
	case req.URL.Host != via[0].URL.Host:
		return fault("redirected to another host")
	case via[0].URL.Scheme == "https" && req.URL.Scheme != "https":
		return fault("redirected from https to " + req.URL.Scheme)
	}
	return nil
}

func tagPage(ctx context.Context, client *http.Client, page *url.URL) (tags []string, next *url.URL, err error) {
	data, resp, err := fetchURL(ctx, client, page, "application/json", maxTagPage)
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
	next, err = nextTagPage(page, resp.Header.Values("Link"))
	return list.Tags, next, err
}

// fetchURL reads an answer whole, if it has no more than limit bytes. Every
// status but 200 is an error, with ErrNotFound where it is a definite no.
func fetchURL(ctx context.Context, client *http.Client, u *url.URL, accept string, limit int64) ([]byte, *http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, nil, err
	}
	defer resp.Body.Close()
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, limit+1), resp.Body}
	if err := transport.CheckError(resp, http.StatusOK); err != nil {
		return nil, nil, notFoundOr(err, resp)
	}
	data, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, nil, err
	case int64(len(data)) > limit:
		return nil, nil, fault(fmt.Sprintf("answered with more than %d MiB", limit>>20))
	}
	return data, resp, nil
}

// nextTagPage reads RFC 8288 links for the one with rel "next", or without a rel.
// Only its query is used: a registry behind a proxy may not know its own scheme.
func nextTagPage(page *url.URL, headers []string) (*url.URL, error) {
	for _, header := range headers {
		for header != "" {
			_, rest, ok := strings.Cut(header, "<")
			target, rest, closed := strings.Cut(rest, ">")
			if !ok || !closed {
				return nil, fault("answered with a malformed link to the next page")
			}
			params, after, _ := strings.Cut(rest, ",")
			header = strings.TrimSpace(after)
			if !isNextPage(params) {
				continue
			}
			u, err := page.Parse(target)
			switch {
			case err != nil:
				return nil, fault("answered with a malformed link to the next page")
			case u.Host != page.Host || u.Path != page.Path:
				return nil, fault("answered with a next page at another place")
			case u.RawQuery == page.RawQuery:
				return nil, fault("answered with the same page as the next one")
			}
			next := *page
			next.RawQuery = u.RawQuery
			return &next, nil
		}
	}
	return nil, nil
}

func isNextPage(params string) bool {
	hasRel := false
	for param := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if strings.EqualFold(key, "rel") {
			hasRel = true
			for rel := range strings.FieldsSeq(strings.Trim(value, `"`)) {
				if strings.EqualFold(rel, "next") {
					return true
				}
			}
		}
	}
	return !hasRel
}

// notFoundOr adds ErrNotFound where the registry says that there is no such
// thing. A web page that is not found may come from a proxy.
func notFoundOr(err error, resp *http.Response) error {
	var answered *transport.Error
	if !errors.As(err, &answered) || answered.StatusCode != http.StatusNotFound {
		return err
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") && !saysUnknown(answered) {
		return err
	}
	return errors.Join(ErrNotFound, err)
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
