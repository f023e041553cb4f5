package digest_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
)

func TestPlatformText(t *testing.T) {
	for _, s := range []string{"linux/amd64", "linux/arm/v7", "windows/amd64:10.0.17763.1879"} {
		if p, err := digest.ParsePlatform(s); err != nil || p.String() != s {
			t.Errorf("ParsePlatform(%q) = %q, %v", s, p, err)
		}
	}
	for _, s := range []string{"", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux/amd64:", "linux/am d64", "linux/" + strings.Repeat("a", 200)} {
		if p, err := digest.ParsePlatform(s); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("ParsePlatform(%q) = %q, %v", s, p, err)
		}
	}
}

func TestServes(t *testing.T) {
	for _, tt := range []struct {
		have, want string
		serves     bool
	}{
		{"linux/amd64", "linux/amd64", true},
		{"linux/amd64", "linux/x86_64", true},
		{"linux/amd64", "linux/amd64/v1", true},
		{"linux/amd64", "linux/amd64/v3", false},
		{"linux/amd64/v3", "linux/amd64/v1", false},
		{"linux/amd64", "linux/arm64", false},
		{"linux/arm64/v8", "linux/arm64", true},
		{"linux/arm64", "linux/aarch64/v8", true},
		{"linux/arm/v7", "linux/arm", true},
		{"linux/arm/7", "linux/arm/v7", true},
		{"linux/arm/v6", "linux/arm/v7", false},
		{"windows/amd64:10.0.1", "windows/amd64", true},
		{"windows/amd64:10.0.1", "windows/amd64:10.0.2", false},
		{"windows/amd64", "linux/amd64", false},
	} {
		have, err := digest.ParsePlatform(tt.have)
		want, err2 := digest.ParsePlatform(tt.want)
		if err != nil || err2 != nil || have.Serves(want) != tt.serves {
			t.Errorf("%s serves %s: %v, %v, %v", tt.have, tt.want, have.Serves(want), err, err2)
		}
	}
}

func TestPlatforms(t *testing.T) {
	f := registrytest.New(t)
	index, images := f.PutIndex(t, "shop/cart", "multi", "linux/amd64", "linux/arm64/v8", "unknown/unknown")
	f.PutIndex(t, "shop/cart", "nesting", "linux/amd64", "index")
	single := f.PutImage(t, "shop/cart", "single", "linux/arm64")
	f.Push(t, "shop/cart", "artifact", "no image")
	r := registrytest.NewResolver(t, registrytest.Options{})
	names := func(list []digest.PlatformManifest) (all []string) {
		for _, m := range list {
			all = append(all, m.Platform.String()+" "+m.Digest)
		}
		return all
	}
	for tag, want := range map[string][]string{
		"multi":    {"linux/amd64 " + images[0], "linux/arm64/v8 " + images[1]},
		"single":   {"linux/arm64 " + single},
		"artifact": nil,
	} {
		got, err := r.Platforms(t.Context(), f.Host+"/shop/cart:"+tag)
		if err != nil {
			t.Errorf("%s: %v", tag, err)
		}
		if diff := cmp.Diff(want, names(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tag, diff)
		}
	}
	for _, tt := range []struct {
		tag, platform, digest, index string
		kind                         error
		says                         string
	}{
		{"multi", "linux/arm64", images[1], index, nil, ""},
		{"single", "linux/arm64", single, "", nil, ""},
		{"multi", "linux/s390x", "", "", digest.ErrNotFound, `tag "multi" of "shop/cart" has no image for linux/s390x, it has linux/amd64, linux/arm64/v8`},
		{"artifact", "linux/amd64", "", "", digest.ErrNotFound, `has no image for linux/amd64, it has none`},
		{"nesting", "linux/s390x", "", "", digest.ErrNotFound, `it has linux/amd64`},
		{"gone", "linux/amd64", "", "", digest.ErrNotFound, `tag "gone" of "shop/cart" not found`},
	} {
		want, _ := digest.ParsePlatform(tt.platform)
		got, err := r.ResolvePlatform(t.Context(), f.Host+"/shop/cart:"+tt.tag, want)
		if got.Digest != tt.digest || got.Index != tt.index || !errors.Is(err, tt.kind) || err != nil && !strings.HasSuffix(err.Error(), tt.says) {
			t.Errorf("%s for %s: %+v, %v", tt.tag, tt.platform, got, err)
		}
	}
}

