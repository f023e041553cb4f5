package registrytest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Depot is a registry that keeps blobs per repository, mounts them, and
// refuses a manifest that names what is not there.
type Depot struct {
	front
	Blobs *blobStore
	log   []string // "METHOD path?query"
}

func NewDepot(t testing.TB, referrers bool) *Depot {
	t.Helper()
	d := &Depot{Blobs: &blobStore{blobs: map[string][]byte{}}}
	d.Handler = registry.New(registry.Logger(log.New(io.Discard, "", 0)),
		registry.WithBlobHandler(d.Blobs), registry.WithReferrersSupport(referrers))
	d.Host = serve(t, d)
	return d
}

func (d *Depot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.seen(w, r, func() { d.log = append(d.log, r.Method+" "+r.URL.RequestURI()) }) {
		return
	}
	if from := r.URL.Query().Get("from"); r.Method == http.MethodPost && from != "" {
		to, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/blobs/")
		if d.Blobs.mount(from, to, r.URL.Query().Get("mount")) {
			w.WriteHeader(http.StatusCreated)
			return
		}
	}
	if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") && !d.whole(r) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}`)
		return
	}
	d.Handler.ServeHTTP(w, r)
}

// whole tells whether all that a manifest names is in its repository.
func (d *Depot) whole(r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var m struct {
		Config *v1.Descriptor
		Layers []v1.Descriptor
	}
	if err != nil || json.Unmarshal(body, &m) != nil {
		return false
	}
	repo, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
	if m.Config != nil {
		m.Layers = append(m.Layers, *m.Config)
	}
	return !slices.ContainsFunc(m.Layers, func(l v1.Descriptor) bool {
		_, err := d.Blobs.Stat(r.Context(), repo, l.Digest)
		return err != nil && l.MediaType.IsDistributable()
	})
}

// Requests are those since the last call that have the method and the text.
func (d *Depot) Requests(methods, text string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	for _, line := range d.log {
		method, uri, _ := strings.Cut(line, " ")
		if slices.Contains(strings.Fields(methods), method) && strings.Contains(uri, text) {
			all = append(all, line)
		}
	}
	return all
}

func (d *Depot) Forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = nil
}

// blobStore keeps blobs by repository, "shop/cart sha256:…".
type blobStore struct {
	mu    sync.Mutex
	blobs map[string][]byte
}

func (b *blobStore) peek(repo string, h v1.Hash) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	blob, ok := b.blobs[repo+" "+h.String()]
	if !ok {
		return nil, registry.ErrNotFound
	}
	return blob, nil
}

func (b *blobStore) Get(_ context.Context, repo string, h v1.Hash) (io.ReadCloser, error) {
	blob, err := b.peek(repo, h)
	return io.NopCloser(bytes.NewReader(blob)), err
}

func (b *blobStore) Stat(_ context.Context, repo string, h v1.Hash) (int64, error) {
	blob, err := b.peek(repo, h)
	return int64(len(blob)), err
}

func (b *blobStore) Put(_ context.Context, repo string, h v1.Hash, rc io.ReadCloser) error {
	blob, err := io.ReadAll(rc)
	if err != nil {
		return err
	}
	b.Set(repo, h, blob)
	return nil
}

// Set stores content under a digest, which need not be its own.
func (b *blobStore) Set(repo string, h v1.Hash, blob []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	// The registry joins the path of an upload without its last part only.
	b.blobs[strings.TrimSuffix(repo, "/blobs")+" "+h.String()] = blob
}

func (b *blobStore) mount(from, to, digest string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	blob, ok := b.blobs[from+" "+digest]
	if ok {
		b.blobs[to+" "+digest] = blob
	}
	return ok
}

func (b *blobStore) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.blobs)
}

func (b *blobStore) Has(repo string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.blobs {
		if strings.HasPrefix(key, repo+" ") {
			n++
		}
	}
	return n
}

// Write pushes an image or index.
func Write(t testing.TB, ref string, what remote.Taggable) {
	t.Helper()
	parsed, err := name.ParseReference(ref)
	if err == nil {
		err = remote.Push(parsed, what)
	}
	if err != nil {
		t.Fatalf("push %s: %v", ref, err)
	}
}

type digested interface{ Digest() (v1.Hash, error) }

func DigestOf(t testing.TB, what digested) string {
	t.Helper()
	h, err := what.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

func SampleImage(t testing.TB, size, layers int64) v1.Image {
	t.Helper()
	img, err := random.Image(size, layers)
	if err != nil {
		t.Fatal(err)
	}
	return mutate.MediaType(img, types.OCIManifestSchema1)
}

// Platforms is an index of images, which it changes to be for several platforms.
func Platforms(t testing.TB, images []v1.Image) v1.ImageIndex {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, img := range images {
		cpu := fmt.Sprintf("cpu%d", i)
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config.OS, config.Architecture = "linux", cpu
		if img, err = mutate.ConfigFile(img, config); err != nil {
			t.Fatal(err)
		}
		images[i] = img
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: cpu},
		}})
	}
	return index
}

// Signature is a manifest of the shape that cosign makes.
func Signature(t testing.TB, payload, text string) v1.Image {
	t.Helper()
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	return Sign(t, base, payload, text)
}

// Sign adds a signature to a manifest of them.
func Sign(t testing.TB, base v1.Image, payload, text string) v1.Image {
	t.Helper()
	img, err := mutate.Append(base, mutate.Addendum{
		Layer:       static.NewLayer([]byte(payload), "application/vnd.dev.cosign.simplesigning.v1+json"),
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": text},
	})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// Referrer is a signature that names its subject.
func Referrer(t testing.TB, subject v1.Descriptor, text string) v1.Image {
	t.Helper()
	return mutate.Subject(mutate.ConfigMediaType(Signature(t, text, text), "application/vnd.example.proof+json"), subject).(v1.Image)
}

type described interface {
	digested
	Size() (int64, error)
	MediaType() (types.MediaType, error)
}

func DescriptorOf(t testing.TB, what described) v1.Descriptor {
	t.Helper()
	h, err1 := what.Digest()
	size, err2 := what.Size()
	mediaType, err3 := what.MediaType()
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	return v1.Descriptor{Digest: h, Size: size, MediaType: mediaType}
}

// FallbackTag is cosign's and the referrers' way to write a digest as a tag.
func FallbackTag(digest string) string { return strings.Replace(digest, ":", "-", 1) }

// Put stores a manifest as it is, and get reads one.
func (d *Depot) Put(t testing.TB, path, mediaType, body string) string {
	t.Helper()
	d.do(t, http.MethodPut, path, mediaType, []byte(body), http.StatusCreated)
	return body
}

func (d *Depot) Get(t testing.TB, path string) string {
	t.Helper()
	return d.do(t, http.MethodGet, path, "", nil, http.StatusOK)
}

// AnswerTag makes a fault that gives a tag another manifest.
func AnswerTag(tag, mediaType, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/manifests/"+tag) {
			return false
		}
		w.Header().Set("Content-Type", mediaType)
		io.WriteString(w, body)
		return true
	}
}
