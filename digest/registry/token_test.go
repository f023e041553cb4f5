package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry"
)

// fill pushes images and returns their references and digests.
func fill(t testing.TB, f *registrytest.Registry, repos, tags int) (refs, want []string) {
	t.Helper()
	for i := range repos {
		for j := range tags {
			repo, tag := fmt.Sprintf("shop/svc%d", i), fmt.Sprintf("v%d", j)
			want = append(want, f.Push(t, repo, tag, repo+tag))
			refs = append(refs, f.Host+"/"+repo+":"+tag)
		}
	}
	return refs, want
}

func resolveAll(t *testing.T, r *digest.Resolver, refs, want []string) {
	t.Helper()
	for i, res := range r.ResolveAll(t.Context(), refs, nil) {
		if res.Err != nil || res.Digest != want[i] {
			t.Fatalf("%s: %s, %v, want %s", refs[i], res.Digest, res.Err, want[i])
		}
	}
}

// What N images in R repositories cost, counted by the server.
func TestRequestCounts(t *testing.T) {
	const repos, tags = 60, 4
	denied := func(scopes []string) int {
		if len(scopes) > 1 {
			return http.StatusUnauthorized
		}
		return 0
	}
	odd := func(scope string) bool { return !strings.HasSuffix(scope, "1:pull") }
	alone := func(grant func(string) bool) *realm { return &realm{grant: grant} }
	for _, tt := range []struct {
		name  string
		realm *realm
		max   int // requests for tokens
	}{
		{"all granted", alone(nil), 2}, // 60 repositories are two batches
		{"all granted, JWT", &realm{jwt: true}, 2},
		{"first of many", &realm{first: true}, repos},
		{"first of many, JWT", &realm{first: true, jwt: true}, repos},
		{"batches refused", &realm{refuse: denied}, repos + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := registrytest.New(t)
			refs, want := fill(t, f, repos, tags)
			tt.realm.host, tt.realm.tokens = f.Host, map[string][]string{}
			f.SetFault(tt.realm.serve)
			resolveAll(t, registrytest.NewResolver(t, registrytest.Options{}), refs, want)
			if n := f.Counted("GET ping"); n != 1 {
				t.Errorf("%d pings, want 1", n)
			}
			if n := f.Counted("GET token"); n > tt.max {
				t.Errorf("%d requests for tokens, want at most %d", n, tt.max)
			}
			// What a token of no known content is good for shows only when it is used.
			most := repos * tags
			if tt.realm.first && !tt.realm.jwt {
				most *= 2
			}
			if n := f.Counted("HEAD manifest"); n < repos*tags || n > most {
				t.Errorf("%d HEAD requests for %d images", n, repos*tags)
			}
		})
	}
	for _, jwt := range []bool{false, true} {
		t.Run(fmt.Sprintf("some not granted, JWT %v", jwt), func(t *testing.T) {
			t.Parallel()
			f := registrytest.New(t)
			refs, want := fill(t, f, 20, 2)
			rlm := newRealm(f)
			rlm.grant, rlm.jwt = odd, jwt
			for i, res := range registrytest.NewResolver(t, registrytest.Options{}).ResolveAll(t.Context(), refs, nil) {
				if odd(strings.Split(strings.TrimPrefix(refs[i], f.Host), ":")[0] + ":pull") {
					if res.Err != nil || res.Digest != want[i] {
						t.Errorf("%s: %v", refs[i], res.Err)
					}
				} else if !errors.Is(res.Err, digest.ErrUnknown) || !strings.HasSuffix(res.Err.Error(), ": unauthorized (401): credentials tried: none") {
					t.Errorf("%s: %v", refs[i], res.Err)
				}
			}
			// svc1 and svc11: a batch, and each of them alone, and again for its second tag.
			if n := f.Counted("GET token"); n > 20 {
				t.Errorf("%d requests for tokens", n)
			}
		})
	}
}

// Sixty images in twelve repositories, each named twice, behind tokens.
func TestRequestsForRelease(t *testing.T) {
	f := registrytest.New(t)
	refs, want := fill(t, f, 12, 5)
	rlm := newRealm(f)
	resolveAll(t, registrytest.NewResolver(t, registrytest.Options{}), append(refs, refs...), append(want, want...))
	for what, n := range map[string]int{"GET ping": 1, "GET token": 1, "HEAD manifest": 60, "GET manifest": 0} {
		if got := f.Counted(what); got != n {
			t.Errorf("%s: %d, want %d", what, got, n)
		}
	}
	if asked := rlm.Requests(); len(asked) != 1 || len(asked[0]) != 12 {
		t.Errorf("asked for tokens: %q", asked)
	}
}

