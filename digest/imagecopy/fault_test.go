package imagecopy_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/imagecopy"
	"github.com/kubepromote/kubepromote/digest/internal/layouttest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry"
)

// onMethod makes a fault of the requests of a method whose path has the text,
// from one to another, counted from 1; to 0 means all that follow.
func onMethod(method, path string, from, to int32, answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	var n atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.Contains(r.URL.Path, path) {
			return false
		}
		if i := n.Add(1); i < from || to > 0 && i > to {
			return false
		}
		answer(w, r)
		return true
	}
}

// A copy that was broken off in the middle leaves no manifest behind, and the
// next one sends the rest only.
func TestCopyResumes(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	img := registrytest.SampleImage(t, 20_000, 6)
	registrytest.Write(t, src.Host+"/a:v1", img)
	c := newCopier(t, imagecopy.Options{Concurrency: 1})
	dst.SetFault(onMethod(http.MethodPatch, "", 4, 0, registrytest.Status(http.StatusInsufficientStorage)))
	_, err := c.Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
	if !errors.Is(err, imagecopy.ErrNotWritten) || errors.Is(err, digest.ErrUnknown) {
		t.Fatalf("got %v, want ErrNotWritten", err)
	}
	if n := dst.Blobs.Has("a"); n != 3 {
		t.Fatalf("%d blobs there after a fault at the fourth", n)
	}
	if puts := dst.Requests("PUT", "/manifests/"); len(puts) != 0 {
		t.Errorf("manifests put before their blobs: %q", puts)
	}
	dst.SetFault(nil)
	dst.Forget()
	got, err := c.Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
	if err != nil || got.Present.Blobs != 3 || got.Sent.Blobs != 4 {
		t.Errorf("got %+v, %v", got, err)
	}
	if n := len(dst.Requests("PATCH", "")); n != 4 {
		t.Errorf("%d blobs sent, 4 were missing", n)
	}
}

