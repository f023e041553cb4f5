package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry"
)

// mirrored makes a resolver for "quay.example/shop", which is at one server and
// has mirrors at others.
func mirrored(t *testing.T, location *registrytest.Registry, pull string, mirrors ...*registrytest.Registry) *digest.Resolver {
	t.Helper()
	text := fmt.Sprintf("[[registry]]\nprefix = \"quay.example/shop\"\nlocation = \"%s/origin\"\n", location.Host)
	for _, m := range mirrors {
		text += fmt.Sprintf("[[registry.mirror]]\nlocation = \"%s/copies\"\npull-from-mirror = %q\n", m.Host, pull)
	}
	registries, err := registry.ParseConfig("registries.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	tr := registry.New(registry.Options{Keychain: registrytest.Anonymous{}, Registries: registries})
	return registrytest.NewResolver(t, registrytest.Options{Transport: tr, Timeout: 10 * time.Second})
}

func TestMirror(t *testing.T) {
	other := "sha256:" + strings.Repeat("f", 64)
	lying := registrytest.OnManifest(registrytest.Status(200, "Docker-Content-Digest", other, "Content-Type", registrytest.ManifestType, "Content-Length", "9"))
	for _, tt := range []struct {
		name     string
		pull     string
		byDigest bool
		holds    bool // the mirror has the image
		fault    func(http.ResponseWriter, *http.Request) bool
		mirror   int // HEAD requests to the mirror
		origin   int // and to the registry
	}{
		{"has it", "all", true, true, nil, 1, 0},
		{"has the tag", "all", false, true, nil, 1, 0},
		{"does not have it", "all", true, false, nil, 1, 1},
		{"digests only, a tag", "digest-only", false, true, nil, 0, 1},
		{"digests only, a digest", "digest-only", true, true, nil, 1, 0},
		{"tags only, a digest", "tag-only", true, true, nil, 0, 1},
		{"tags only, a tag", "tag-only", false, true, nil, 1, 0},
		{"forbidden", "all", true, true, registrytest.OnManifest(registrytest.Status(403)), 1, 1},
		{"broken", "all", true, true, registrytest.OnManifest(registrytest.Status(500)), 3, 1},
		{"another digest", "all", true, true, lying, 1, 1},
		{"no digest", "all", true, true, registrytest.OnManifest(registrytest.Status(200, "Content-Type", registrytest.ManifestType)), 1, 1},
		{"not there", "all", true, true, func(w http.ResponseWriter, _ *http.Request) bool { registrytest.Reset(w, nil); return true }, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			origin, copies := registrytest.New(t), registrytest.New(t)
			want := origin.Push(t, "origin/cart", "v1", "one")
			if tt.holds {
				copies.Push(t, "copies/cart", "v1", "one")
			}
			copies.SetFault(tt.fault)
			ref := "quay.example/shop/cart:v1"
			if tt.byDigest {
				ref = "quay.example/shop/cart@" + want
			}
			got, err := mirrored(t, origin, tt.pull, copies).Resolve(t.Context(), ref)
			if err != nil || got.Digest != want {
				t.Errorf("got %+v, %v", got, err)
			}
			if m, o := copies.Counted("HEAD manifest"), origin.Counted("HEAD manifest"); m != tt.mirror || o != tt.origin {
				t.Errorf("%d requests to the mirror and %d to the registry, want %d and %d", m, o, tt.mirror, tt.origin)
			}
		})
	}
}

