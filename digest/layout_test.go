package digest_test

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
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/kubepromote/kubepromote/digest"
)

func TestResolveLayout(t *testing.T) {
	l := newLayout(t)
	one := randomImage(t)
	l.add(t, one, "v1")
	for _, ref := range []string{"oci:" + l.path, "oci:" + l.path + ":v1", "oci-archive:" + l.archive(t)} {
		got, err := digest.ResolveLayout(t.Context(), ref)
		if err != nil || got.Digest != digestOfImage(t, one) {
			t.Errorf("ResolveSource(%q): %+v, %v", ref, got, err)
		}
	}
	l.add(t, one, "same")
	if got, err := digest.ResolveLayout(t.Context(), "oci:"+l.path); err != nil || got.Digest != digestOfImage(t, one) {
		t.Errorf("two names of one image: %+v, %v", got, err)
	}
	l.add(t, randomImage(t), "v2")
	l.add(t, randomImage(t), "twice")
	l.add(t, randomImage(t), "twice")
	for name, want := range map[string]struct {
		kind       error
		text, hint string
	}{
		"":       {digest.ErrUnknown, "index.json has 4 images, and the reference names none", "its images are named same, twice, v1 and 1 more"},
		":v9":    {digest.ErrNotFound, `index.json has no image named "v9"`, "its images are named same, twice, v1 and 1 more"},
		":twice": {digest.ErrUnknown, `index.json has 2 images named "twice"`, ""},
	} {
		_, err := digest.ResolveLayout(t.Context(), "oci:"+l.path+name)
		var e *digest.LayoutError
		if !errors.As(err, &e) || !errors.Is(err, want.kind) || e.Err.Error() != want.text || e.HintText() != want.hint {
			t.Errorf("%q: %v, want %s", name, err, want.text)
		}
	}
	_, err := digest.ResolveLayout(t.Context(), "oci:"+newLayout(t).path)
	if !errors.Is(err, digest.ErrNotFound) || !strings.HasSuffix(err.Error(), "index.json has no image") {
		t.Errorf("empty layout: %v", err)
	}
}