// Many callers of one repository share one token, and a token to push serves to pull.
func TestTokenShared(t *testing.T) {
	f := registrytest.New(t)
	want := f.Push(t, "shop/cart", "v1", "one")
	rlm := newRealm(f)
	tr := registry.New(registry.Options{Keychain: registrytest.Anonymous{}})
	defer tr.CloseIdleConnections()
	client := http.Client{Transport: tr}
	put, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+f.Host+"/v2/shop/cart/manifests/v2", strings.NewReader(string(registrytest.Manifest("two"))))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(put)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("put: %v, %v", resp, err)
	}
	r := registrytest.NewResolver(t, registrytest.Options{Transport: tr})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got, err := r.Resolve(t.Context(), f.Host+"/shop/cart:v1"); err != nil || got.Digest != want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	wg.Wait()
	if asked := rlm.Requests(); len(asked) != 1 || asked[0][0] != "repository:shop/cart:pull,push" {
		t.Errorf("asked for %q", asked)
	}
}

// Tokens that end in the middle, by the clock and by the registry's whim.
func TestTokenExpiry(t *testing.T) {
	for _, jwt := range []bool{true, false} {
		f := registrytest.New(t)
		refs, want := fill(t, f, 10, 2)
		rlm := newRealm(f)
		rlm.jwt, rlm.life = jwt, 3600
		r := registrytest.NewResolver(t, registrytest.Options{})
		resolveAll(t, r, refs, want)
		rlm.revoke()
		resolveAll(t, r, refs, want)
		// Whether a token of no known content has ended or was never good for a
		// repository cannot be told, so each repository asks for its own.
		if n, max := len(rlm.Requests()), map[bool]int{true: 2, false: 11}[jwt]; n > max {
			t.Errorf("JWT %v: %d requests for tokens, want at most %d: %q", jwt, n, max, rlm.Requests())
		}
		if n := f.Counted("GET ping"); n != 1 {
			t.Errorf("%d pings, want 1", n)
		}
	}
	t.Run("clock", func(t *testing.T) {
		t.Parallel()
		f := registrytest.New(t)
		refs, want := fill(t, f, 1, 1)
		rlm := newRealm(f)
		rlm.life = 1
		r := registrytest.NewResolver(t, registrytest.Options{})
		resolveAll(t, r, refs, want)
		time.Sleep(time.Second)
		resolveAll(t, r, refs, want)
		if n := len(rlm.Requests()); n != 2 {
			t.Errorf("%d requests for tokens, want 2", n)
		}
		if n := f.Counted("HEAD manifest"); n != 2 {
			t.Errorf("%d HEAD requests, want 2: the token was renewed before it was refused", n)
		}
	})
}

func TestIdentityToken(t *testing.T) {
	for _, missing := range []bool{false, true} {
		f := registrytest.New(t)
		refs, want := fill(t, f, 2, 1)
		rlm := newRealm(f)
		rlm.missing = missing
		resolveAll(t, registrytest.NewResolver(t, registrytest.Options{Keychain: registrytest.KeychainFunc(func(authn.Resource) (authn.Authenticator, error) {
			return authn.FromConfig(authn.AuthConfig{Username: "me", IdentityToken: "identity"}), nil
		})}), refs, want)
		if posts := rlm.posts; posts != 1 {
			t.Errorf("%d POST requests for a token, want 1", posts)
		}
		if gets := f.Counted("GET token"); gets != map[bool]int{true: 1}[missing] {
			t.Errorf("%d GET requests for a token where POST is missing: %v", gets, missing)
		}
	}
}

func TestBasicAndRegistryToken(t *testing.T) {
	for want, config := range map[string]authn.AuthConfig{
		"Basic bWU6aHVudGVyMg==": {Username: "me", Password: "hunter2"},
		"Bearer given":           {RegistryToken: "given"},
	} {
		f := registrytest.New(t)
		refs, digests := fill(t, f, 2, 2)
		scheme, _, _ := strings.Cut(want, " ")
		f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Authorization") == want {
				return false
			}
			w.Header().Set("WWW-Authenticate", scheme+` realm="http://`+f.Host+`/token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		})
		resolveAll(t, registrytest.NewResolver(t, registrytest.Options{Keychain: registrytest.KeychainFunc(func(authn.Resource) (authn.Authenticator, error) {
			return authn.FromConfig(config), nil
		})}), refs, digests)
		if n := f.Counted("HEAD manifest"); n != 4 {
			t.Errorf("%d HEAD requests, want 4", n)
		}
	}
}

// A registry may be open to a ping and closed to what is asked then.
func TestChallengeAfterPing(t *testing.T) {
	f := registrytest.New(t)
	refs, want := fill(t, f, 2, 2)
	closed := registrytest.Bearer(f.Host, "t0ken")
	f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		return r.URL.Path != "/v2/" && closed(w, r)
	})
	resolveAll(t, registrytest.NewResolver(t, registrytest.Options{Keychain: registrytest.KeychainFunc(registrytest.Password)}), refs, want)
	if n := f.Counted("GET ping"); n != 1 {
		t.Errorf("%d pings, want 1", n)
	}
}