// Two mirrors, of which the first hangs: the second is asked within the deadline.
func TestMirrorHangs(t *testing.T) {
	origin, hangs, good := registrytest.New(t), registrytest.New(t), registrytest.New(t)
	want := good.Push(t, "copies/cart", "v1", "one")
	hangs.SetFault(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	r := mirrored(t, origin, "all", hangs, good)
	got, err := r.Resolve(t.Context(), "quay.example/shop/cart@"+want)
	if err != nil || got.Digest != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A mirror's redirect to itself is followed with the mirror's own token: where an
// answer comes from decides, not where the question was first meant for.
func TestMirrorRedirectsToItself(t *testing.T) {
	origin, copies := registrytest.New(t), registrytest.New(t)
	want := copies.Push(t, "moved/cart", "v1", "one")
	rlm := newRealm(copies)
	copies.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if rlm.serve(w, r) {
			return true
		}
		if !strings.HasPrefix(r.URL.Path, "/v2/copies/") {
			return false
		}
		http.Redirect(w, r, strings.Replace(r.URL.Path, "/copies/", "/moved/", 1), http.StatusTemporaryRedirect)
		return true
	})
	got, err := mirrored(t, origin, "all", copies).Resolve(t.Context(), "quay.example/shop/cart:v1")
	if err != nil || got.Digest != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

// What no mirror has is decided by the registry, which is named as the user did.
func TestMirrorNotFound(t *testing.T) {
	origin, copies := registrytest.New(t), registrytest.New(t)
	_, err := mirrored(t, origin, "all", copies).Resolve(t.Context(), "quay.example/shop/cart:v1")
	if want := `quay.example: tag "v1" of "shop/cart" not found`; !errors.Is(err, digest.ErrNotFound) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	origin.SetFault(registrytest.OnManifest(registrytest.Status(403)))
	if _, err := mirrored(t, origin, "all", copies).Resolve(t.Context(), "quay.example/shop/cart:v1"); !errors.Is(err, digest.ErrUnknown) {
		t.Errorf("a mirror's 404 and the registry's 403: %v", err)
	}
}

func TestBlocked(t *testing.T) {
	registries, err := registry.ParseConfig("/etc/containers/registries.conf", []byte(
		"[[registry]]\nprefix = \"r.example/bad\"\nblocked = true\n[[registry]]\nprefix = \"*.bad.example\"\nblocked = true\n[[registry]]\nprefix = \"ok.bad.example\"\n[[registry]]\nprefix = \"docker.io/library\"\nblocked = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	broken := registrytest.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("asked") })
	r := registrytest.NewResolver(t, registrytest.Options{Transport: registry.New(registry.Options{Keychain: registrytest.Anonymous{}, Registries: registries, Base: broken})})
	for ref, prefix := range map[string]string{
		"r.example/bad:v1":        "r.example/bad",
		"r.example/bad/cart:v1":   "r.example/bad",
		"r.example/badly:v1":      "",
		"a.bad.example/cart:v1":   "*.bad.example",
		"a.b.bad.example/cart:v1": "*.bad.example",
		"bad.example/cart:v1":     "",
		"ok.bad.example/cart:v1":  "",
		"nginx:1":                 "index.docker.io/library",
		"shop/cart:1":             "",
	} {
		_, err := r.Resolve(t.Context(), ref)
		if !errors.Is(err, digest.ErrUnknown) {
			t.Errorf("%s: %v", ref, err)
		}
		want := ": blocked by /etc/containers/registries.conf: prefix \"" + prefix + `"`
		if prefix == "" {
			want = ": request failed: asked"
		}
		if !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", ref, err, want)
		}
	}
}

// A later file's entry takes the place of an earlier one's for the same prefix.
func TestJoin(t *testing.T) {
	parse := func(text string) *registry.Config {
		r, err := registry.ParseConfig("registries.conf", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	blocked := parse("[[registry]]\nprefix = \"r.example\"\nblocked = true\n")
	open := parse("[[registry]]\nprefix = \"r.example\"\n")
	broken := registrytest.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("asked") })
	for want, registries := range map[string]*registry.Config{
		"blocked by": open.Join(nil, blocked),
		"asked":      blocked.Join(open),
	} {
		tr := registry.New(registry.Options{Keychain: registrytest.Anonymous{}, Registries: registries, Base: broken})
		if _, err := registrytest.NewResolver(t, registrytest.Options{Transport: tr}).Resolve(t.Context(), "r.example/a:b"); !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