func TestResolveLayoutDigest(t *testing.T) {
	l := newLayout(t)
	one := randomImage(t)
	index := indexOf(t, map[string]v1.Image{"linux/amd64": one})
	l.add(t, index, "v1")
	whole, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{whole.String(), digestOfImage(t, one)} {
		if got, err := digest.ResolveLayout(t.Context(), "oci:"+l.path+"@"+want); err != nil || got.Digest != want {
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
		someDigest:      {digest.ErrNotFound, "the layout has no manifest " + someDigest},
		config.String(): {digest.ErrUnknown, "blobs/sha256/" + config.Hex + " does not say which kind of manifest it is"},
	} {
		_, err := digest.ResolveLayout(t.Context(), "oci:"+l.path+"@"+dgst)
		if !errors.Is(err, want.kind) || !strings.HasSuffix(err.Error(), want.text) {
			t.Errorf("%s: %v, want %s", dgst, err, want.text)
		}
	}
}

// "cosign save" puts signatures beside the image: it is still the only one.
func TestResolveLayoutSigned(t *testing.T) {
	l := newLayout(t)
	one := randomImage(t)
	signature := layout.WithAnnotations(map[string]string{"kind": "dev.cosignproject.cosign/sigs"})
	if err := errors.Join(l.dir.AppendImage(one), l.dir.AppendImage(randomImage(t), signature)); err != nil {
		t.Fatal(err)
	}
	l.add(t, randomImage(t), "sha256-"+someHex+".att")
	if got, err := digest.ResolveLayout(t.Context(), "oci:"+l.path); err != nil || got.Digest != digestOfImage(t, one) {
		t.Errorf("%+v, %v", got, err)
	}
}

// descriptor of an index.json of one manifest.
func indexJSON(mediaType, dgst string, size int) string {
	return fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`, mediaType, dgst, size)
}

func TestLayoutDamaged(t *testing.T) {
	image := string(manifest("one"))
	blob := func(s string) string { return "blobs/sha256/" + strings.TrimPrefix(hashOf(s), "sha256:") }
	good := func() map[string]string {
		return map[string]string{
			"oci-layout": `{"imageLayoutVersion":"1.0.0"}`,
			"index.json": indexJSON(manifestType, hashOf(image), len(image)),
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
		"another blob":    {blob(image), strings.Replace(image, "one", "two", 1), blob(image) + " does not hash to its name, but to " + hashOf(strings.Replace(image, "one", "two", 1))},
		"longer blob":     {blob(image), image + " ", fmt.Sprintf("%s has %d bytes, not %d", blob(image), len(image)+1, len(image))},
		"no media type":   {"index.json", indexJSON("", hashOf(image), len(image)), `manifest ` + hashOf(image) + ` says it is "` + manifestType + `", and what refers to it ""`},
		"other type":      {"index.json", indexJSON(ociIndexType, hashOf(image), len(image)), `manifest ` + hashOf(image) + ` says it is "` + manifestType + `", and what refers to it "` + ociIndexType + `"`},
		"negative":        {"index.json", indexJSON(manifestType, hashOf(image), -1), "negative size of " + hashOf(image)},
		"another hash":    {"index.json", indexJSON(manifestType, "sha512:"+someHex+someHex, 1), `blob "sha512:` + someHex + someHex + `": digest does not start with "sha256:"`},
		"many manifests":  {"index.json", `{"schemaVersion":2,"manifests":[` + strings.Repeat(`{"digest":"`+someDigest+`"},`, 10_000) + `{"digest":"` + someDigest + `"}]}`, "index.json has more than 10000 manifests"},
		"path for a hash": {"index.json", indexJSON(manifestType, "sha256:../../../../etc/passwd", 1), "index.json is not an image index"},
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
			var e *digest.LayoutError
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
			l := newLayout(t)
			l.add(t, randomImage(t), "v1")
			victim := filepath.Join(l.path, tt.replace)
			if err := os.RemoveAll(victim); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(tt.with, victim); err != nil {
				t.Skipf("no symbolic links here, so they are not tested: %v", err)
			}
			_, err := digest.ResolveLayout(t.Context(), "oci:"+l.path)
			if !errors.Is(err, digest.ErrUnknown) || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	l := newLayout(t)
	if err := errors.Join(os.Remove(filepath.Join(l.path, "index.json")), os.Mkdir(filepath.Join(l.path, "index.json"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if _, err := digest.ResolveLayout(t.Context(), "oci:"+l.path); err == nil || !strings.HasSuffix(err.Error(), "index.json is not a regular file") {
		t.Errorf("a directory: %v", err)
	}
}

// Whatever stands in index.json, the answer is an error or a blob that hashes to
// what is answered.
func FuzzLayoutIndex(f *testing.F) {
	l := newLayout(f)
	l.add(f, randomImage(f), "v1")
	data, err := os.ReadFile(filepath.Join(l.path, "index.json"))
	if err != nil {
		f.Fatal(err)
	}
	secret := filepath.Join(filepath.Dir(l.path), "secret")
	writeFile(f, secret, "secret")
	f.Add(data)
	f.Add([]byte(`{"manifests":[{"digest":"sha256:` + hashOf("secret") + `","size":6}]}`))
	f.Add([]byte(indexJSON(manifestType, "sha256:../../../secret", 6)))
	f.Add([]byte(indexJSON(ociIndexType, someDigest, 1<<40)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(l.path, "index.json"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := digest.OpenSource(t.Context(), "oci:"+l.path)
		if err != nil {
			var e *digest.LayoutError
			if !errors.As(err, &e) || strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("%#v", err)
			}
			return
		}
		defer s.Close()
		id := s.Descriptor().Digest
		_, raw, err := s.Manifest(id)
		if err != nil || hashOf(string(raw)) != id.String() || !json.Valid(raw) {
			t.Fatalf("answered %s about %q, %v", id, raw, err)
		}
		if _, err := fs.Stat(os.DirFS(l.path), "blobs/sha256/"+id.Hex); err != nil {
			t.Fatal(err)
		}
	})
}
