package digest_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/layouttest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
)

func annotated[T partial.WithRawManifest](t testing.TB, what T, created string) T {
	t.Helper()
	out, ok := mutate.Annotations(what, map[string]string{"org.opencontainers.image.created": created}).(T)
	if !ok {
		t.Fatal("annotations make it something else")
	}
	return out
}

func TestCreated(t *testing.T) {
	f := registrytest.New(t)
	day := time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)
	for tag, what := range map[string]remote.Taggable{
		"v1":       registrytest.CreatedAt(t, day),
		"noted":    annotated[v1.Image](t, registrytest.CreatedAt(t, day), "2024-02-01T12:00:00Z"),
		"no-time":  annotated[v1.Image](t, registrytest.CreatedAt(t, day), "yesterday"),
		"never":    registrytest.CreatedAt(t, time.Time{}),
		"multi":    layouttest.IndexOf(t, map[string]v1.Image{"linux/amd64": registrytest.CreatedAt(t, day), "a/b": registrytest.CreatedAt(t, day.AddDate(0, 0, 9))}),
		"attested": layouttest.IndexOf(t, map[string]v1.Image{"unknown/unknown": registrytest.CreatedAt(t, day)}),
		"dated":    annotated[v1.ImageIndex](t, layouttest.IndexOf(t, nil), "2024-02-02T12:00:00Z"),
	} {
		target, err := name.NewTag(f.Host + "/shop/cart:" + tag)
		if err != nil {
			t.Fatal(err)
		}
		if index, ok := what.(v1.ImageIndex); ok {
			err = remote.WriteIndex(target, index, remote.WithContext(t.Context()))
		} else {
			err = remote.Write(target, what.(v1.Image), remote.WithContext(t.Context()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r := registrytest.NewResolver(t, registrytest.Options{})
	for tag, want := range map[string]string{
		"v1": "2024-01-31", "noted": "2024-02-01", "never": "0001-01-01", "multi": "2024-02-09", "attested": "0001-01-01", "dated": "2024-02-02",
	} {
		got, err := r.Created(t.Context(), f.Host+"/shop/cart:"+tag)
		if err != nil || got.Format(time.DateOnly) != want {
			t.Errorf("%s was created %v, %v, want %s", tag, got, err, want)
		}
	}
	for ref, want := range map[string]struct {
		kind error
		text string
	}{
		"shop/cart:no-time": {digest.ErrUnknown, `annotation org.opencontainers.image.created is "yesterday", not a time of RFC 3339`},
		"shop/cart:v9":      {digest.ErrNotFound, `tag "v9" of "shop/cart" not found`},
		"shop/cart":         {digest.ErrMalformed, `neither tag nor digest`},
	} {
		if _, err := r.Created(t.Context(), f.Host+"/"+ref); !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v, want %s", ref, err, want.text)
		}
	}
	f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/manifests/sha256:") {
			return false
		}
		w.WriteHeader(http.StatusNotFound)
		return true
	})
	if _, err := r.Created(t.Context(), f.Host+"/shop/cart:multi"); !errors.Is(err, digest.ErrUnknown) || !strings.Contains(err.Error(), `tag "multi" of "shop/cart": has the manifest and not the image sha256:`) {
		t.Errorf("index without its image: %v", err)
	}
	for want, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"has the manifest and not the configuration it names":    registrytest.OnPath("/blobs/", registrytest.Status(http.StatusNotFound)),
		"configuration of the image: it has 2 bytes instead of ": registrytest.OnPath("/blobs/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }),
		"server error (501)":                         registrytest.OnPath("/blobs/", registrytest.Status(http.StatusNotImplemented)),
		"does not answer as a registry (text/plain)": registrytest.OnManifest(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<") }),
		`answered with a manifest whose configuration is not sha256`: registrytest.OnManifest(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, configOf("sha512:"+registrytest.SomeHex+registrytest.SomeHex))
		}),
	} {
		f.SetFault(fault)
		if _, err := r.Created(t.Context(), f.Host+"/shop/cart:v1"); !errors.Is(err, digest.ErrUnknown) || errors.Is(err, digest.ErrNotFound) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f.SetFault(registrytest.OnManifest(registrytest.Status(http.StatusForbidden)))
	if _, err := r.Created(t.Context(), f.Host+"/shop/cart:v1"); !errors.Is(err, digest.ErrUnknown) || errors.Is(err, digest.ErrNotFound) {
		t.Errorf("forbidden: %v", err)
	}
}

func configOf(dgst string) string {
	return fmt.Sprintf(`{"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q}}`, dgst)
}
