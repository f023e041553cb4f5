package layout_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	ggcr "github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/layouttest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/layout"
)

func TestResolveLayout(t *testing.T) {
	l := layouttest.New(t)
	one := layouttest.RandomImage(t)
	l.Add(t, one, "v1")
	for _, ref := range []string{"oci:" + l.Path, "oci:" + l.Path + ":v1", "oci-archive:" + l.Archive(t)} {
		got, err := digest.ResolveLayout(t.Context(), ref)
		if err != nil || got.Digest != layouttest.DigestOfImage(t, one) {
			t.Errorf("ResolveLayout(%q): %+v, %v", ref, got, err)
		}
	}
	l.Add(t, one, "same")
	if got, err := digest.ResolveLayout(t.Context(), "oci:"+l.Path); err != nil || got.Digest != layouttest.DigestOfImage(t, one) {
		t.Errorf("two names of one image: %+v, %v", got, err)
	}
	l.Add(t, layouttest.RandomImage(t), "v2")
	l.Add(t, layouttest.RandomImage(t), "twice")
	l.Add(t, layouttest.RandomImage(t), "twice")
	for name, want := range map[string]struct {
		kind       error
		text, hint string
	}{
		"":       {digest.ErrUnknown, "index.json has 4 images, and the reference names none", "its images are named same, twice, v1 and 1 more"},
		":v9":    {digest.ErrNotFound, `index.json has no image named "v9"`, "its images are named same, twice, v1 and 1 more"},
		":twice": {digest.ErrUnknown, `index.json has 2 images named "twice"`, ""},
	} {
		_, err := digest.ResolveLayout(t.Context(), "oci:"+l.Path+name)
		var e *digest.Error
		if !errors.As(err, &e) || !errors.Is(err, want.kind) || e.Err.Error() != want.text || e.HintText() != want.hint {
			t.Errorf("%q: %v, want %s", name, err, want.text)
		}
	}
	_, err := digest.ResolveLayout(t.Context(), "oci:"+layouttest.New(t).Path)
	if !errors.Is(err, digest.ErrNotFound) || !strings.HasSuffix(err.Error(), "index.json has no image") {
		t.Errorf("empty layout: %v", err)
	}
}

func TestResolveLayoutDigest(t *testing.T) {
	l := layouttest.New(t)
	one := layouttest.RandomImage(t)
	index := layouttest.IndexOf(t, map[string]v1.Image{"linux/amd64": one})
	l.Add(t, index, "v1")
	whole, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{whole.String(), layouttest.DigestOfImage(t, one)} {
		if got, err := digest.ResolveLayout(t.Context(), "oci:"+l.Path+"@"+want); err != nil || got.Digest != want {
			t.Errorf("%s: %+v, %v", want, got, err)
		}
	}
	config, err := one.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	for dgst, want := range map[string]struct {
		kind error
		text string
	}{
		registrytest.SomeDigest: {digest.ErrNotFound, "the layout has no manifest " + registrytest.SomeDigest},
		config.String():         {digest.ErrUnknown, "blobs/sha256/" + config.Hex + " does not say which kind of manifest it is"},
	} {
		_, err := digest.ResolveLayout(t.Context(), "oci:"+l.Path+"@"+dgst)
		if !errors.Is(err, want.kind) || !strings.HasSuffix(err.Error(), want.text) {
			t.Errorf("%s: %v, want %s", dgst, err, want.text)
		}
	}
}

// "cosign save" puts signatures beside the image: it is still the only one.
func TestResolveLayoutSigned(t *testing.T) {
	l := layouttest.New(t)
	one := layouttest.RandomImage(t)
	signature := ggcr.WithAnnotations(map[string]string{"kind": "dev.cosignproject.cosign/sigs"})
	if err := errors.Join(l.Dir.AppendImage(one), l.Dir.AppendImage(layouttest.RandomImage(t), signature)); err != nil {
		t.Fatal(err)
	}
	l.Add(t, layouttest.RandomImage(t), "sha256-"+registrytest.SomeHex+".att")
	if got, err := digest.ResolveLayout(t.Context(), "oci:"+l.Path); err != nil || got.Digest != layouttest.DigestOfImage(t, one) {
		t.Errorf("%+v, %v", got, err)
	}
}

