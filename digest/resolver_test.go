package digest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
)

func TestResolve(t *testing.T) {
	f := registrytest.New(t)
	v1 := f.Push(t, "shop/cart", "v1", "one")
	v2 := f.Push(t, "shop/cart", "v2", "two")
	repo := f.Host + "/shop/cart"
	size := int64(len(registrytest.Manifest("one")))
	answer := func(suffix, tag, dgst, tagDigest string) digest.Resolution {
		return digest.Resolution{
			Ref: repo + suffix, Repository: repo, Tag: tag, Digest: dgst,
			MediaType: registrytest.ManifestType, Size: size, TagDigest: tagDigest,
		}
	}
	r := registrytest.NewResolver(t, registrytest.Options{})
	for _, want := range []digest.Resolution{
		answer(":v1", "v1", v1, ""),
		answer("@"+v1, "", v1, ""),
		answer(":v1@"+v1, "v1", v1, v1),
		answer(":v2@"+v1, "v2", v1, v2),     // the tag has moved
		answer(":gone@"+v1, "gone", v1, ""), // the tag is no more
	} {
		got, err := r.Resolve(t.Context(), want.Ref)
		if err != nil {
			t.Errorf("Resolve(%q): %v", want.Ref, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Resolve(%q) (-want +got):\n%s", want.Ref, diff)
		}
	}
	if n := f.Counted("GET ping"); n != 1 {
		t.Errorf("%d pings of one repository, want 1", n)
	}
	if n := f.Counted("GET manifest"); n != 0 {
		t.Errorf("%d manifests fetched, want HEAD only", n)
	}
}

func TestResolveNotFound(t *testing.T) {
	f := registrytest.New(t)
	f.Push(t, "shop/cart", "v1", "one")
	r := registrytest.NewResolver(t, registrytest.Options{})
	for suffix, want := range map[string]string{
		"shop/cart:v9":                         `tag "v9" of "shop/cart" not found`,
		"shop/nothing:v1":                      `tag "v1" of "shop/nothing" not found`,
		"shop/cart@" + registrytest.SomeDigest: `digest ` + registrytest.SomeDigest + ` of "shop/cart" not found`,
		// A tag that exists does not make up for a digest that does not.
		"shop/cart:v1@" + registrytest.SomeDigest: `digest ` + registrytest.SomeDigest + ` of "shop/cart" not found`,
	} {
		ref := f.Host + "/" + suffix
		got, err := r.Resolve(t.Context(), ref)
		var e *digest.Error
		if !errors.As(err, &e) || !errors.Is(err, digest.ErrNotFound) || errors.Is(err, digest.ErrUnknown) {
			t.Errorf("Resolve(%q): %v, want ErrNotFound", ref, err)
			continue
		}
		if e.Ref != ref || e.Registry != f.Host || e.Status != http.StatusNotFound {
			t.Errorf("Resolve(%q): %+v", ref, e)
		}
		if want := f.Host + ": " + want; err.Error() != want {
			t.Errorf("got  %s\nwant %s", err, want)
		}
		if got.Digest != "" || got.TagDigest != "" {
			t.Errorf("Resolve(%q) failed and yet answered %+v", ref, got)
		}
	}
}

func TestResolveMalformed(t *testing.T) {
	got, err := registrytest.NewResolver(t, registrytest.Options{Transport: registrytest.Stuck{}}).Resolve(t.Context(), "shop/cart")
	if !errors.Is(err, digest.ErrMalformed) || got.Ref != "shop/cart" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestResolutionJSON(t *testing.T) {
	got, err := json.Marshal(digest.Result{
		Resolution: digest.Resolution{Ref: "a:b", MediaType: "m", Size: 1, TagDigest: "d"},
		Err:        digest.ErrUnknown,
	})
	if want := `{"ref":"a:b","mediaType":"m","size":1,"tagDigest":"d"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestResolveAllOrderAndDuplicates(t *testing.T) {
	f := registrytest.New(t)
	v1 := f.Push(t, "shop/cart", "v1", "one")
	v2 := f.Push(t, "shop/cart", "v2", "two")
	repo := f.Host + "/shop/cart"
	var refs, want []string
	for range 20 {
		refs = append(refs, repo+":v2", repo+":v1", repo+":v9", "no tag")
		want = append(want, v2, v1, "", "")
	}
	calls, running := 0, atomic.Int32{}
	results := registrytest.NewResolver(t, registrytest.Options{}).ResolveAll(t.Context(), refs, func(digest.Result) {
		if running.Add(1) != 1 {
			t.Error("done called from two goroutines at a time")
		}
		calls++
		running.Add(-1)
	})
	for i, res := range results {
		if res.Ref != refs[i] || res.Digest != want[i] || (res.Err == nil) != (want[i] != "") {
			t.Errorf("result %d of %s is %+v", i, refs[i], res)
		}
	}
	if calls != len(refs) {
		t.Errorf("done called %d times, want %d", calls, len(refs))
	}
	if n := f.Counted("HEAD manifest"); n != 3 {
		t.Errorf("%d HEAD requests for 3 distinct references", n)
	}
	if n := f.Counted("GET ping"); n != 1 {
		t.Errorf("%d pings, want 1", n)
	}
}

// Two spellings of one reference are asked once and each answered as spelt.
func TestResolveAllSpellings(t *testing.T) {
	var heads atomic.Int32
	hub := registrytest.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
		code := http.StatusOK
		if req.Method == http.MethodHead {
			heads.Add(1)
			code = http.StatusNotFound
		}
		return &http.Response{StatusCode: code, Body: http.NoBody, Header: http.Header{}, Request: req}, nil
	})
	refs := []string{"nginx:1", "docker.io/library/nginx:1", "index.docker.io/nginx:1"}
	for i, res := range registrytest.NewResolver(t, registrytest.Options{Transport: hub}).ResolveAll(t.Context(), refs, nil) {
		var e *digest.Error
		if !errors.As(res.Err, &e) || e.Ref != refs[i] || res.Ref != refs[i] || res.Repository != strings.TrimSuffix(refs[i], ":1") {
			t.Errorf("result %d: %+v", i, res)
		}
		if want := `docker.io: tag "1" of "library/nginx" not found`; res.Err.Error() != want {
			t.Errorf("got %s, want %s", res.Err, want)
		}
	}
	if n := heads.Load(); n != 1 {
		t.Errorf("%d HEAD requests, want 1", n)
	}
}

func TestResolveAllMany(t *testing.T) {
	f := registrytest.New(t)
	const repos, tags = 50, 10
	var refs, want []string
	for i := range repos {
		for j := range tags {
			repo, tag := fmt.Sprintf("shop/svc%d", i), fmt.Sprintf("v%d", j)
			want = append(want, f.Push(t, repo, tag, repo+tag))
			refs = append(refs, f.Host+"/"+repo+":"+tag)
		}
	}
	var busy, most atomic.Int32
	f.SetFault(func(http.ResponseWriter, *http.Request) bool {
		n := busy.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Millisecond)
		busy.Add(-1)
		return false
	})
	r := registrytest.NewResolver(t, registrytest.Options{})
	for i, res := range r.ResolveAll(t.Context(), refs, nil) {
		if res.Err != nil || res.Digest != want[i] {
			t.Fatalf("%s: %s, %v, want %s", refs[i], res.Digest, res.Err, want[i])
		}
	}
	if n := f.Counted("HEAD manifest"); n != repos*tags {
		t.Errorf("%d HEAD requests for %d references", n, repos*tags)
	}
	if n := f.Counted("GET ping"); n != 1 {
		t.Errorf("%d pings of one registry, want 1", n)
	}
	if n := most.Load(); n < 2 || n > 32 {
		t.Errorf("%d requests at a time, want more than one and at most 32", n)
	}
}

func TestResolveAllNothing(t *testing.T) {
	if got := registrytest.NewResolver(t, registrytest.Options{}).ResolveAll(t.Context(), nil, nil); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

// Two tags of a repository behind tokens share one challenge and one token.
func TestBearerShared(t *testing.T) {
	f := registrytest.New(t)
	v1 := f.Push(t, "shop/cart", "v1", "one")
	v2 := f.Push(t, "shop/cart", "v2", "two")
	f.SetFault(registrytest.Bearer(f.Host, "s3cret-token"))
	r := registrytest.NewResolver(t, registrytest.Options{Keychain: registrytest.KeychainFunc(registrytest.Password)})
	results := r.ResolveAll(t.Context(), []string{f.Host + "/shop/cart:v1", f.Host + "/shop/cart:v2"}, nil)
	for i, want := range []string{v1, v2} {
		if results[i].Digest != want {
			t.Errorf("result %d: %+v, want %s", i, results[i], want)
		}
	}
	for what, want := range map[string]int{"GET ping": 1, "GET token": 1, "HEAD manifest": 2} {
		if n := f.Counted(what); n != want {
			t.Errorf("%s: %d, want %d", what, n, want)
		}
	}
}

func TestUserAgent(t *testing.T) {
	f := registrytest.New(t)
	f.Push(t, "a", "b", "one")
	var agent atomic.Value
	f.SetFault(func(_ http.ResponseWriter, r *http.Request) bool {
		agent.Store(r.UserAgent())
		return false
	})
	r := registrytest.NewResolver(t, registrytest.Options{UserAgent: "promoter/9"})
	if _, err := r.Resolve(context.Background(), f.Host+"/a:b"); err != nil {
		t.Fatal(err)
	}
	if got := agent.Load().(string); got != "promoter/9" {
		t.Errorf("user agent %q", got)
	}
}
