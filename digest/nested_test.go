package digest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
)

// nest stores an index of entries and gives a descriptor of it.
func nest(t *testing.T, f *registrytest.Registry, ref string, annotations map[string]string, entries ...v1.Descriptor) v1.Descriptor {
	t.Helper()
	body, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: append([]v1.Descriptor{}, entries...), Annotations: annotations})
	if err != nil {
		t.Fatal(err)
	}
	if ref == "" {
		ref = registrytest.Sha(body)
	}
	f.Put(t, "a", ref, registrytest.IndexType, body)
	return descriptor(t, types.OCIImageIndex, registrytest.Sha(body), int64(len(body)))
}

func descriptor(t *testing.T, mediaType types.MediaType, dgst string, size int64) v1.Descriptor {
	t.Helper()
	h, err := v1.NewHash(dgst)
	if err != nil {
		t.Fatal(err)
	}
	return v1.Descriptor{MediaType: mediaType, Digest: h, Size: size}
}

// on gives a descriptor a platform; "" for an empty one.
func on(t *testing.T, d v1.Descriptor, platform string) v1.Descriptor {
	t.Helper()
	d.Platform = &v1.Platform{}
	if platform != "" {
		p, err := digest.ParsePlatform(platform)
		if err != nil {
			t.Fatal(err)
		}
		d.Platform = &v1.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}
	}
	return d
}

