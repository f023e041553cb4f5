package layout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/layouttest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/layout"
)

func TestParseRef(t *testing.T) {
	for in, want := range map[string]layout.Ref{
		"oci:dir":                              {Kind: "oci", Path: "dir"},
		"oci:/a b/ü:v1":                        {Kind: "oci", Path: "/a b/ü", Name: "v1"},
		"oci:dir:r.io/shop/cart:v1@x+y":        {Kind: "oci", Path: "dir", Name: "r.io/shop/cart:v1@x+y"},
		"oci:dir@" + registrytest.SomeDigest:   {Kind: "oci", Path: "dir", Digest: registrytest.SomeDigest},
		"oci:dir:a--b":                         {Kind: "oci", Path: "dir", Name: "a--b"},
		"oci-archive:../cart.tar:V1_2":         {Kind: "oci-archive", Path: "../cart.tar", Name: "V1_2"},
		"docker-archive:cart.tar":              {Kind: "docker-archive", Path: "cart.tar"},
		"docker-archive:cart.tar:r.io:1/a/b:1": {Kind: "docker-archive", Path: "cart.tar", Name: "r.io:1/a/b:1"},
	} {
		got, err := layout.ParseRef(in)
		if err != nil || got != want || got.String() != in || !layout.IsRef(in) {
			t.Errorf("ParseRef(%q): %#v, %v", in, got, err)
		}
	}
}

func TestParseRefFaults(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    `byte 1: does not start with oci:, oci-archive: or docker-archive:`,
		"dir:x":                               `byte 1: does not start with oci:, oci-archive: or docker-archive:`,
		"oci":                                 `byte 1: does not start with oci:, oci-archive: or docker-archive:`,
		"oci:":                                `byte 5: empty path`,
		"oci::v1":                             `byte 5: empty path`,
		"oci:" + strings.Repeat("a", 4097):    `byte 4101: path longer than 4096 bytes`,
		"oci:a\x00b":                          `byte 6: character "\x00"`,
		"oci:dir:":                            `byte 9: part of the name is empty or ends with a separator`,
		"oci:dir:a/":                          `byte 11: part of the name is empty or ends with a separator`,
		"oci:dir:a-":                          `byte 11: part of the name is empty or ends with a separator`,
		"oci:dir:a---b":                       `byte 12: character "-" in the name where a letter or digit belongs`,
		"oci:dir:-a":                          `byte 9: character "-" in the name where a letter or digit belongs`,
		"oci:dir:a..b":                        `byte 11: character "." in the name where a letter or digit belongs`,
		"oci:dir:a b":                         `byte 10: character " " in the name`,
		"oci:dir:" + strings.Repeat("a", 513): `byte 521: name longer than 512 bytes`,
		"oci:dir@sha256:0":                    `byte 17: digest has 1 hexadecimal digits, not 64`,
		"oci:@" + registrytest.SomeDigest:     `byte 5: empty path`,
		"docker-archive:f:@0":                 `byte 18: position in the archive is not supported, name the image by its reference`,
		"docker-archive:f:cart":               `byte 22: neither tag nor digest, "latest" is not assumed: write cart:TAG or cart@sha256:…`,
		"docker-archive:f:a:1@" + registrytest.SomeDigest: `byte 21: digest, an archive has images by tag`,
	} {
		_, err := layout.ParseRef(in)
		var e *layout.Error
		if !errors.As(err, &e) || !errors.Is(err, digest.ErrMalformed) || e.Ref != in {
			t.Errorf("ParseRef(%q): %#v, want a malformed *Error", in, err)
			continue
		}
		if got := e.Err.Error(); got != want {
			t.Errorf("ParseRef(%q):\n got %s\nwant %s", in, got, want)
		}
		if _, err := layout.Open(t.Context(), in); !errors.Is(err, digest.ErrMalformed) {
			t.Errorf("ResolveLayout(%q): %v", in, err)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"oci:dir:v1", "oci-archive:f:a/b--c", "docker-archive:f:a:1", "oci::", "docker-archive:f:@1", "oci:c:\\x:v1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := layout.ParseRef(s)
		if err != nil {
			if !errors.Is(err, digest.ErrMalformed) || strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("ParseRef(%q): %v", s, err)
			}
			return
		}
		if again, err := layout.ParseRef(ref.String()); ref.String() != s || err != nil || again != ref {
			t.Fatalf("%q prints as %q, which is %#v (%v)", s, ref, again, err)
		}
	})
}

