package imagecopy_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/imagecopy"
	"github.com/kubepromote/kubepromote/digest/internal/layouttest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
)

func newLayoutDir(t *testing.T, dir string) layout.Path {
	t.Helper()
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// add appends an image to a layout, with annotations in its index.
func add(t *testing.T, l layout.Path, img v1.Image, annotations ...string) {
	t.Helper()
	all := map[string]string{}
	for i := 0; i < len(annotations); i += 2 {
		all[annotations[i]] = annotations[i+1]
	}
	if err := l.ReplaceImage(img, match.Digests(), layout.WithAnnotations(all)); err != nil {
		t.Fatal(err)
	}
}

const refName = "org.opencontainers.image.ref.name"

func TestCopyFromLayout(t *testing.T) {
	const kind = "kind"
	img, other := registrytest.SampleImage(t, 3000, 2), registrytest.SampleImage(t, 100, 1)
	id := registrytest.DigestOf(t, img)
	proof := registrytest.Referrer(t, registrytest.DescriptorOf(t, img), "proof")
	sig := registrytest.Signature(t, "payload", "text")
	tags := newLayoutDir(t, filepath.Join(t.TempDir(), "tags"))
	add(t, tags, img, refName, "v1")
	add(t, tags, other, refName, "v2")
	add(t, tags, sig, refName, registrytest.FallbackTag(id)+".sig")
	add(t, tags, proof)
	saved := newLayoutDir(t, filepath.Join(t.TempDir(), "saved"))
	add(t, saved, img, kind, "dev.cosignproject.cosign/image")
	add(t, saved, sig, kind, "dev.cosignproject.cosign/sigs")

	alone := newLayoutDir(t, filepath.Join(t.TempDir(), "alone"))
	add(t, alone, img)
	add(t, alone, proof)

	for _, tt := range []struct {
		src      string
		attached int
	}{
		{"oci:" + string(tags) + ":v1", 2},
		{"oci:" + string(tags) + "@" + id, 2},
		{"oci-archive:" + (&layouttest.Layout{Path: string(tags)}).Archive(t) + ":v1", 2},
		{"oci:" + string(saved), 1},
		{"oci-archive:" + (&layouttest.Layout{Path: string(saved)}).Archive(t), 1},
		{"oci:" + string(alone), 1}, // a referrer is not an image beside another
	} {
		dst := registrytest.NewDepot(t, false)
		to := dst.Host + "/a:v1"
		c := newCopier(t, imagecopy.Options{})
		got, err := c.Copy(t.Context(), tt.src, to, imagecopy.CopyOptions{})
		if err != nil || got.Digest != id || len(got.Attached) != tt.attached {
			t.Errorf("Copy(%s): %+v, %v", tt.src, got, err)
			continue
		}
		signed := head(t, dst.Host+"/a:"+registrytest.FallbackTag(id)+".sig") == registrytest.DigestOf(t, sig)
		list := referrersOf(t, dst.Host+"/a", id)
		if signed {
			list[registrytest.DigestOf(t, sig)] = true
		}
		if head(t, to) != id || len(list) != tt.attached || signed != !strings.HasSuffix(tt.src, "alone") {
			t.Errorf("Copy(%s): there are %v, signed: %v", tt.src, list, signed)
		}
		if again, err := c.Copy(t.Context(), tt.src, to, imagecopy.CopyOptions{}); err != nil || again.Sent.Blobs+again.Sent.Manifests != 0 {
			t.Errorf("Copy(%s) again: %+v, %v", tt.src, again, err)
		}
	}
}

func TestCopyFromBadLayout(t *testing.T) {
	img := registrytest.SampleImage(t, 500, 1)
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	blob := func(dir string, d v1.Hash) string { return filepath.Join(dir, "blobs", "sha256", d.Hex) }
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := registrytest.DescriptorOf(t, img).Digest
	for _, tt := range []struct {
		name, suffix string
		damage       func(dir string) error
		kind         error
		text         string
	}{
		{"no folder", "/gone", nil, digest.ErrUnknown, "no such file or directory"},
		{"no tag", ":v9", nil, digest.ErrNotFound, `index.json has no image named "v9"`},
		{"bad digest", "@sha256:ab", nil, digest.ErrMalformed, "2 hexadecimal digits"},
		{"two images", "", func(dir string) error {
			l, err := layout.FromPath(dir)
			if err == nil {
				err = l.AppendImage(registrytest.SampleImage(t, 1, 1))
			}
			return err
		}, digest.ErrUnknown, "index.json has 2 images, and the reference names none"},
		{"no index", "", func(dir string) error { return os.Remove(filepath.Join(dir, "index.json")) }, digest.ErrUnknown, "there is no index.json"},
		{"bad index", "", func(dir string) error { return os.WriteFile(filepath.Join(dir, "index.json"), []byte("["), 0o600) }, digest.ErrUnknown, "not an image index"},
		{"blob gone", "", func(dir string) error { return os.Remove(blob(dir, m.Layers[0].Digest)) }, digest.ErrNotFound, m.Layers[0].Digest.Hex},
		{"blob changed", "", func(dir string) error {
			return os.WriteFile(blob(dir, m.Layers[0].Digest), make([]byte, m.Layers[0].Size), 0o600)
		}, digest.ErrUnknown, "content has another digest"},
		{"blob is a link out of it", "", func(dir string) error {
			os.Remove(blob(dir, m.Config.Digest))
			return os.Symlink(secret, blob(dir, m.Config.Digest))
		}, digest.ErrUnknown, "not a regular file"},
		{"manifest changed", "", func(dir string) error { return os.WriteFile(blob(dir, id), registrytest.Manifest("x"), 0o600) }, digest.ErrUnknown, id.Hex + " has 103 bytes"},
		{"manifest is a link", "", func(dir string) error {
			os.Remove(blob(dir, id))
			return os.Symlink(secret, blob(dir, id))
		}, digest.ErrUnknown, "not a regular file"},
	} {
		dst := registrytest.NewDepot(t, true)
		dir := filepath.Join(t.TempDir(), "layout")
		add(t, newLayoutDir(t, dir), img)
		if tt.damage != nil {
			if err := tt.damage(dir); err != nil {
				t.Fatal(err)
			}
		}
		_, err := newCopier(t, imagecopy.Options{}).Copy(t.Context(), "oci:"+dir+tt.suffix, dst.Host+"/a:v1", imagecopy.CopyOptions{})
		var e *digest.Error
		if !errors.As(err, &e) || e.Kind != tt.kind || !strings.Contains(err.Error(), tt.text) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %v, %q", tt.name, err, tt.kind, tt.text)
		}
		if head(t, dst.Host+"/a:v1") != "" {
			t.Fatalf("%s: the tag was set", tt.name)
		}
	}
}

