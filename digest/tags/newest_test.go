package tags_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/tags"
)

// pushDated pushes three builds whose names do not sort as they were made.
func pushDated(t *testing.T, f *registrytest.Registry, repo string) {
	t.Helper()
	for tag, day := range map[string]int{"build-b": 1, "build-c": 3, "build-a": 2} {
		target, err := name.NewTag(f.Host + "/" + repo + ":" + tag)
		if err == nil {
			err = remote.Write(target, registrytest.CreatedAt(t, time.Date(2024, 1, day, 0, 0, 0, 0, time.UTC)), remote.WithContext(t.Context()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestNewest(t *testing.T) {
	for name, tt := range map[string]struct {
		repository, selector string
		fault                func(http.ResponseWriter, *http.Request) bool
		tag                  string // that is chosen, also where it cannot be resolved
		kind                 error
		text                 string // of the error behind the registry, or of Why
	}{
		"semver": {"shop/cart", "semver:>=1.0 <2", nil, "1.10.0", nil,
			"1.10.0: highest of 2 tags in >=1.0 <2; not considered: 1 no version, 1 outside the range"},
		"alphabetical":     {"shop/cart", "alphabetical", nil, "latest", nil, "latest: last of 4 tags"},
		"created":          {"shop/dated", "created", nil, "build-c", nil, "build-c: created last, at 2024-01-03T00:00:00Z, of 3 tags"},
		"created, of some": {"shop/dated", "regexp:^build-[ab]$ created", nil, "build-a", nil, "build-a: created last, at 2024-01-02T00:00:00Z, of 2 tags; not considered: 1 not matching the pattern"},
		"none admitted": {"shop/cart", "semver:>=3", nil, "", digest.ErrNotFound,
			`"shop/cart": no tag for "semver:>=3": not considered: 1 no version, 3 outside the range`},
		"no tags": {"shop/cart", "semver", registrytest.OnTags(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"name":"shop/cart","tags":[]}`)
		}), "", digest.ErrNotFound, `"shop/cart": no tag for "semver": there are no tags`},
		"no repository": {"shop/none", "semver", nil, "", digest.ErrNotFound, `repository "shop/none" not found`},
		"list down":     {"shop/cart", "semver", registrytest.OnTags(registrytest.Status(503)), "", digest.ErrUnknown, `tags of "shop/cart": server error (503)`},
		"list denied":   {"shop/cart", "semver", registrytest.OnTags(registrytest.Status(403)), "", digest.ErrUnknown, `tags of "shop/cart": forbidden (403): credentials tried: none`},
		"tag down":      {"shop/cart", "semver:1.x", registrytest.OnManifest(registrytest.Status(503)), "1.10.0", digest.ErrUnknown, `tag "1.10.0" of "shop/cart": server error (503)`},
		"tag gone":      {"shop/cart", "semver:1.x", registrytest.OnManifest(registrytest.Status(404)), "1.10.0", digest.ErrNotFound, `tag "1.10.0" of "shop/cart" not found`},
		"dates down":    {"shop/dated", "regexp:^build-a created", registrytest.OnManifest(registrytest.Status(503)), "", digest.ErrUnknown, `creation time: tag "build-a" of "shop/dated": server error (503)`},
		"date gone": {"shop/dated", "regexp:^build-a created", registrytest.OnManifest(registrytest.Status(404)), "", digest.ErrNotFound,
			`"shop/dated": no tag for "regexp:^build-a created": not considered: 2 not matching the pattern, 1 gone since they were listed`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := registrytest.New(t)
			for _, tag := range []string{"1.9.0", "1.10.0", "2.0.0", "latest"} {
				f.Push(t, "shop/cart", tag, tag)
			}
			pushDated(t, f, "shop/dated")
			f.SetFault(tt.fault)
			r := registrytest.NewResolver(t, registrytest.Options{})
			chosen, res, err := tags.Newest(t.Context(), r, f.Host+"/"+tt.repository, parseSelector(t, tt.selector))
			if chosen.Tag != tt.tag {
				t.Errorf("chose %q, want %q (%v)", chosen.Tag, tt.tag, err)
			}
			if tt.kind == nil {
				want, wantErr := r.Resolve(t.Context(), f.Host+"/"+tt.repository+":"+tt.tag)
				if err != nil || wantErr != nil || res != want || res.Digest == "" || chosen.Why != tt.text {
					t.Errorf("got %+v, %+v, %v, want %+v, %q", chosen, res, err, want, tt.text)
				}
				return
			}
			var e *digest.Error
			if !errors.As(err, &e) || e.Kind != tt.kind || e.Registry != f.Host || err.Error() != f.Host+": "+tt.text {
				t.Errorf("\n got %v (%+v)\nwant %v, %s", err, e, tt.kind, tt.text)
			}
			if res.Digest != "" || !strings.HasPrefix(res.Ref, f.Host+"/"+tt.repository) {
				t.Errorf("the answer is %+v", res)
			}
		})
	}
}

// What is not a repository, and a registry that nobody answers for.
func TestNewestUnasked(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	host := strings.TrimPrefix(closed.URL, "http://")
	r := registrytest.NewResolver(t, registrytest.Options{})
	for repository, want := range map[string]struct {
		kind error
		text string
	}{
		host + "/shop/cart":        {digest.ErrUnknown, host + `: tags of "shop/cart": connection refused`},
		"r.example.com/Cart":       {digest.ErrMalformed, `upper case letter "C" in the repository`},
		"r.example.com/cart:v1":    {digest.ErrMalformed, "tag or digest, where only a repository is asked for"},
		"oci:folder":               {digest.ErrMalformed, "tag or digest, where only a repository is asked for"},
		"https://r.example.com/it": {digest.ErrMalformed, "does not belong in a repository"},
	} {
		chosen, res, err := tags.Newest(t.Context(), r, repository, parseSelector(t, "semver"))
		if !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.text) || chosen.Tag != "" || res != (digest.Resolution{Ref: repository}) {
			t.Errorf("%s: %+v, %+v, %v, want %s", repository, chosen, res, err, want.text)
		}
	}
}

func ExampleNewest() {
	// A registry in this process, with a few tags of one repository.
	quiet := log.New(io.Discard, "", 0)
	server := httptest.NewUnstartedServer(registry.New(registry.Logger(quiet)))
	server.Config.ErrorLog = quiet
	server.Start()
	defer server.Close()
	for _, tag := range []string{"1.9.0", "1.10.0", "2.0.0-rc.1", "latest"} {
		req, err := http.NewRequest(http.MethodPut, server.URL+"/v2/shop/cart/manifests/"+tag, strings.NewReader(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}`))
		if err != nil {
			log.Fatal(err)
		}
		if _, err := http.DefaultClient.Do(req); err != nil {
			log.Fatal(err)
		}
	}

	selector, err := tags.ParseSelector("semver:1.x")
	if err != nil {
		log.Fatal(err)
	}
	r := digest.NewResolver(digest.Options{})
	host := strings.TrimPrefix(server.URL, "http://")
	chosen, res, err := tags.Newest(context.Background(), r, host+"/shop/cart", selector)
	fmt.Println(chosen.Why, err)
	fmt.Println(res.Tag, "is", res.Digest)
	// Output:
	// 1.10.0: highest of 2 tags in 1.x; not considered: 1 no version, 1 outside the range <nil>
	// 1.10.0 is sha256:b0ff67b72a1d087090ad4fe635c35ad2752dd27d26f9435bb7877f40ecdc0bc3
}

// The newest image of a repository by the time it was built.
func TestNewestCreated(t *testing.T) {
	f := registrytest.New(t)
	day := time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)
	for i, tag := range []string{"main-c", "main-a", "main-b"} {
		target, err := name.NewTag(f.Host + "/shop/cart:" + tag)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(target, registrytest.CreatedAt(t, day.Add(time.Duration(i)*time.Hour)), remote.WithContext(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	r := registrytest.NewResolver(t, registrytest.Options{})
	list, err := r.ListTags(t.Context(), f.Host+"/shop/cart")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseSelector(t, "regexp:^main- created").SelectCreated(t.Context(), list, func(ctx context.Context, tag string) (time.Time, error) {
		return r.Created(ctx, fmt.Sprintf("%s/shop/cart:%s", f.Host, tag))
	})
	if want := "main-b: created last, at 2024-01-31T14:00:00Z, of 3 tags"; err != nil || got.Why != want {
		t.Errorf("%v: got %s, want %s", err, got.Why, want)
	}
}