// sources gives a reference of each kind.
func sources(t *testing.T) map[string]string {
	t.Helper()
	dir := layouttest.New(t)
	img := layouttest.RandomImage(t)
	dir.Add(t, img, "v1")
	dir.Add(t, layouttest.RandomIndex(t), "multi")
	saved := filepath.Join(t.TempDir(), "saved.tar")
	layouttest.Save(t, saved, map[string]v1.Image{"shop/cart:v1": img, "shop/web:v1": layouttest.RandomImage(t)})
	return map[string]string{
		"image":   "oci:" + dir.Path + ":v1",
		"index":   "oci:" + dir.Path + ":multi",
		"archive": "oci-archive:" + dir.Archive(t) + ":v1",
		"multi":   "oci-archive:" + dir.Archive(t) + ":multi",
		"saved":   "docker-archive:" + saved + ":docker.io/shop/cart:v1",
	}
}

// Reading ends with the context, also when it ends later.
func TestSourceEnds(t *testing.T) {
	for name, ref := range sources(t) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := layout.Open(ended, ref); name != "image" && name != "index" && (!errors.Is(err, context.Canceled) || !errors.Is(err, digest.ErrUnknown)) {
			t.Errorf("%s: opened although it was cancelled: %v", name, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		s, err := layout.Open(ctx, ref)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		cancel()
		r, err := s.Blob(someBlob(t, s))
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			r.Close()
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: read although it was cancelled: %v", name, err)
		}
	}
}

// someBlob is the digest of a blob of an image, or of a manifest of an index.
func someBlob(t *testing.T, s *layout.Image) v1.Hash {
	t.Helper()
	_, raw, err := s.Manifest(s.Descriptor().Digest)
	if err != nil {
		t.Fatal(err)
	}
	var m struct{ Layers, Manifests []v1.Descriptor }
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return append(m.Layers, m.Manifests...)[0].Digest
}

func TestSourceMissing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"oci:" + dir + "/gone":            "gone: no such file or directory",
		"oci:" + dir:                      "there is no oci-layout",
		"oci:" + file:                     "file: not a directory",
		"oci-archive:" + dir:              "the archive is not a regular file",
		"oci-archive:" + file:             "the archive is not a tar archive, or is damaged",
		"docker-archive:" + dir + "/gone": "gone: no such file or directory",
	} {
		_, err := layout.Open(t.Context(), ref)
		if !errors.Is(err, digest.ErrUnknown) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("ResolveLayout(%q): %v, want %s", ref, err, want)
		}
	}
}

func ExampleParseRef() {
	ref, err := layout.ParseRef("oci:build/cart:v1")
	fmt.Println(ref.Kind, ref.Path, ref.Name, err)
	_, err = layout.ParseRef("oci:build/cart:v1+")
	fmt.Println(err)
	// Output:
	// oci build/cart v1 <nil>
	// reference "oci:build/cart:v1+": byte 19: part of the name is empty or ends with a separator
}

func ExampleOpen() {
	s, err := layout.Open(context.Background(), "oci:testdata/layout:v1")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	fmt.Println(s.Descriptor().Digest)

	_, err = layout.Open(context.Background(), "oci:testdata/layout:v2")
	fmt.Println(err, errors.Is(err, digest.ErrNotFound))
	// Output:
	// sha256:7863d89ec1a350c0f53f23abb010fbb11c3c30ea9e1bdb642b8599e63ffb4df6
	// reference "oci:testdata/layout:v2": index.json has no image named "v2" true
}