// The archive of "docker save" is copied as the image that its layers make.
func TestCopyFromSaved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "saved.tar")
	layouttest.Save(t, file, map[string]v1.Image{"shop/cart:v1": layouttest.RandomImage(t), "shop/web:v1": layouttest.RandomImage(t)})
	plain := layouttest.WriteTar(t, layouttest.Saved())
	for _, src := range []string{"docker-archive:" + file + ":shop/cart:v1", "docker-archive:" + plain} {
		dst := registrytest.NewDepot(t, true)
		want, err := digest.ResolveLayout(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		got, err := newCopier(t, imagecopy.Options{}).Copy(t.Context(), src, dst.Host+"/a:v1", imagecopy.CopyOptions{})
		if err != nil || got.Digest != want.Digest || head(t, dst.Host+"/a:v1") != want.Digest || len(got.Attached) != 0 {
			t.Errorf("Copy(%s): %+v, %v", src, got, err)
			continue
		}
		pulled, err := remote.Image(mustDigest(t, dst.Host+"/a@"+want.Digest))
		if err == nil {
			err = validate.Image(pulled, validate.Fast) // the layers of one are no archives
		}
		if err != nil {
			t.Errorf("Copy(%s): what arrived is not whole: %v", src, err)
		}
	}
	_, err := newCopier(t, imagecopy.Options{}).Copy(t.Context(), "docker-archive:"+file, registrytest.NewDepot(t, true).Host+"/a:v1", imagecopy.CopyOptions{})
	var e *digest.Error
	if !errors.As(err, &e) || e.Kind != digest.ErrUnknown || !strings.HasPrefix(e.HintText(), "its images are tagged") {
		t.Errorf("which image was not said: %v", err)
	}
}

