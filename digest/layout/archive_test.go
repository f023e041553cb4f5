package layout_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/layouttest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/layout"
)

func TestResolveSaved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "saved.tar")
	one, two := layouttest.RandomImage(t), layouttest.RandomImage(t)
	layouttest.Save(t, file, map[string]v1.Image{"shop/cart:v1": one, "r.io/shop/web:v1": two})
	opened, err := tarball.ImageFromPath(file, &name.Tag{})
	if err == nil {
		t.Fatalf("the library finds an image without a tag: %v", opened)
	}
	for ref, img := range map[string]v1.Image{
		"shop/cart:v1": one, "docker.io/shop/cart:v1": one, "r.io/shop/web:v1": two,
	} {
		got, err := digest.ResolveLayout(t.Context(), "docker-archive:"+file+":"+ref)
		if err != nil || got.Tag != ref || got.MediaType != "application/vnd.docker.distribution.manifest.v2+json" {
			t.Errorf("%s: %+v, %v", ref, got, err)
		}
		// The layers in this archive are compressed, so the manifest is the one
		// that the image had.
		if got.Digest != layouttest.DigestOfImage(t, img) {
			t.Errorf("%s is %s, was %s", ref, got.Digest, layouttest.DigestOfImage(t, img))
		}
	}
	for name, want := range map[string]struct {
		kind       error
		text, hint string
	}{
		"":              {digest.ErrUnknown, "manifest.json has 2 images, and the reference names none", "its images are tagged"},
		":shop/cart:v9": {digest.ErrNotFound, `manifest.json has no image tagged "shop/cart:v9"`, "its images are tagged"},
	} {
		_, err := digest.ResolveLayout(t.Context(), "docker-archive:"+file+name)
		var e *digest.Error
		if !errors.As(err, &e) || !errors.Is(err, want.kind) || e.Err.Error() != want.text || !strings.HasPrefix(e.HintText(), want.hint) {
			t.Errorf("%q: %v, want %s", name, err, want.text)
		}
	}
}

// Layers that are not compressed, and links between them.
func TestResolveSavedPlain(t *testing.T) {
	file := layouttest.WriteTar(t, layouttest.Saved())
	s, err := layout.Open(t.Context(), "docker-archive:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	theirs, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Descriptor().Digest.String(), layouttest.DigestOfImage(t, theirs); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestArchiveDamaged(t *testing.T) {
	with := func(name string, e ...layouttest.TarEntry) []layouttest.TarEntry {
		var out []layouttest.TarEntry
		for _, old := range layouttest.Saved() {
			if old.Name != name {
				out = append(out, old)
			}
		}
		return append(out, e...)
	}
	manifest := func(text string) []layouttest.TarEntry {
		return with("manifest.json", layouttest.TarEntry{Name: "manifest.json", Text: text})
	}
	layer := layouttest.Saved()[1].Text
	source := func(dgst string, size int, rest string) []layouttest.TarEntry {
		return manifest(fmt.Sprintf(`[{"Config":"config.json","Layers":["one/layer.tar","two/layer.tar"],"LayerSources":{%q:{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d%s}}}]`, layouttest.Hash(layer), dgst, size, rest))
	}
	for name, tt := range map[string]struct {
		entries []layouttest.TarEntry
		want    string // empty: it is not damaged
	}{
		"sound":              {layouttest.Saved(), ""},
		"sound, described":   {source(layouttest.Hash(layer), len(layer), ""), ""},
		"described wrong":    {source(registrytest.SomeDigest, len(layer), ""), "layer 1 is not the one that manifest.json describes"},
		"described longer":   {source(layouttest.Hash(layer), len(layer)+1, ""), "layer 1 is not the one that manifest.json describes"},
		"elsewhere":          {source(layouttest.Hash(layer), len(layer), `,"urls":["https://r.io/"]`), "layer 1 is not the one that manifest.json describes"},
		"no manifest":        {with("manifest.json"), "there is no manifest.json"},
		"no JSON":            {manifest("<"), "manifest.json is not what docker save writes"},
		"no images":          {manifest("[]"), "manifest.json has no image"},
		"many images":        {manifest("[{}" + strings.Repeat(",{}", 1000) + "]"), "manifest.json has more than 1000 images"},
		"no config":          {with("config.json"), `there is no configuration "config.json"`},
		"config no JSON":     {with("config.json", layouttest.TarEntry{Name: "config.json", Text: "<"}), "the image in the archive is damaged"},
		"large config":       {with("config.json", layouttest.TarEntry{Name: "config.json", Text: strings.Repeat(" ", 4<<20+1)}), `configuration "config.json" is larger than 4194304 bytes`},
		"config by a link":   {with("config.json", layouttest.TarEntry{Name: "config.json", Link: "one/layer.tar", Kind: tar.TypeSymlink}), `there is no configuration "config.json"`},
		"no layer":           {with("one/layer.tar"), `there is no layer "one/layer.tar"`},
		"fewer layers":       {manifest(`[{"Config":"config.json","Layers":["one/layer.tar"]}]`), "the image has 1 layers, and its configuration 2"},
		"many layers":        {manifest(`[{"Config":"config.json","Layers":[""` + strings.Repeat(`,""`, 1000) + `]}]`), "manifest.json has an image of more than 1000 layers"},
		"another layer":      {with("one/layer.tar", layouttest.TarEntry{Name: "one/layer.tar", Text: "other"}), "layer 1 does not hash to what the configuration says, but to " + layouttest.Hash("other")},
		"cycle of links":     {with("one/layer.tar", layouttest.TarEntry{Name: "one/layer.tar", Link: "../two/layer.tar", Kind: tar.TypeSymlink}), `there is no layer "one/layer.tar"`},
		"link out":           {append(layouttest.Saved(), layouttest.TarEntry{Name: "x", Link: "../etc/passwd", Kind: tar.TypeSymlink}), `link "x" leads out of the archive`},
		"link to the root":   {append(layouttest.Saved(), layouttest.TarEntry{Name: "x", Link: "/etc/passwd", Kind: tar.TypeSymlink}), `link "x" leads out of the archive`},
		"hard link":          {append(layouttest.Saved(), layouttest.TarEntry{Name: "x", Link: "config.json", Kind: tar.TypeLink}), `entry "x" of the archive is neither a file nor a directory`},
		"device":             {append(layouttest.Saved(), layouttest.TarEntry{Name: "x", Kind: tar.TypeChar}), `entry "x" of the archive is neither a file nor a directory`},
		"name out":           {append(layouttest.Saved(), layouttest.TarEntry{Name: "a/../../x"}), `entry "a/../../x" is outside the archive`},
		"name from the root": {append(layouttest.Saved(), layouttest.TarEntry{Name: "/x"}), `entry "/x" is outside the archive`},
		"twice":              {append(layouttest.Saved(), layouttest.TarEntry{Name: "./config.json"}), `entry "config.json" stands twice in the archive`},
		"long name":          {append(layouttest.Saved(), layouttest.TarEntry{Name: strings.Repeat("x", 513)}), "the archive has a name longer than 512 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := digest.ResolveLayout(t.Context(), "docker-archive:"+layouttest.WriteTar(t, tt.entries))
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *digest.Error
			if !errors.As(err, &e) || e.Err.Error() != tt.want {
				t.Errorf("\n got %v\nwant %s", err, tt.want)
			}
			if notFound := tt.want == "manifest.json has no image"; errors.Is(err, digest.ErrNotFound) != notFound || errors.Is(err, digest.ErrUnknown) == notFound {
				t.Errorf("wrong kind: %v", e.Kind)
			}
		})
	}
}

