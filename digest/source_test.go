package digest_test

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/layouttest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
)

// Annotations go before labels, those of an index before its images', and what says
// nothing is no error.
func TestSource(t *testing.T) {
	f := registrytest.New(t)
	const source, revision = "org.opencontainers.image.source", "org.opencontainers.image.revision"
	labeled := func(labels map[string]string) v1.Image {
		img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{Config: v1.Config{Labels: labels}})
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	inside := labeled(map[string]string{source: "https://git.example.com/a", revision: "111"})
	for tag, what := range map[string]remote.Taggable{
		"labels":    inside,
		"annotated": mutate.Annotations(inside, map[string]string{source: "https://git.example.com/b", revision: "222"}).(v1.Image),
		"half":      mutate.Annotations(inside, map[string]string{revision: "222"}).(v1.Image),
		"none":      labeled(nil),
		"multi":     layouttest.IndexOf(t, map[string]v1.Image{"linux/amd64": inside}),
		"index":     mutate.Annotations(layouttest.IndexOf(t, map[string]v1.Image{"linux/amd64": inside}), map[string]string{source: "c", revision: "333"}).(v1.ImageIndex),
		"attested":  layouttest.IndexOf(t, map[string]v1.Image{"unknown/unknown": inside}),
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
	for tag, want := range map[string]digest.Source{
		"labels":    {URL: "https://git.example.com/a", Revision: "111"},
		"annotated": {URL: "https://git.example.com/b", Revision: "222"},
		"half":      {URL: "https://git.example.com/a", Revision: "222"},
		"none":      {},
		"multi":     {URL: "https://git.example.com/a", Revision: "111"},
		"index":     {URL: "c", Revision: "333"},
		"attested":  {},
	} {
		if got, err := r.Source(t.Context(), f.Host+"/shop/cart:"+tag); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", tag, got, err)
		}
	}
	if _, err := r.Source(t.Context(), f.Host+"/shop/cart:gone"); err == nil {
		t.Error("what is not there has a source")
	}
}