// The source's faults are told from the destination's, and neither leaves a tag.
func TestCopyFaults(t *testing.T) {
	secret := `{"errors":[{"code":"DENIED","message":"token hunter2"}]}`
	denied := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, secret)
	}
	for _, tt := range []struct {
		name     string
		src, dst func(http.ResponseWriter, *http.Request) bool
		kind     error
		status   int
		text     string
	}{
		{"denied to push", nil, onMethod(http.MethodPost, "", 1, 0, denied), imagecopy.ErrNotWritten, 403,
			"not written: denied to push: forbidden (403 DENIED): credentials tried: none"},
		{"no repository", nil, onMethod(http.MethodPost, "", 1, 0, registrytest.Status(404)), imagecopy.ErrNotWritten, 404, "no such repository to push to (404)"},
		{"quota", nil, onMethod(http.MethodPut, "/blobs/", 1, 0, registrytest.Status(413)), imagecopy.ErrNotWritten, 413, "too large (413)"},
		{"manifest refused", nil, onMethod(http.MethodPut, "/manifests/", 1, 0, registrytest.Status(400)), imagecopy.ErrNotWritten, 400, "refused as invalid (400)"},
		{"read only", nil, onMethod(http.MethodPut, "/manifests/", 1, 0, registrytest.Status(405)), imagecopy.ErrNotWritten, 405, "takes no pushes (405)"},
		{"no place", nil, onMethod(http.MethodPost, "", 1, 0, registrytest.Status(202)), imagecopy.ErrNotWritten, 0, "without a place to upload to"},
		{"bad place", nil, onMethod(http.MethodPost, "", 1, 0, registrytest.Status(202, "Location", "ftp://example.com/x")), imagecopy.ErrNotWritten, 0, "points to a URL that is not https"},
		{"not reading", nil, onMethod(http.MethodPatch, "", 1, 0, registrytest.Status(403)), imagecopy.ErrNotWritten, 403, "denied to push"},
		{"destination down", nil, onMethod(http.MethodHead, "/manifests/", 1, 0, registrytest.Status(503)), digest.ErrUnknown, 503, "server error (503)"},
		{"other digest stored", nil, onMethod(http.MethodPut, "/manifests/", 1, 0, registrytest.Status(201, "Docker-Content-Digest", registrytest.SomeDigest)), imagecopy.ErrNotWritten, 0, "stored under another digest"},
		{"not stored", nil, onMethod(http.MethodPut, "/manifests/", 1, 0, registrytest.Status(201)), imagecopy.ErrNotWritten, 0, "answers with nothing after the copy"},
		{"blob gone", onMethod(http.MethodGet, "/blobs/", 1, 0, registrytest.Status(404)), nil, digest.ErrNotFound, 404, "not found"},
		{"source denied", onMethod(http.MethodGet, "/blobs/", 1, 0, denied), nil, digest.ErrUnknown, 403, "forbidden (403 DENIED)"},
		{"short blob", onMethod(http.MethodGet, "/blobs/", 1, 0, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x") }), nil,
			digest.ErrUnknown, 0, "before the answer was complete"},
		{"signatures cannot be asked for", onMethod(http.MethodHead, ".sig", 1, 0, registrytest.Status(500)), nil, digest.ErrUnknown, 500, ".sig\" of \"a\": server error (500)"},
		{"referrers cannot be asked for", onMethod(http.MethodGet, "/referrers/", 1, 0, registrytest.Status(403)), nil, digest.ErrUnknown, 403, "forbidden"},
		{"forged manifest", onMethod(http.MethodGet, "/manifests/sha256:", 1, 0, func(w http.ResponseWriter, _ *http.Request) { w.Write(registrytest.Manifest("x")) }),
			nil, digest.ErrUnknown, 0, "answered with another digest, sha256:"},
		{"redirects", onMethod(http.MethodGet, "/blobs/", 1, 0, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}), nil, digest.ErrUnknown, 0, "more than 10 redirects"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
			img := registrytest.SampleImage(t, 5000, 1)
			registrytest.Write(t, src.Host+"/a:v1", img)
			src.SetFault(tt.src)
			dst.SetFault(tt.dst)
			_, err := newCopier(t, imagecopy.Options{}).Copy(t.Context(), src.Host+"/a@"+registrytest.DigestOf(t, img), dst.Host+"/a:v1", imagecopy.CopyOptions{})
			var e *digest.Error
			if !errors.As(err, &e) || e.Kind != tt.kind || e.Status != tt.status || !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("got %v (%+v), want %v, %d, %q", err, e, tt.kind, tt.status, tt.text)
			}
			at := src.Host
			if tt.dst != nil {
				at = dst.Host
			}
			if !strings.HasPrefix(err.Error(), at+": ") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %q, want it to begin with %s", err, at)
			}
			dst.SetFault(nil)
			if got := head(t, dst.Host+"/a:v1"); got != "" {
				t.Errorf("the tag is %s after a copy that failed", got)
			}
		})
	}
}

// A blob with another digest than its manifest says is refused before it is
// committed, whatever the destination would do with it.
func TestCopyForgedBlob(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	img := registrytest.SampleImage(t, 5000, 1)
	registrytest.Write(t, src.Host+"/a:v1", img)
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	layer := m.Layers[0]
	src.Blobs.Set("a", layer.Digest, make([]byte, layer.Size))
	_, err = newCopier(t, imagecopy.Options{}).Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
	var e *digest.Error
	if !errors.As(err, &e) || e.Kind != digest.ErrUnknown || e.Registry != src.Host ||
		!strings.Contains(err.Error(), "blob "+layer.Digest.String()+" of \"a\": content has another digest, sha256:") {
		t.Errorf("got %v", err)
	}
	if puts := dst.Requests("PUT", layer.Digest.String()); len(puts) != 0 {
		t.Errorf("committed: %q", puts)
	}
	if patches := dst.Requests("PATCH", ""); len(patches) > 2 {
		t.Errorf("a forged blob was sent again: %q", patches)
	}
}