// descriptor of an index.json of one manifest.
func indexJSON(mediaType, dgst string, size int) string {
	return fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`, mediaType, dgst, size)
}

func TestLayoutDamaged(t *testing.T) {
	image := string(registrytest.Manifest("one"))
	blob := func(s string) string { return "blobs/sha256/" + strings.TrimPrefix(layouttest.Hash(s), "sha256:") }
	good := func() map[string]string {
		return map[string]string{
			"oci-layout": `{"imageLayoutVersion":"1.0.0"}`,
			"index.json": indexJSON(registrytest.ManifestType, layouttest.Hash(image), len(image)),
			blob(image):  image,
		}
	}
	for name, tt := range map[string]struct {
		file, text string // what stands in a file instead; empty: no such file
		want       string
	}{
		"no version":      {"oci-layout", `{}`, "oci-layout does not name version 1 of the image layout"},
		"large marker":    {"oci-layout", strings.Repeat(" ", 4<<20+1), "oci-layout is larger than 4 MiB"},
		"no index":        {"index.json", "", "there is no index.json"},
		"index no JSON":   {"index.json", "<", "index.json is not an image index"},
		"large index":     {"index.json", strings.Repeat(" ", 4<<20+1), "index.json is larger than 4 MiB"},
		"no blob":         {blob(image), "", "there is no " + blob(image)},
		"another blob":    {blob(image), strings.Replace(image, "one", "two", 1), blob(image) + " does not hash to its name, but to " + layouttest.Hash(strings.Replace(image, "one", "two", 1))},
		"longer blob":     {blob(image), image + " ", fmt.Sprintf("%s has %d bytes, not %d", blob(image), len(image)+1, len(image))},
		"no media type":   {"index.json", indexJSON("", layouttest.Hash(image), len(image)), `manifest ` + layouttest.Hash(image) + ` says it is "` + registrytest.ManifestType + `", and what refers to it ""`},
		"other type":      {"index.json", indexJSON(registrytest.IndexType, layouttest.Hash(image), len(image)), `manifest ` + layouttest.Hash(image) + ` says it is "` + registrytest.ManifestType + `", and what refers to it "` + registrytest.IndexType + `"`},
		"negative":        {"index.json", indexJSON(registrytest.ManifestType, layouttest.Hash(image), -1), "negative size of " + layouttest.Hash(image)},
		"another hash":    {"index.json", indexJSON(registrytest.ManifestType, "sha512:"+registrytest.SomeHex+registrytest.SomeHex, 1), `blob "sha512:` + registrytest.SomeHex + registrytest.SomeHex + `": digest does not start with "sha256:"`},
		"many manifests":  {"index.json", `{"schemaVersion":2,"manifests":[` + strings.Repeat(`{"digest":"`+registrytest.SomeDigest+`"},`, 10_000) + `{"digest":"` + registrytest.SomeDigest + `"}]}`, "index.json has more than 10000 manifests"},
		"path for a hash": {"index.json", indexJSON(registrytest.ManifestType, "sha256:../../../../etc/passwd", 1), "index.json is not an image index"},
	} {
		t.Run(name, func(t *testing.T) {
			files := good()
			files[tt.file] = tt.text
			dir := t.TempDir()
			for file, text := range files {
				if text != "" {
					writeFile(t, filepath.Join(dir, filepath.FromSlash(file)), text)
				}
			}
			_, err := digest.ResolveLayout(t.Context(), "oci:"+dir)
			var e *digest.Error
			if !errors.As(err, &e) || !errors.Is(err, digest.ErrUnknown) || e.Err.Error() != tt.want {
				t.Errorf("\n got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Whatever a layout links to, nothing outside it is read, nor anything that is
// not a file.
func TestLayoutLinks(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	writeFile(t, filepath.Join(secret, "index.json"), `{"schemaVersion":2,"manifests":[]}`)
	for name, tt := range map[string]struct{ replace, with, want string }{
		"a file":             {"index.json", filepath.Join(secret, "index.json"), "index.json is not a regular file"},
		"a file inside":      {"index.json", "oci-layout", "index.json is not a regular file"},
		"the blobs":          {"blobs", secret, "path escapes from parent"},
		"the blobs, upwards": {"blobs", "../../..", "path escapes from parent"},
	} {
		t.Run(name, func(t *testing.T) {
			l := layouttest.New(t)
			l.Add(t, layouttest.RandomImage(t), "v1")
			victim := filepath.Join(l.Path, tt.replace)
			if err := os.RemoveAll(victim); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(tt.with, victim); err != nil {
				t.Skipf("no symbolic links here, so they are not tested: %v", err)
			}
			_, err := digest.ResolveLayout(t.Context(), "oci:"+l.Path)
			if !errors.Is(err, digest.ErrUnknown) || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	l := layouttest.New(t)
	if err := errors.Join(os.Remove(filepath.Join(l.Path, "index.json")), os.Mkdir(filepath.Join(l.Path, "index.json"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if _, err := digest.ResolveLayout(t.Context(), "oci:"+l.Path); err == nil || !strings.HasSuffix(err.Error(), "index.json is not a regular file") {
		t.Errorf("a directory: %v", err)
	}
}

// Whatever stands in index.json, the answer is an error or a blob that hashes to
// what is answered.
func FuzzLayoutIndex(f *testing.F) {
	l := layouttest.New(f)
	l.Add(f, layouttest.RandomImage(f), "v1")
	data, err := os.ReadFile(filepath.Join(l.Path, "index.json"))
	if err != nil {
		f.Fatal(err)
	}
	secret := filepath.Join(filepath.Dir(l.Path), "secret")
	writeFile(f, secret, "secret")
	f.Add(data)
	f.Add([]byte(`{"manifests":[{"digest":"sha256:` + layouttest.Hash("secret") + `","size":6}]}`))
	f.Add([]byte(indexJSON(registrytest.ManifestType, "sha256:../../../secret", 6)))
	f.Add([]byte(indexJSON(registrytest.IndexType, registrytest.SomeDigest, 1<<40)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(l.Path, "index.json"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := layout.Open(t.Context(), "oci:"+l.Path)
		if err != nil {
			var e *layout.Error
			if !errors.As(err, &e) || strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("%#v", err)
			}
			return
		}
		defer s.Close()
		id := s.Descriptor().Digest
		_, raw, err := s.Manifest(id)
		if err != nil || layouttest.Hash(string(raw)) != id.String() || !json.Valid(raw) {
			t.Fatalf("answered %s about %q, %v", id, raw, err)
		}
		if _, err := fs.Stat(os.DirFS(l.Path), "blobs/sha256/"+id.Hex); err != nil {
			t.Fatal(err)
		}
	})
}
