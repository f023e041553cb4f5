// Package layouttest makes layouts, archives and images for tests, sound and
// damaged ones.
package layouttest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Layout is a layout that a test fills.
type Layout struct {
	Path string
	Dir  layout.Path
}

func New(t testing.TB) *Layout {
	t.Helper()
	path := filepath.Join(t.TempDir(), "layout")
	dir, err := layout.Write(path, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	return &Layout{path, dir}
}

func (l *Layout) Add(t testing.TB, what mutate.Appendable, name string) {
	t.Helper()
	named := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": name})
	err := errors.New("neither an image nor an index")
	switch what := what.(type) {
	case v1.Image:
		err = l.Dir.AppendImage(what, named)
	case v1.ImageIndex:
		err = l.Dir.AppendIndex(what, named)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Archive packs the layout.
func (l *Layout) Archive(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "layout.tar")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	tw := tar.NewWriter(f)
	if err := errors.Join(tw.AddFS(os.DirFS(l.Path)), tw.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}

func RandomImage(t testing.TB) v1.Image {
	t.Helper()
	img, err := random.Image(1000, 3)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func RandomIndex(t testing.TB) v1.ImageIndex {
	t.Helper()
	index, err := random.Index(1000, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// IndexOf makes an index of images by platform, in their order, and of indexes.
func IndexOf(t testing.TB, images map[string]v1.Image, indexes ...v1.ImageIndex) v1.ImageIndex {
	t.Helper()
	var index v1.ImageIndex = empty.Index
	for _, name := range slices.Sorted(maps.Keys(images)) {
		p, err := v1.ParsePlatform(name)
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: images[name], Descriptor: v1.Descriptor{Platform: p}})
	}
	for _, inner := range indexes {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: inner})
	}
	return index
}

func DigestOfImage(t testing.TB, img v1.Image) string {
	t.Helper()
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// Save writes images as "docker save" does, with compressed layers.
func Save(t testing.TB, file string, images map[string]v1.Image) {
	t.Helper()
	refs := make(map[name.Tag]v1.Image)
	for ref, img := range images {
		tag, err := name.NewTag(ref)
		if err != nil {
			t.Fatal(err)
		}
		refs[tag] = img
	}
	if err := tarball.MultiWriteToFile(file, refs); err != nil {
		t.Fatal(err)
	}
}

// TarEntry is an entry of an archive that a test writes.
type TarEntry struct {
	Name, Text, Link string
	Kind             byte // 0 is a file
}

func WriteTar(t testing.TB, entries []TarEntry) string {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.Name, Size: int64(len(e.Text)), Mode: 0o644, Typeflag: e.Kind, Linkname: e.Link}
		if e.Kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(tw, e.Text); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Saved are the files of an archive as older versions of docker save write it,
// with a layer that stands once and is linked to once.
func Saved() []TarEntry {
	layer := "layer " + strings.Repeat("x", 1000)
	config := fmt.Sprintf(`{"architecture":"arm64","os":"linux","rootfs":{"type":"layers","diff_ids":[%q,%q]}}`, Hash(layer), Hash(layer))
	return []TarEntry{
		{Name: "one/", Kind: tar.TypeDir},
		{Name: "one/layer.tar", Text: layer},
		{Name: "two/layer.tar", Link: "../one/layer.tar", Kind: tar.TypeSymlink},
		{Name: "config.json", Text: config},
		{Name: "manifest.json", Text: `[{"Config":"config.json","RepoTags":["shop/cart:v1"],"Layers":["one/layer.tar","two/layer.tar"]}]`},
	}
}

func Hash(s string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s))) }