// A source that sends more than a blob's size has something else under its digest.
// What arrived was right, and the exit status was 0 as if the source were sound.
func TestCopyLongerBlob(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	img := registrytest.SampleImage(t, 5000, 1)
	registrytest.Write(t, src.Host+"/a:v1", img)
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	layer := m.Layers[0]
	blob, err := src.Blobs.Get(t.Context(), "a", layer.Digest)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(blob)
	if err != nil {
		t.Fatal(err)
	}
	src.Blobs.Set("a", layer.Digest, append(whole, 'x'))
	_, err = newCopier(t, imagecopy.Options{}).Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
	var e *digest.Error
	if !errors.As(err, &e) || e.Kind != digest.ErrUnknown || e.Registry != src.Host ||
		!strings.Contains(err.Error(), fmt.Sprintf(`of "a": has more than the %d bytes that its manifest names`, layer.Size)) {
		t.Errorf("got %v", err)
	}
	if puts := dst.Requests("PUT", layer.Digest.String()); len(puts) != 0 {
		t.Errorf("committed: %q", puts)
	}
}

// Lists of referrers may hold anything. What is not a referrer is told of and
// left out.
func TestCopyListsThatLie(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	img, other := registrytest.SampleImage(t, 100, 1), registrytest.SampleImage(t, 100, 1)
	registrytest.Write(t, src.Host+"/a:v1", img)
	registrytest.Write(t, src.Host+"/a:v2", other)
	real := registrytest.Referrer(t, registrytest.DescriptorOf(t, img), "real")
	registrytest.Write(t, src.Host+"/a@"+registrytest.DigestOf(t, real), real)
	subject := registrytest.DigestOf(t, img)
	gone := registrytest.DescriptorOf(t, other)
	gone.Digest.Hex = strings.Repeat("0", 64)
	long := gone
	long.Digest = v1.Hash{Algorithm: "sha512", Hex: strings.Repeat("a", 128)}
	pages := [][]v1.Descriptor{{gone, long}, {registrytest.DescriptorOf(t, other)}, {registrytest.DescriptorOf(t, real)}}
	src.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/referrers/"+subject) {
			return false
		}
		page := 0
		fmt.Sscan(r.URL.Query().Get("page"), &page)
		if page+1 < len(pages) {
			w.Header().Set("Link", fmt.Sprintf(`<%s?page=%d>; rel="next"`, r.URL.Path, page+1))
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		json.NewEncoder(w).Encode(v1.IndexManifest{SchemaVersion: 2, Manifests: pages[page]})
		return true
	})
	got, err := newCopier(t, imagecopy.Options{}).Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Attached) != 1 || got.Attached[0].Digest != registrytest.DigestOf(t, real) || got.Attached[0].Subject != subject {
		t.Errorf("attached: %+v", got.Attached)
	}
	notes := strings.Join(got.Notes, "\n")
	for _, want := range []string{"does not exist", "and is none", "no sha256 digest"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes do not say %q:\n%s", want, notes)
		}
	}
}

// A registry cannot send credentials, or whoever copies, to other places.
func TestCopyStaysAway(t *testing.T) {
	var asked atomic.Int32
	var sawSecret atomic.Bool
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "" {
			sawSecret.Store(true)
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer away.Close()
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	img := registrytest.SampleImage(t, 100, 1)
	registrytest.Write(t, src.Host+"/a:v1", img)
	var known atomic.Int32
	src.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		switch _, password, _ := r.BasicAuth(); {
		case password != "hunter2":
			w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
			w.WriteHeader(http.StatusUnauthorized)
		case strings.Contains(r.URL.Path, "/blobs/"):
			http.Redirect(w, r, away.URL+"/v2/a/blobs/x", http.StatusTemporaryRedirect)
		default:
			known.Add(1)
			return false
		}
		return true
	})
	c := newCopier(t, imagecopy.Options{Client: registry.New(registry.Options{Keychain: basicAuth{}})})
	_, err := c.Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
	if !errors.Is(err, digest.ErrNotFound) || asked.Load() == 0 || known.Load() == 0 || sawSecret.Load() {
		t.Errorf("got %v, asked %d times, with credentials: %v", err, asked.Load(), sawSecret.Load())
	}
}