func TestArchiveTags(t *testing.T) {
	for tags, want := range map[string]string{
		`"shop/cart:v1","docker.io/shop/cart:v1"`: `manifest.json has 2 images tagged "shop/cart:v1"`,
		`"Shop/cart:v1"`:                      `manifest.json has tag "Shop/cart:v1", which is no reference with a tag`,
		`"a@` + registrytest.SomeDigest + `"`: `manifest.json has tag "a@` + registrytest.SomeDigest + `", which is no reference with a tag`,
		``:                                    `manifest.json has no image tagged "shop/cart:v1"`,
	} {
		file := layouttest.WriteTar(t, []layouttest.TarEntry{{Name: "manifest.json", Text: `[{"Config":"c","RepoTags":[` + tags + `]},{"Config":"d"}]`}})
		_, err := digest.ResolveLayout(t.Context(), "docker-archive:"+file+":shop/cart:v1")
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Archives that are compressed, cut short, sparse, or full of entries.
func TestArchiveForms(t *testing.T) {
	plain, err := os.ReadFile(layouttest.WriteTar(t, layouttest.Saved()))
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	many := make([]layouttest.TarEntry, 50_001)
	for i := range many {
		many[i].Name = fmt.Sprint(i)
	}
	full, err := os.ReadFile(layouttest.WriteTar(t, many))
	if err != nil {
		t.Fatal(err)
	}
	sparse := bytes.Clone(plain)
	sparse[512+156] = 'S' // the kind of the second entry
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"gzip":      {zipped.Bytes(), "the archive is compressed with gzip"},
		"zstd":      {[]byte("\x28\xb5\x2f\xfdx"), "the archive is compressed with zstd"},
		"cut short": {plain[:1500], `entry "one/layer.tar" of the archive is sparse or cut short`},
		"in header": {plain[:700], "the archive is not a tar archive, or is damaged"},
		"sparse":    {sparse, "the archive is not a tar archive, or is damaged"},
		"many":      {full, "the archive has more than 50000 entries"},
		"empty":     {nil, "there is no manifest.json"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "a.tar")
			writeFile(t, file, string(tt.data))
			_, err := digest.ResolveLayout(t.Context(), "docker-archive:"+file)
			var e *digest.Error
			if !errors.As(err, &e) || !errors.Is(err, digest.ErrUnknown) || e.Err.Error() != tt.want {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if name == "gzip" && e.HintText() != "gzip -d "+file {
				t.Errorf("hint %q", e.HintText())
			}
		})
	}
}

// A layout in an archive has no links.
func TestArchiveLayoutLink(t *testing.T) {
	file := layouttest.WriteTar(t, []layouttest.TarEntry{
		{Name: "oci-layout", Text: `{"imageLayoutVersion":"1.0.0"}`},
		{Name: "x", Text: `{}`},
		{Name: "index.json", Link: "x", Kind: tar.TypeSymlink},
	})
	_, err := digest.ResolveLayout(t.Context(), "oci-archive:"+file)
	if err == nil || !strings.HasSuffix(err.Error(), "index.json is not a regular file") {
		t.Errorf("got %v", err)
	}
}

func FuzzArchive(f *testing.F) {
	for _, entries := range [][]layouttest.TarEntry{layouttest.Saved(), {{Name: "oci-layout", Text: `{"imageLayoutVersion":"1.0.0"}`}}} {
		data, err := os.ReadFile(layouttest.WriteTar(f, entries))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(dir, "a.tar")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"docker-archive:", "oci-archive:"} {
			res, err := digest.ResolveLayout(t.Context(), kind+file)
			var e *digest.Error
			if err != nil && (!errors.As(err, &e) || strings.ContainsAny(err.Error(), "\n\r")) || err == nil && res.Digest == "" {
				t.Fatalf("%s%q: %+v, %v", kind, data, res, err)
			}
		}
	})
}
