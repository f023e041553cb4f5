package digest_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/digest"
)

// referrersPage is an index with n referrers of a type.
func referrersPage(from, n int, artifactType string) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"mediaType":%q,"digest":"sha256:%064x","size":1,"artifactType":%q}`, manifestType, from+i, artifactType))
	}
	return `{"schemaVersion":2,"manifests":[` + strings.Join(list, ",") + `]}`
}

// listing serves pages of referrers; links are the Link headers, in turn.
func listing(pages, links []string) func(http.ResponseWriter, *http.Request) bool {
	n := 0
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return false
		}
		w.Header().Set("Content-Type", indexType)
		if links[n%len(links)] != "" {
			w.Header().Set("Link", strings.ReplaceAll(links[n%len(links)], "N", fmt.Sprint(n+1)))
		}
		fmt.Fprint(w, pages[n%len(pages)])
		n++
		return true
	}
}

func TestReferrers(t *testing.T) {
	next := `</v2/a/referrers/sha256:`
	for _, tt := range []struct {
		name         string
		pages, links []string
		want         int
		says         string
	}{
		{"none", []string{referrersPage(0, 0, "x")}, []string{""}, 0, ""},
		{"one page", []string{referrersPage(0, 3, "x")}, []string{""}, 3, ""},
		{"of other types", []string{referrersPage(0, 3, "y")}, []string{""}, 0, ""},
		{"three pages", []string{referrersPage(0, 3, "x"), referrersPage(3, 3, "x"), referrersPage(6, 1, "x")},
			[]string{next + `D?page=N>; rel="next"`, `<x>; rel=prev, <?page=N>; rel=next`, ""}, 7, ""},
		{"pages without end", []string{referrersPage(0, 1, "x")}, []string{`<?page=N>; rel="next"`}, 0, "answered with more than 100 pages of referrers"},
		{"the same page", []string{referrersPage(0, 1, "x")}, []string{`<?artifactType=x>; rel="next"`}, 0, "answered with a next page that is the same page"},
		{"another host", []string{referrersPage(0, 1, "x")}, []string{`<http://169.254.169.254/x>; rel="next"`}, 0, "answered with a next page that is not of the same list"},
		{"another list", []string{referrersPage(0, 1, "x")}, []string{`</v2/b/tags/list>; rel="next"`}, 0, "answered with a next page that is not of the same list"},
		{"too many", []string{referrersPage(0, 6000, "x")}, []string{`<?page=N>; rel="next"`}, 0, "answered with more than 10000 referrers"},
		{"not JSON", []string{"<html>"}, []string{""}, 0, "answered with a list of referrers that is not an index"},
		{"sha512", []string{strings.ReplaceAll(referrersPage(0, 1, "x"), "sha256:", "sha512:"+strings.Repeat("0", 64))}, []string{""}, 0, "answered with a referrer whose digest is not sha256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFront(t)
			subject := f.push(t, "a", "b", "one")
			for i := range tt.links {
				tt.links[i] = strings.ReplaceAll(tt.links[i], "sha256:D", subject)
			}
			f.setFault(listing(tt.pages, tt.links))
			got, err := newResolver(t, resolverOptions{}).Referrers(t.Context(), f.host+"/a:b", "x")
			if tt.says == "" {
				if err != nil || len(got) != tt.want {
					t.Errorf("%d referrers, %v, want %d", len(got), err, tt.want)
				}
				return
			}
			if want := f.host + ": digest " + subject + ` of "a": ` + tt.says; !errors.Is(err, digest.ErrUnknown) || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// Registries without the API have an index under a tag, or nothing.
func TestReferrersByTag(t *testing.T) {
	f := newFront(t)
	subject := f.push(t, "a", "b", "one")
	tag := strings.Replace(subject, ":", "-", 1)
	for name, answer := range map[string]http.HandlerFunc{
		"404":       status(404),
		"400":       status(400),
		"web page":  func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) },
		"a 404 too": status(404, "Content-Type", "text/html"),
	} {
		page := ""
		f.setFault(func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case strings.Contains(r.URL.Path, "/referrers/"):
				answer(w, r)
			case page != "" && strings.HasSuffix(r.URL.Path, tag):
				w.Header().Set("Content-Type", indexType)
				fmt.Fprint(w, page)
			default:
				return false
			}
			return true
		})
		r := newResolver(t, resolverOptions{})
		if got, err := r.Referrers(t.Context(), f.host+"/a@"+subject, ""); err != nil || got != nil {
			t.Errorf("%s, no tag: %v, %v", name, got, err)
		}
		page = referrersPage(0, 2, "x")
		got, err := r.Referrers(t.Context(), f.host+"/a@"+subject, "x")
		if err != nil || len(got) != 2 || got[0].ArtifactType != "x" || got[0].Size != 1 || got[0].MediaType != manifestType {
			t.Errorf("%s, by tag: %+v, %v", name, got, err)
		}
	}
}

// A registry that fails has not said that there are none.
func TestReferrersUnknown(t *testing.T) {
	f := newFront(t)
	subject := f.push(t, "a", "b", "one")
	for _, part := range []string{"/referrers/", "/manifests/sha256-"} {
		f.setFault(func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case strings.Contains(r.URL.Path, part):
				w.WriteHeader(http.StatusForbidden)
			case strings.Contains(r.URL.Path, "/referrers/"):
				w.WriteHeader(http.StatusNotFound)
			default:
				return false
			}
			return true
		})
		got, err := newResolver(t, resolverOptions{}).Referrers(t.Context(), f.host+"/a@"+subject, "")
		if !errors.Is(err, digest.ErrUnknown) || got != nil {
			t.Errorf("%s refused: %v, %v", part, got, err)
		}
	}
}