type basicAuth struct{}

func (basicAuth) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "u", Password: "hunter2"}, nil
}

// When the context ends, Copy returns at once and nothing goes on.
func TestCopyCancelled(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	img := registrytest.SampleImage(t, 300_000, 4)
	registrytest.Write(t, src.Host+"/a:v1", img)
	files := layouttest.New(t)
	files.Add(t, img, "v1")
	c := newCopier(t, imagecopy.Options{})
	for _, tt := range []struct {
		name, method, path string
		at                 *registrytest.Depot
		from               string
		read               bool // the server takes the body before it hangs
	}{
		{"manifest asked", http.MethodGet, "/manifests/", src, src.Host + "/a:v1", false},
		{"signatures asked", http.MethodHead, ".sig", src, src.Host + "/a:v1", false},
		{"referrers asked", http.MethodGet, "/referrers/", src, src.Host + "/a:v1", false},
		{"blob asked", http.MethodGet, "/blobs/", src, src.Host + "/a:v1", false},
		{"upload hangs", http.MethodPatch, "", dst, src.Host + "/a:v1", false},
		{"upload of a file hangs", http.MethodPatch, "", dst, "oci:" + files.Path + ":v1", false},
		{"upload read", http.MethodPatch, "", dst, src.Host + "/a:v1", true},
		{"head hangs", http.MethodHead, "/blobs/", dst, src.Host + "/a:v1", false},
		{"manifest hangs", http.MethodPut, "/manifests/", dst, src.Host + "/a:v1", true},
	} {
		src.SetFault(nil)
		dst.SetFault(nil)
		dst.Blobs.Clear()
		before := runtime.NumGoroutine()
		late := registrytest.Quickest(func() time.Duration {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			over := make(chan struct{})
			var ended atomic.Int64
			var first sync.Once
			tt.at.SetFault(onMethod(tt.method, tt.path, 1, 0, func(_ http.ResponseWriter, r *http.Request) {
				if tt.read {
					io.Copy(io.Discard, r.Body)
				}
				first.Do(func() {
					time.AfterFunc(50*time.Millisecond, func() {
						ended.Store(time.Now().UnixNano())
						cancel()
					})
				})
				<-over // a server does not notice by itself while there is a body to read
			}))
			_, err := c.Copy(ctx, tt.from, dst.Host+"/a:v1", imagecopy.CopyOptions{})
			late := time.Duration(time.Now().UnixNano() - ended.Load())
			close(over)
			var e *digest.Error
			if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || !strings.Contains(err.Error(), "cancelled") {
				t.Errorf("%s: got %v", tt.name, err)
			}
			return late
		})
		if late > registrytest.LateBound {
			t.Errorf("%s: returned %v after the end of its context", tt.name, late)
		}
		registrytest.Settle(t, before, c)
	}
}

