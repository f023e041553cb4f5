package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/digest/registry/cache"
)

func openCache(t testing.TB) *cache.Cache {
	t.Helper()
	c, err := cache.OpenCache(t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// cachedRepository is one of a client with a cache, in front of one without.
func cachedRepository(t testing.TB, c *registry.Client, in *cache.Cache, repo string) *registry.Repository {
	t.Helper()
	return c.Cached(in).Repository(newRepository(t, registry.Options{}, repo).Name())
}

// Content by its digest comes from the cache without a request. What a tag stands
// for, whether something is there, and blobs of any size are asked for.
func TestCached(t *testing.T) {
	d := registrytest.NewDepot(t, true)
	img := registrytest.SampleImage(t, 100, 1)
	registrytest.Write(t, d.Host+"/a:v1", img)
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := img.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	want := registrytest.DescriptorOf(t, img)
	client := newClient(t, registry.Options{})
	kept := openCache(t)
	repo, other := cachedRepository(t, client, kept, d.Host+"/a"), cachedRepository(t, client, kept, d.Host+"/b/c")
	uncached := client.Repository(repo.Name())
	manifest := func(r *registry.Repository, ref string) error {
		got, body, err := r.Manifest(t.Context(), ref)
		if err == nil && (!bytes.Equal(body, raw) || got.Digest != want.Digest || got.MediaType != want.MediaType || got.Size != want.Size) {
			t.Errorf("%s is %+v %s", ref, got, body)
		}
		return err
	}
	blob := func(r *registry.Repository, desc v1.Descriptor) error {
		_, err := r.Blob(t.Context(), desc, 1<<20)
		return err
	}
	if err := errors.Join(manifest(repo, want.Digest.String()), blob(repo, m.Config)); err != nil {
		t.Fatal(err)
	}
	absent := v1.Descriptor{Digest: hashOf(t, registrytest.SomeDigest), Size: 7}
	for _, tt := range []struct {
		name  string
		ask   func() error
		asked int
		fails bool
	}{
		{"manifest", func() error { return manifest(repo, want.Digest.String()) }, 0, false},
		{"blob", func() error { return blob(repo, m.Config) }, 0, false},
		{"other repository", func() error { return manifest(other, want.Digest.String()) }, 0, false},
		{"tag", func() error { return manifest(repo, "v1") }, 1, false},
		{"question", func() error { _, err := repo.Head(t.Context(), want.Digest.String()); return err }, 1, false},
		{"question about a blob", func() error { _, err := repo.HasBlob(t.Context(), m.Config.Digest); return err }, 1, false},
		{"blob of any size", func() error {
			body, err := repo.OpenBlob(t.Context(), m.Config.Digest)
			if err == nil {
				_, err = io.Copy(io.Discard, body)
				body.Close()
			}
			return err
		}, 1, false},
		{"without the cache", func() error { return manifest(uncached, want.Digest.String()) }, 1, false},
		{"unknown", func() error { return blob(repo, absent) }, 1, true},
	} {
		for range 2 { // no answer to these comes to be kept
			d.Forget()
			if err := tt.ask(); (err != nil) != tt.fails {
				t.Errorf("%s: %v", tt.name, err)
			}
			if n := len(d.Requests("GET HEAD", "")); n != tt.asked {
				t.Errorf("%s: %d requests, want %d", tt.name, n, tt.asked)
			}
		}
	}
	// The size that a manifest claims for a blob is part of what it says of it.
	claimed := m.Config
	claimed.Size++
	if err := blob(repo, claimed); err == nil {
		t.Error("a blob of another size came from the cache")
	}
}

// Other content than that of the digest is an error, and is not kept. What comes
// from a registry's storage is kept under the digest that was asked for.
func TestCachedForgedAndMoved(t *testing.T) {
	content := []byte("some content")
	desc := v1.Descriptor{Digest: hashOf(t, registrytest.Sha(content)), Size: int64(len(content))}
	path := "/v2/a/blobs/" + desc.Digest.String()
	answers := []string{"same length!", string(content)}
	var asked int
	base := registrytest.RoundTripFunc(func(req *http.Request) (*http.Response, error) {
		resp := answer(req, http.StatusOK)
		resp.ContentLength = -1
		switch req.URL.Path {
		case "/v2/":
		case path:
			resp.StatusCode = http.StatusTemporaryRedirect
			resp.Header.Set("Location", "https://storage.example.com/x")
		default:
			resp.Body = io.NopCloser(strings.NewReader(answers[min(asked, 1)]))
			asked++
		}
		return resp, nil
	})
	repo := cachedRepository(t, newClient(t, registry.Options{Base: base}), openCache(t), "registry.example.com/a")
	if _, err := repo.Blob(t.Context(), desc, 1<<10); err == nil || err.Error() != "its content has the digest "+registrytest.Sha([]byte(answers[0])) {
		t.Errorf("forged: %v", err)
	}
	for range 2 {
		if got, err := repo.Blob(t.Context(), desc, 1<<10); err != nil || !bytes.Equal(got, content) {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times, want 2", asked)
	}
}

// A manifest that is not what its digest says is an error, and is not kept.
func TestCachedForgedManifest(t *testing.T) {
	f := registrytest.New(t)
	digest := f.Push(t, "a", "v1", "one")
	forged := true
	f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if !forged || !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		w.Header().Set("Content-Type", registrytest.ManifestType)
		w.Write(registrytest.Manifest("two"))
		return true
	})
	repo := cachedRepository(t, newClient(t, registry.Options{}), openCache(t), f.Host+"/a")
	if _, _, err := repo.Manifest(t.Context(), digest); err == nil || !strings.HasPrefix(err.Error(), "answered with another digest, ") {
		t.Errorf("forged: %v", err)
	}
	forged = false
	for range 2 {
		if _, body, err := repo.Manifest(t.Context(), digest); err != nil || !bytes.Equal(body, registrytest.Manifest("one")) {
			t.Errorf("got %s, %v", body, err)
		}
	}
	if n := f.Counted("GET manifest"); n != 2 {
		t.Errorf("asked %d times, want 2", n)
	}
}

// Without a cache everything is asked for each time.
func TestCachedOff(t *testing.T) {
	f := registrytest.New(t)
	blob := []byte("{}")
	desc := v1.Descriptor{Digest: hashOf(t, f.PutBlob(t, "a", blob)), Size: int64(len(blob))}
	asked := 0
	f.SetFault(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			asked++
		}
		return false
	})
	repo := cachedRepository(t, newClient(t, registry.Options{}), nil, f.Host+"/a")
	for range 2 {
		if got, err := repo.Blob(t.Context(), desc, 1<<10); err != nil || !bytes.Equal(got, blob) {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times, want 2", asked)
	}
}

// The size of a descriptor bounds what is read.
func TestBlobSizes(t *testing.T) {
	f := registrytest.New(t)
	blob := []byte("some content")
	digest := hashOf(t, f.PutBlob(t, "a", blob))
	repo := newRepository(t, registry.Options{}, f.Host+"/a")
	for _, tt := range []struct {
		size, limit int64
		want        string
	}{
		{12, 12, ""},
		{12, 11, "size is 12 bytes, the limit is 11"},
		{-1, 99, "size is -1 bytes, the limit is 99"},
		{11, 99, "it has more than the 11 bytes that its descriptor says"},
		{13, 99, "it has 12 bytes instead of 13"},
	} {
		got, err := repo.Blob(t.Context(), v1.Descriptor{Digest: digest, Size: tt.size}, tt.limit)
		if tt.want == "" && (err != nil || !bytes.Equal(got, blob)) || tt.want != "" && (got != nil || fmt.Sprint(err) != tt.want) {
			t.Errorf("%d bytes of at most %d: %q, %v, want %q", tt.size, tt.limit, got, err, tt.want)
		}
	}
}
