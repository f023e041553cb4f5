package digest_test

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

// layoutDir is a layout that a test fills.
type layoutDir struct {
	path string
	dir  layout.Path
}

func newLayout(t testing.TB) *layoutDir {
	t.Helper()
	path := filepath.Join(t.TempDir(), "layout")
	dir, err := layout.Write(path, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	return &layoutDir{path, dir}
}

func (l *layoutDir) add(t testing.TB, what mutate.Appendable, name string) {
	t.Helper()
	named := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": name})
	err := errors.New("neither an image nor an index")
	switch what := what.(type) {
	case v1.Image:
		err = l.dir.AppendImage(what, named)
	case v1.ImageIndex:
		err = l.dir.AppendIndex(what, named)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// archive packs the layout.
func (l *layoutDir) archive(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "layout.tar")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	tw := tar.NewWriter(f)
	if err := errors.Join(tw.AddFS(os.DirFS(l.path)), tw.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}

func randomImage(t testing.TB) v1.Image {
	t.Helper()
	img, err := random.Image(1000, 3)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func randomIndex(t testing.TB) v1.ImageIndex {
	t.Helper()
	index, err := random.Index(1000, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func platformImage(t testing.TB, system, arch string) v1.Image {
	t.Helper()
	img := randomImage(t)
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.OS, config.Architecture = system, arch
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return img
}

// indexOf makes an index of images by platform, in their order, and of indexes.
func indexOf(t testing.TB, images map[string]v1.Image, indexes ...v1.ImageIndex) v1.ImageIndex {
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

func digestOfImage(t testing.TB, img v1.Image) string {
	t.Helper()
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// save writes images as "docker save" does, with compressed layers.
func save(t testing.TB, file string, images map[string]v1.Image) {
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

// tarFile is an entry of an archive that a test writes.
type tarEntry struct {
	name, text, link string
	kind             byte // 0 is a file
}

func writeTar(t testing.TB, entries []tarEntry) string {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Size: int64(len(e.text)), Mode: 0o644, Typeflag: e.kind, Linkname: e.link}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(tw, e.text); err != nil {
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

// saved are the files of an archive as older versions of docker save write it,
// with a layer that stands once and is linked to once.
func saved() []tarEntry {
	layer := "layer " + strings.Repeat("x", 1000)
	config := fmt.Sprintf(`{"architecture":"arm64","os":"linux","rootfs":{"type":"layers","diff_ids":[%q,%q]}}`, hashOf(layer), hashOf(layer))
	return []tarEntry{
		{name: "one/", kind: tar.TypeDir},
		{name: "one/layer.tar", text: layer},
		{name: "two/layer.tar", link: "../one/layer.tar", kind: tar.TypeSymlink},
		{name: "config.json", text: config},
		{name: "manifest.json", text: `[{"Config":"config.json","RepoTags":["shop/cart:v1"],"Layers":["one/layer.tar","two/layer.tar"]}]`},
	}
}

func hashOf(s string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s))) }