// A blob that does not move is given up, on either side, and not repeated for ever.
func TestCopyStalls(t *testing.T) {
	for _, side := range []string{"source", "destination"} {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
			img := registrytest.SampleImage(t, 300_000, 1)
			registrytest.Write(t, src.Host+"/a:v1", img)
			over := make(chan struct{})
			t.Cleanup(func() { close(over) }) // before the servers are closed
			at := src.Host
			if side == "source" {
				src.SetFault(onMethod(http.MethodGet, "/blobs/", 1, 0, func(w http.ResponseWriter, _ *http.Request) {
					w.Write([]byte("x"))
					w.(http.Flusher).Flush()
					<-over
				}))
			} else {
				at = dst.Host
				dst.SetFault(onMethod(http.MethodPatch, "", 1, 0, func(http.ResponseWriter, *http.Request) { <-over }))
			}
			c := newCopier(t, imagecopy.Options{Timeout: time.Second, Concurrency: 1})
			_, err := c.Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
			if err == nil || !strings.HasPrefix(err.Error(), at) || !strings.Contains(err.Error(), "no answer in time") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// sink is a destination that keeps nothing but what it has seen.
type sink struct {
	mu   sync.Mutex
	put  map[string]bool
	most atomic.Int32
	now  atomic.Int32
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	switch {
	case r.URL.Path == "/v2/":
	case r.Method == http.MethodHead && s.put[key]:
		w.Header().Set("Docker-Content-Digest", key)
		w.Header().Set("Content-Type", registrytest.ManifestType)
		w.Header().Set("Content-Length", "7")
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodPost:
		w.Header().Set("Location", "/v2/a/blobs/uploads/1")
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPatch:
		s.mu.Unlock()
		s.most.Store(max(s.most.Load(), s.now.Add(1)))
		io.Copy(io.Discard, r.Body)
		s.now.Add(-1)
		s.mu.Lock()
		w.WriteHeader(http.StatusAccepted)
	default:
		s.put[key] = true
		w.WriteHeader(http.StatusCreated)
	}
}

// Layers pass through: many large ones do not make the heap grow by their
// size, and no more are under way than was asked for.
func TestCopyMemory(t *testing.T) {
	const layers, size = 24, 10 << 20
	zeros := make([]byte, 1<<20)
	img := v1.Manifest{SchemaVersion: 2, MediaType: registrytest.ManifestType}
	config := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("{}")))
	bodies := map[string]byte{}
	for i := range layers {
		h := sha256.New()
		h.Write([]byte{byte(i)})
		for range size >> 20 {
			h.Write(zeros)
		}
		d := fmt.Sprintf("sha256:%x", h.Sum(nil))
		bodies[d] = byte(i)
		hash, err := v1.NewHash(d)
		if err != nil {
			t.Fatal(err)
		}
		img.Layers = append(img.Layers, v1.Descriptor{MediaType: "application/vnd.oci.image.layer.v1.tar", Size: size + 1, Digest: hash})
	}
	img.Config.Digest, _ = v1.NewHash(config)
	img.Config.Size, img.Config.MediaType = 2, "application/vnd.oci.image.config.v1+json"
	raw, err := json.Marshal(img)
	if err != nil {
		t.Fatal(err)
	}
	src := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		first, isLayer := bodies[key]
		switch {
		case r.URL.Path == "/v2/":
		case r.Method == http.MethodGet && key == "v1":
			w.Header().Set("Content-Type", registrytest.ManifestType)
			w.Write(raw)
		case key == config:
			io.WriteString(w, "{}")
		case isLayer:
			w.Header().Set("Content-Length", fmt.Sprint(size+1))
			w.Write([]byte{first})
			for range size >> 20 {
				w.Write(zeros)
			}
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer src.Close()
	to := &sink{put: map[string]bool{}}
	dst := httptest.NewServer(to)
	defer dst.Close()

	const concurrency = 4
	var most uint64
	var mem runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&mem)
	before := mem.HeapAlloc
	c := newCopier(t, imagecopy.Options{Concurrency: concurrency, Progress: func(imagecopy.Event) {
		runtime.ReadMemStats(&mem)
		most = max(most, mem.HeapAlloc)
	}})
	got, err := c.Copy(t.Context(), strings.TrimPrefix(src.URL, "http://")+"/a:v1", strings.TrimPrefix(dst.URL, "http://")+"/a",
		imagecopy.CopyOptions{WithoutSignatures: true})
	if err != nil || got.Sent.Blobs != layers+1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if grown := int64(most) - int64(before); grown > concurrency*size/2 {
		t.Errorf("the heap grew by %d MiB while %d layers of 10 MiB passed, %d at a time", grown>>20, layers, concurrency)
	} else {
		t.Logf("the heap grew by %d KiB", grown>>10)
	}
	if n := to.most.Load(); n > concurrency {
		t.Errorf("%d uploads at a time, %d allowed", n, concurrency)
	}
}