func mustDigest(t *testing.T, s string) name.Digest {
	t.Helper()
	ref, err := name.NewDigest(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// Manifests are what anyone may write. Those that cannot be copied as they are
// are refused with a reason.
func TestCopyBadManifests(t *testing.T) {
	for name, tt := range map[string]struct{ body, mediaType, text string }{
		"no JSON":      {"x", registrytest.ManifestType, "answered with something else than a manifest"},
		"schema 1":     {`{"schemaVersion":1}`, "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"},
		"other type":   {`{"mediaType":"application/vnd.oci.image.index.v1+json"}`, registrytest.ManifestType, "another media type than it names"},
		"no type":      {`{}`, "text/plain", "does not answer as a registry (text/plain)"},
		"sha512":       {`{"layers":[{"digest":"sha512:` + strings.Repeat("a", 128) + `","size":1}]}`, registrytest.ManifestType, "another kind of digest"},
		"no digest":    {`{"layers":[{"size":1}]}`, registrytest.ManifestType, "another kind of digest"},
		"bad digest":   {`{"layers":[{"digest":"sha256:../../x","size":1}]}`, registrytest.ManifestType, "not a manifest that can be read"},
		"huge":         {`{"layers":[{"digest":"` + registrytest.SomeDigest + `","size":9223372036854775807}]}`, registrytest.ManifestType, "claims a size that cannot be"},
		"less than 0":  {`{"layers":[{"digest":"` + registrytest.SomeDigest + `","size":-1}]}`, registrytest.ManifestType, "claims a size that cannot be"},
		"no child":     {`{"manifests":[{"digest":"` + registrytest.SomeDigest + `","mediaType":"` + registrytest.ManifestType + `"}]}`, "application/vnd.oci.image.index.v1+json", "manifest " + registrytest.SomeDigest},
		"child itself": {`{"manifests":{}}`, "application/vnd.oci.image.index.v1+json", "not a manifest that can be read"},
	} {
		src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
		registrytest.Write(t, src.Host+"/a:v1", registrytest.SampleImage(t, 1, 1))
		body, mediaType := tt.body, tt.mediaType
		src.SetFault(registrytest.AnswerTag("v1", mediaType, body))
		_, err := newCopier(t, imagecopy.Options{}).Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
		if err == nil || !strings.Contains(err.Error(), tt.text) || errors.Is(err, imagecopy.ErrNotWritten) {
			t.Errorf("%s: got %v, want %q", name, err, tt.text)
		}
	}
}

// A list of referrers keeps what it holds that is not known here.
func TestCopyKeepsUnknownFields(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, false)
	img := registrytest.SampleImage(t, 100, 1)
	registrytest.Write(t, src.Host+"/a:v1", img)
	ours := registrytest.Referrer(t, registrytest.DescriptorOf(t, img), "ours")
	registrytest.Write(t, src.Host+"/a@"+registrytest.DigestOf(t, ours), ours)
	list := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"x-theirs":{"a":1}}`
	tag := "/v2/a/manifests/" + registrytest.FallbackTag(registrytest.DigestOf(t, img))
	put := dst.Put(t, tag, "application/vnd.oci.image.index.v1+json", list)
	if _, err := newCopier(t, imagecopy.Options{}).Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	body := dst.Get(t, tag)
	if err := json.Unmarshal([]byte(body), &got); err != nil || string(got["x-theirs"]) != `{"a":1}` || !strings.Contains(body, registrytest.DigestOf(t, ours)) {
		t.Errorf("the list was %s and is %s, %v", put, body, err)
	}
	// What is no list under that tag is not written over.
	other := dst.Put(t, tag, registrytest.ManifestType, string(registrytest.Manifest("x")))
	_, err := newCopier(t, imagecopy.Options{}).Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
	if !errors.Is(err, imagecopy.ErrNotWritten) || !strings.Contains(err.Error(), "something else under the tag") || dst.Get(t, tag) != other {
		t.Errorf("got %v", err)
	}
}
