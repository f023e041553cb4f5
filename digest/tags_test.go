package digest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
)

func TestListTags(t *testing.T) {
	f := registrytest.New(t)
	for _, tag := range []string{"v1", "v2", "latest"} {
		f.Push(t, "shop/cart", tag, tag)
	}
	r := registrytest.NewResolver(t, registrytest.Options{})
	want := []string{"latest", "v1", "v2"}
	got, err := r.ListTags(t.Context(), f.Host+"/shop/cart")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	_, err = r.ListTags(t.Context(), f.Host+"/shop/nothing")
	if !errors.Is(err, digest.ErrNotFound) || err.Error() != f.Host+`: repository "shop/nothing" not found` {
		t.Errorf("not found: %v", err)
	}
}

// paged answers with one tag a page, and with links as link makes them.
func paged(n int, link func(host, next string) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		i := 0
		fmt.Sscanf(r.URL.Query().Get("last"), "v%d", &i)
		if i+1 < n {
			w.Header().Set("Link", link(r.Host, fmt.Sprintf("last=v%d&n=1", i+1)))
		}
		fmt.Fprintf(w, `{"name":"shop/cart","tags":["v%d"]}`, i)
	}
}

func TestListTagsPages(t *testing.T) {
	path := "/v2/shop/cart/tags/list?"
	for name, link := range map[string]func(host, next string) string{
		"relative": func(_, next string) string { return "<" + path + next + `>; rel="next"` },
		"no path":  func(_, next string) string { return "<?" + next + `>; rel=next` },
		"absolute": func(host, next string) string { return "<http://" + host + path + next + `>; rel="next"` },
		"another scheme": func(host, next string) string {
			return "<https://" + host + path + next + `>; title=x; rel="last next"`
		},
		"without rel":  func(_, next string) string { return "<" + path + next + ">" },
		"others first": func(_, next string) string { return `</a>; rel="first", <` + path + next + `>; rel="next"` },
	} {
		t.Run(name, func(t *testing.T) {
			f := registrytest.New(t)
			f.SetFault(registrytest.OnTags(paged(3, link)))
			got, err := registrytest.NewResolver(t, registrytest.Options{}).ListTags(t.Context(), f.Host+"/shop/cart")
			if diff := cmp.Diff([]string{"v0", "v1", "v2"}, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestListTagsUnknown(t *testing.T) {
	body := func(header, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if header != "" {
				w.Header().Set("Link", header)
			}
			fmt.Fprint(w, text)
		}
	}
	endless := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", fmt.Sprintf("<?last=%d>", time.Now().UnixNano()))
		fmt.Fprint(w, `{"name":"shop/cart","tags":[]}`)
	}
	webPage := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
	}
	loop := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }
	one := `{"name":"shop/cart","tags":["v1"]}`
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"unauthorized":   {registrytest.Status(401), `tags of "shop/cart": unauthorized (401): credentials tried: none`},
		"forbidden":      {registrytest.Status(403), `tags of "shop/cart": forbidden (403): credentials tried: none`},
		"limit":          {registrytest.Status(429, "Retry-After", "3600"), `tags of "shop/cart": too many requests (429)`},
		"error":          {registrytest.Status(501), `tags of "shop/cart": server error (501)`},
		"web page":       {webPage, `tags of "shop/cart": does not answer as a registry (404)`},
		"reset":          {registrytest.Reset, `tags of "shop/cart": connection closed before the answer was complete`},
		"no JSON":        {body("", "<html>"), `tags of "shop/cart": answered with something else than a list of tags`},
		"another object": {body("", `{"errors":[]}`), `tags of "shop/cart": answered with something else than a list of tags`},
		"another host":   {body("<http://localhost:1/v2/shop/cart/tags/list?last=a>", one), `tags of "shop/cart": answered with a next page that is not of the same list`},
		"another path":   {body("</v2/shop/other/tags/list?last=a>", one), `tags of "shop/cart": answered with a next page that is not of the same list`},
		"no path":        {body("<../../..?last=a>", one), `tags of "shop/cart": answered with a next page that is not of the same list`},
		"same page":      {body("<?n=1000>", one), `tags of "shop/cart": answered with a next page that is the same page`},
		"malformed":      {body("next", one), `tags of "shop/cart": answered with a malformed link to the next page`},
		"malformed URL":  {body("<%zz>", one), `tags of "shop/cart": answered with a malformed link to the next page`},
		"endless":        {endless, `tags of "shop/cart": answered with more than 2000 pages`},
		"loop":           {loop, `tags of "shop/cart": answered with more than 10 redirects`},
	} {
		t.Run(name, func(t *testing.T) {
			f := registrytest.New(t)
			f.SetFault(registrytest.OnTags(tt.answer))
			got, err := registrytest.NewResolver(t, registrytest.Options{}).ListTags(t.Context(), f.Host+"/shop/cart")
			var e *digest.Error
			if !errors.As(err, &e) || !errors.Is(err, digest.ErrUnknown) || got != nil {
				t.Fatalf("got %q, %v, want an *Error of kind ErrUnknown", got, err)
			}
			if want := f.Host + ": " + tt.want; err.Error() != want {
				t.Errorf("\n got %s\nwant %s", err, want)
			}
		})
	}
}