// An index in an index, as "docker buildx imagetools create" makes of indexes, was
// "not looked into", and the answer unknown each time. containerd follows the
// platform of its entry.
func TestNestedIndex(t *testing.T) {
	f := registrytest.New(t)
	image := func(text string) v1.Descriptor {
		return descriptor(t, types.OCIManifestSchema1, f.Push(t, "a", "x-"+text, text), 7)
	}
	amd, arm, v7, bare, att := image("amd"), image("arm"), image("v7"), image("bare"), image("att")
	artifact := image("artifact")
	artifact.ArtifactType = "application/vnd.example.sbom"
	missing := nest(t, f, "", map[string]string{"n": "missing"})
	f.SetFault(registrytest.OnPath(missing.Digest.String(), registrytest.Status(http.StatusNotFound)))

	ofAmd := nest(t, f, "", nil, on(t, att, "unknown/unknown"), artifact, on(t, amd, "linux/amd64"), on(t, att, "linux/s390x"))
	ofArm := nest(t, f, "", nil, on(t, arm, "linux/arm64/v8"))
	nest(t, f, "nested", nil, on(t, ofAmd, "linux/amd64"), on(t, ofArm, "linux/arm64"), on(t, nest(t, f, "", nil, on(t, v7, "linux/arm")), "linux/arm/v7"))
	nest(t, f, "open", nil, ofAmd, on(t, ofArm, ""))
	nest(t, f, "bare", nil, on(t, nest(t, f, "", nil, artifact, bare), "linux/amd64"))
	nest(t, f, "gone", nil, on(t, missing, "linux/amd64"), on(t, ofArm, "linux/arm64"))
	nest(t, f, "no-index", nil, on(t, descriptor(t, types.OCIImageIndex, amd.Digest.String(), 7), "linux/amd64"))
	deep := ofAmd
	for range 7 {
		deep = nest(t, f, "", nil, on(t, deep, "linux/amd64"))
	}
	nest(t, f, "deep", nil, deep)
	nest(t, f, "too-deep", nil, nest(t, f, "", nil, deep))
	wide := make([]v1.Descriptor, 65)
	for i := range wide {
		wide[i] = nest(t, f, "", map[string]string{"n": time.Duration(i).String()})
	}
	nest(t, f, "wide", nil, append(wide, ofAmd)...)
	many := make([]v1.Descriptor, 600)
	for i := range many {
		many[i] = on(t, arm, "linux/arm64")
	}
	nest(t, f, "many", nil, nest(t, f, "", nil, many...), nest(t, f, "", map[string]string{"n": "2"}, many...))

	r := registrytest.NewResolver(t, registrytest.Options{})
	for _, tt := range []struct {
		tag, platform string
		want          v1.Hash
		kind          error
		says          string
	}{
		{"nested", "linux/amd64", amd.Digest, nil, ""},
		{"nested", "linux/arm64", arm.Digest, nil, ""},
		{"nested", "linux/arm64/v8", arm.Digest, nil, ""},
		{"nested", "linux/arm/v7", v7.Digest, nil, ""},
		{"nested", "linux/s390x", v1.Hash{}, digest.ErrNotFound, "has no image for linux/s390x, it has none"},
		{"open", "linux/amd64", amd.Digest, nil, ""},
		{"open", "linux/s390x", att.Digest, nil, ""},
		{"open", "linux/arm64", arm.Digest, nil, ""},
		{"bare", "linux/amd64", bare.Digest, nil, ""},
		{"deep", "linux/amd64", amd.Digest, nil, ""},
		{"too-deep", "linux/amd64", v1.Hash{}, digest.ErrUnknown, "more than 64 indexes, or more than 8 deep"},
		{"wide", "linux/amd64", v1.Hash{}, digest.ErrUnknown, "more than 64 indexes, or more than 8 deep"},
		{"many", "linux/arm64", v1.Hash{}, digest.ErrUnknown, "more than 1000 manifests"},
		{"gone", "linux/amd64", v1.Hash{}, digest.ErrUnknown, "has the index and not the index " + missing.Digest.String() + " that it names"},
		{"gone", "linux/arm64", arm.Digest, nil, ""}, // what it needs is there
		{"no-index", "linux/amd64", v1.Hash{}, digest.ErrUnknown, "names something else as an index, " + amd.Digest.String()},
	} {
		want, err := digest.ParsePlatform(tt.platform)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		if tt.want.Hex != "" {
			text = tt.want.String()
		}
		got, err := r.ResolvePlatform(t.Context(), f.Host+"/a:"+tt.tag, want)
		if got.Digest != text || !errors.Is(err, tt.kind) || tt.kind == digest.ErrUnknown && errors.Is(err, digest.ErrNotFound) ||
			err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s for %s: %+v, %v", tt.tag, tt.platform, got, err)
		}
		missing, err := r.MissingPlatforms(t.Context(), f.Host+"/a:"+tt.tag, []digest.Platform{want})
		if unknown := tt.kind == digest.ErrUnknown; (err != nil) != unknown || !unknown && (len(missing) == 0) != (tt.kind == nil) {
			t.Errorf("%s must have %s: %v, %v", tt.tag, tt.platform, missing, err)
		}
	}
	all, err := r.Platforms(t.Context(), f.Host+"/a:nested")
	if err != nil || len(all) != 3 || all[2].Platform.String() != "linux/arm/v7" {
		t.Errorf("all platforms: %+v, %v", all, err)
	}
	f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, ofAmd.Digest.String()) {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	if _, err := r.ResolvePlatform(t.Context(), f.Host+"/a:nested", digest.Platform{OS: "linux", Architecture: "amd64"}); !errors.Is(err, digest.ErrUnknown) {
		t.Errorf("forbidden: %v", err)
	}
}

// The first image of an index may be in an index in it.
func TestNestedCreated(t *testing.T) {
	f := registrytest.New(t)
	config := []byte(`{"created":"2024-01-31T00:00:00Z"}`)
	body := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[]}`,
		registrytest.ManifestType, f.PutBlob(t, "a", config), len(config))
	image := descriptor(t, types.OCIManifestSchema1, f.Put(t, "a", "image", registrytest.ManifestType, body), 7)
	nest(t, f, "nested", nil, nest(t, f, "", nil, image))
	at, err := registrytest.NewResolver(t, registrytest.Options{}).Created(t.Context(), f.Host+"/a:nested")
	if err != nil || at.Format(time.DateOnly) != "2024-01-31" {
		t.Errorf("created %v, %v", at, err)
	}
}
