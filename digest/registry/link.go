package registry

import (
	"net/url"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
)

// nextPage reads RFC 8288 links for the one with rel "next", or without a rel.
// The next page has to be one of the same list, and only the query of the link is
// used: a registry behind a proxy may not know its own scheme.
func nextPage(page *url.URL, headers []string) (*url.URL, error) {
	for _, header := range headers {
		for header != "" {
			_, rest, ok := strings.Cut(header, "<")
			target, rest, closed := strings.Cut(rest, ">")
			if !ok || !closed {
				return nil, fault.Text("answered with a malformed link to the next page")
			}
			params, after, _ := strings.Cut(rest, ",")
			header = strings.TrimSpace(after)
			if !isNext(params) {
				continue
			}
			u, err := page.Parse(target)
			switch {
			case err != nil:
				return nil, fault.Text("answered with a malformed link to the next page")
			case u.Host != page.Host || u.Path != page.Path:
				return nil, fault.Text("answered with a next page that is not of the same list")
			case u.RawQuery == page.RawQuery:
				return nil, fault.Text("answered with a next page that is the same page")
			}
			next := *page
			next.RawQuery = u.RawQuery
			return &next, nil
		}
	}
	return nil, nil
}

func isNext(params string) bool {
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