func TestListTagsBounds(t *testing.T) {
	f := registrytest.New(t)
	r := registrytest.NewResolver(t, registrytest.Options{})
	many := `{"name":"shop/cart","tags":["a"` + strings.Repeat(`,"a"`, 100_000) + `]}`
	f.SetFault(registrytest.OnTags(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, many) }))
	if _, err := r.ListTags(t.Context(), f.Host+"/shop/cart"); !errors.Is(err, digest.ErrUnknown) || !strings.HasSuffix(err.Error(), "more than 100000 tags") {
		t.Errorf("many tags: %v", err)
	}
	f.SetFault(registrytest.OnTags(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"name":"shop/cart","tags":null}`) }))
	if got, err := r.ListTags(t.Context(), f.Host+"/shop/cart"); err != nil || got == nil || len(got) != 0 {
		t.Errorf("no tags: %#v, %v", got, err)
	}
	large := strings.Repeat(" ", 1<<20)
	f.SetFault(registrytest.OnTags(func(w http.ResponseWriter, _ *http.Request) {
		for range 5 {
			fmt.Fprint(w, large)
		}
	}))
	_, err := r.ListTags(t.Context(), f.Host+"/shop/cart")
	if !errors.Is(err, digest.ErrUnknown) || !strings.HasSuffix(err.Error(), "answered with more than 4 MiB") {
		t.Errorf("large page: %v", err)
	}
}

func TestListTagsEnds(t *testing.T) {
	f := registrytest.New(t)
	f.SetFault(registrytest.OnTags(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	r := registrytest.NewResolver(t, registrytest.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.ListTags(ctx, f.Host+"/shop/cart"); !errors.Is(err, digest.ErrUnknown) || !strings.HasSuffix(err.Error(), "no answer in time") {
		t.Errorf("deadline: %v", err)
	}
}

func TestListTagsMalformed(t *testing.T) {
	r := registrytest.NewResolver(t, registrytest.Options{Transport: registrytest.Stuck{}})
	for in, want := range map[string]string{
		"":                                     `reference "": byte 1: empty part in the repository`,
		"shop/Cart":                            `reference "shop/Cart": byte 6: upper case letter "C" in the repository`,
		"shop/cart:v1":                         `reference "shop/cart:v1": byte 10: tag or digest, where only a repository is asked for`,
		"shop/cart:":                           `reference "shop/cart:": byte 10: tag or digest, where only a repository is asked for`,
		"shop/cart@" + registrytest.SomeDigest: `byte 10: tag or digest, where only a repository is asked for`,
		"r.io:5000/shop/cart:v1@x":             `byte 20: tag or digest, where only a repository is asked for`,
		"https://r.io/shop/cart":               `byte 1: "https://" does not belong in a repository, leave it out`,
	} {
		if _, err := r.ListTags(t.Context(), in); !errors.Is(err, digest.ErrMalformed) || !strings.Contains(err.Error(), want) {
			t.Errorf("ListTags(%q): %v, want %s", in, err, want)
		}
	}
}

func TestListTagsBearer(t *testing.T) {
	f := registrytest.New(t)
	f.Push(t, "shop/cart", "v1", "one")
	f.SetFault(registrytest.Bearer(f.Host, "s3cret-token"))
	r := registrytest.NewResolver(t, registrytest.Options{Keychain: registrytest.KeychainFunc(registrytest.Password)})
	got, err := r.ListTags(t.Context(), f.Host+"/shop/cart")
	if diff := cmp.Diff([]string{"v1"}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	_, err = registrytest.NewResolver(t, registrytest.Options{}).ListTags(t.Context(), f.Host+"/shop/cart")
	if !errors.Is(err, digest.ErrUnknown) || !strings.Contains(err.Error(), "credentials tried: none") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("without credentials: %v", err)
	}
	broken := registrytest.KeychainFunc(func(authn.Resource) (authn.Authenticator, error) { return nil, errors.New("hunter2") })
	_, err = registrytest.NewResolver(t, registrytest.Options{Keychain: broken}).ListTags(t.Context(), f.Host+"/shop/cart")
	want := f.Host + `: tags of "shop/cart": credentials could not be read from given keychain`
	if !errors.Is(err, digest.ErrUnknown) || err.Error() != want {
		t.Errorf("broken keychain: %v", err)
	}
}
