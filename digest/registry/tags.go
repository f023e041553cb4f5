package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/kubepromote/kubepromote/internal/fault"
)

const (
	tagsPerPage = 1000
	maxTagPages = 2000
	maxTags     = 100_000
)

// HasTag looks for a tag in the list of them. It is for those that must not write over
// what is there: some registries answer 403 for a tag that they do not have, as for one
// that may not be read. A repository that is not there has no tags.
func (r *Repository) HasTag(ctx context.Context, tag string) (bool, error) {
	tags, err := r.Tags(ctx)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return slices.Contains(tags, tag), err
}

// Tags lists the tags of the repository in the order in which the registry has
// them, all pages of them, up to 100,000. It is ErrNotFound where there is no
// such repository.
func (r *Repository) Tags(ctx context.Context) ([]string, error) {
	page := r.url("tags/list", url.Values{"n": {strconv.Itoa(tagsPerPage)}})
	tags := []string{}
	for range maxTagPages {
		resp, body, err := r.read(ctx, request{method: http.MethodGet, url: page, accept: "application/json"}, http.StatusOK)
		if err != nil {
			return nil, err
		}
		var list struct {
			Name *string  `json:"name"`
			Tags []string `json:"tags"`
		}
		if err := json.Unmarshal(body, &list); err != nil || list.Name == nil && list.Tags == nil {
			return nil, r.failure(fault.Text("answered with something else than a list of tags"))
		}
		if tags = append(tags, list.Tags...); len(tags) > maxTags {
			return nil, r.failure(fault.Text(fmt.Sprintf("answered with more than %d tags", maxTags)))
		}
		if page, err = nextPage(page, resp.Header.Values("Link")); err != nil {
			return nil, r.failure(err)
		}
		if page == nil {
			return tags, nil
		}
	}
	return nil, r.failure(fault.Text(fmt.Sprintf("answered with more than %d pages", maxTagPages)))
}
