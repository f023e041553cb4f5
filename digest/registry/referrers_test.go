package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry"
)

// referrersPage is an index with n referrers.
func referrersPage(from, n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"mediaType":%q,"digest":"sha256:%064x","size":1,"artifactType":"x"}`, registrytest.ManifestType, from+i))
	}
	return `{"schemaVersion":2,"manifests":[` + strings.Join(list, ",") + `]}`
}

// listing serves pages of referrers; links are the Link headers, in turn.
func listing(mediaType string, pages, links []string) func(http.ResponseWriter, *http.Request) bool {
	n := 0
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return false
		}
		w.Header().Set("Content-Type", mediaType)
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
		mediaType    string
		pages, links []string
		want         int // also where an error follows
		says         string
	}{
		{"none", registrytest.IndexType, []string{referrersPage(0, 0)}, []string{""}, 0, ""},
		{"one page", registrytest.IndexType, []string{referrersPage(0, 3)}, []string{""}, 3, ""},
		{"of another type", "application/json", []string{referrersPage(0, 3)}, []string{""}, 3, ""},
		{"three pages", registrytest.IndexType, []string{referrersPage(0, 3), referrersPage(3, 3), referrersPage(6, 1)},
			[]string{next + `D?page=N>; rel="next"`, `<x>; rel=prev, <?page=N>; rel=next`, ""}, 7, ""},
		{"pages without end", registrytest.IndexType, []string{referrersPage(0, 1)}, []string{`<?page=N>; rel="next"`}, 100, "answered with more than 100 pages of referrers"},
		{"the same page", registrytest.IndexType, []string{referrersPage(0, 1)}, []string{`<?>; rel="next"`}, 1, "answered with a next page that is the same page"},
		{"another host", registrytest.IndexType, []string{referrersPage(0, 1)}, []string{`<http://169.254.169.254/x>; rel="next"`}, 1, "answered with a next page that is not of the same list"},
		{"another list", registrytest.IndexType, []string{referrersPage(0, 1)}, []string{`</v2/b/tags/list>; rel="next"`}, 1, "answered with a next page that is not of the same list"},
		{"too many", registrytest.IndexType, []string{referrersPage(0, 6000)}, []string{`<?page=N>; rel="next"`}, 10000, "answered with more than 10000 referrers"},
		{"not JSON", registrytest.IndexType, []string{"<html>"}, []string{""}, 0, "answered with a list of referrers that is not an index"},
		{"not JSON after a page", registrytest.IndexType, []string{referrersPage(0, 2), "<html>"}, []string{`<?page=N>; rel="next"`, ""}, 2, "answered with a list of referrers that is not an index"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := registrytest.New(t)
			subject := f.Push(t, "a", "b", "one")
			for i := range tt.links {
				tt.links[i] = strings.ReplaceAll(tt.links[i], "sha256:D", subject)
			}
			f.SetFault(listing(tt.mediaType, tt.pages, tt.links))
			got, byTag, err := newRepository(t, registry.Options{}, f.Host+"/a").Referrers(t.Context(), hashOf(t, subject))
			if len(got) != tt.want || byTag {
				t.Errorf("%d referrers, by tag %v, want %d", len(got), byTag, tt.want)
			}
			if tt.says == "" && err != nil || tt.says != "" && (errors.Is(err, registry.ErrNotFound) || fmt.Sprint(err) != tt.says) {
				t.Errorf("got  %v\nwant %s", err, tt.says)
			}
		})
	}
}

// A second page as a web page is not the end of the list.
func TestReferrersWebPage(t *testing.T) {
	f := registrytest.New(t)
	subject := f.Push(t, "a", "b", "one")
	n := 0
	f.SetFault(registrytest.OnPath("/referrers/", func(w http.ResponseWriter, _ *http.Request) {
		if n++; n > 1 {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, "<html>")
			return
		}
		w.Header().Set("Content-Type", registrytest.IndexType)
		w.Header().Set("Link", `<?page=2>; rel="next"`)
		fmt.Fprint(w, referrersPage(0, 2))
	}))
	got, byTag, err := newRepository(t, registry.Options{}, f.Host+"/a").Referrers(t.Context(), hashOf(t, subject))
	if want := `page 2 is "text/html" and no image index`; len(got) != 2 || byTag || fmt.Sprint(err) != want {
		t.Errorf("got %d, %v, %v, want 2 and %s", len(got), byTag, err, want)
	}
}

// Registries without the API have an index under a tag, or nothing.
func TestReferrersByTag(t *testing.T) {
	f := registrytest.New(t)
	subject := f.Push(t, "a", "b", "one")
	tag := strings.Replace(subject, ":", "-", 1)
	for name, refuse := range map[string]http.HandlerFunc{
		"404":       registrytest.Status(404),
		"400":       registrytest.Status(400),
		"405":       registrytest.Status(405),
		"406":       registrytest.Status(406),
		"web page":  func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) },
		"a 404 too": registrytest.Status(404, "Content-Type", "text/html"),
	} {
		page, mediaType := "", registrytest.IndexType
		f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case strings.Contains(r.URL.Path, "/referrers/"):
				refuse(w, r)
			case page != "" && strings.HasSuffix(r.URL.Path, tag):
				w.Header().Set("Content-Type", mediaType)
				fmt.Fprint(w, page)
			default:
				return false
			}
			return true
		})
		repo := newRepository(t, registry.Options{}, f.Host+"/a")
		if got, byTag, err := repo.Referrers(t.Context(), hashOf(t, subject)); err != nil || got != nil || !byTag {
			t.Errorf("%s, no tag: %v, %v, %v", name, got, byTag, err)
		}
		page = referrersPage(0, 2)
		got, byTag, err := repo.Referrers(t.Context(), hashOf(t, subject))
		if err != nil || !byTag || len(got) != 2 || got[0].ArtifactType != "x" || got[0].Size != 1 || got[0].MediaType != registrytest.ManifestType {
			t.Errorf("%s, by tag: %+v, %v, %v", name, got, byTag, err)
		}
		// Something else under the tag is not "nothing".
		page, mediaType = string(registrytest.Manifest("two")), registrytest.ManifestType
		_, byTag, err = repo.Referrers(t.Context(), hashOf(t, subject))
		if want := `what stands under the tag for referrers is "` + registrytest.ManifestType + `" and no image index`; !byTag || fmt.Sprint(err) != want {
			t.Errorf("%s, an image under the tag: %v, %v, want %s", name, byTag, err, want)
		}
	}
}

// A registry that fails has not said that there are none, nor has a token server
// that answers as a registry without this request does.
func TestReferrersUnknown(t *testing.T) {
	f := registrytest.New(t)
	subject := f.Push(t, "a", "b", "one")
	for _, part := range []string{"/referrers/", "/manifests/sha256-"} {
		f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
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
		got, _, err := newRepository(t, registry.Options{}, f.Host+"/a").Referrers(t.Context(), hashOf(t, subject))
		if err == nil || errors.Is(err, registry.ErrNotFound) || got != nil {
			t.Errorf("%s refused: %v, %v", part, got, err)
		}
	}
	tokens := 0
	f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			tokens++
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+f.Host+`/token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	_, byTag, err := newRepository(t, registry.Options{}, f.Host+"/a").Referrers(t.Context(), hashOf(t, subject))
	if err == nil || byTag || tokens != 1 || errors.Is(err, registry.ErrNotFound) {
		t.Errorf("token server without tokens: %v, by tag %v, asked %d times", err, byTag, tokens)
	}
}