func TestMissingPlatforms(t *testing.T) {
	f := registrytest.New(t)
	f.PutIndex(t, "shop/cart", "multi", "linux/amd64", "linux/arm64")
	f.PutIndex(t, "shop/cart", "nesting", "linux/amd64", "index")
	amd, arm, z := digest.Platform{OS: "linux", Architecture: "amd64"}, digest.Platform{OS: "linux", Architecture: "arm64"}, digest.Platform{OS: "linux", Architecture: "s390x"}
	r := registrytest.NewResolver(t, registrytest.Options{})
	for _, tt := range []struct {
		tag           string
		want, missing []digest.Platform
		kind          error
	}{
		{"multi", []digest.Platform{amd, arm}, nil, nil},
		{"multi", []digest.Platform{z, amd}, []digest.Platform{z}, nil},
		{"nesting", []digest.Platform{amd}, nil, nil},
		{"nesting", []digest.Platform{z}, []digest.Platform{z}, nil},
		{"gone", []digest.Platform{amd}, nil, digest.ErrNotFound},
	} {
		missing, err := r.MissingPlatforms(t.Context(), f.Host+"/shop/cart:"+tt.tag, tt.want)
		if diff := cmp.Diff(tt.missing, missing); diff != "" || !errors.Is(err, tt.kind) {
			t.Errorf("%s must have %v: %v, %v", tt.tag, tt.want, missing, err)
		}
	}
}

// Manifests and configurations that are not what they are called.
func TestPlatformsHostile(t *testing.T) {
	f := registrytest.New(t)
	single := f.PutImage(t, "a", "single", "linux/amd64")
	f.Put(t, "a", "both", registrytest.IndexType, []byte(`{"manifests":[],"config":{}}`))
	f.Put(t, "a", "text", registrytest.ManifestType, []byte(`{"manifests":"text"}`))
	f.Put(t, "a", "sha512", registrytest.IndexType, fmt.Appendf(nil, `{"manifests":[{"digest":"sha512:%0128d"}]}`, 0))
	f.Put(t, "a", "many", registrytest.IndexType, []byte(`{"manifests":[`+strings.Repeat(`{"digest":"`+single+`"},`, 1000)+`{"digest":"`+single+`"}]}`))
	forged := []byte(`{"os":"linux","architecture":"s390x","variant":""}`) // as long as the right one
	f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			w.Write(forged)
			return true
		}
		return false
	})
	r := registrytest.NewResolver(t, registrytest.Options{})
	for tag, want := range map[string]string{
		"single": "configuration of the image: its content has the digest " + registrytest.Sha(forged),
		"both":   "answered with a manifest that is both an index and an image",
		"text":   "answered with a manifest that is not JSON of its kind",
		"sha512": "answered with an index with a digest that is not sha256",
		"many":   "answered with an index of more than 1000 manifests",
	} {
		_, err := r.Platforms(t.Context(), f.Host+"/a:"+tag)
		if full := f.Host + `: tag "` + tag + `" of "a": ` + want; !errors.Is(err, digest.ErrUnknown) || err.Error() != full {
			t.Errorf("got  %v\nwant %s", err, full)
		}
	}
	f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	})
	if _, err := r.Platforms(t.Context(), f.Host+"/a:single"); !errors.Is(err, digest.ErrUnknown) {
		t.Errorf("a configuration that is not there: %v", err)
	}
}
