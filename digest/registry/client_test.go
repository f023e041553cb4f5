package registry_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry"
)

func newClient(t testing.TB, o registry.Options) *registry.Client {
	t.Helper()
	if o.Keychain == nil {
		o.Keychain = registrytest.Anonymous{}
	}
	c := registry.New(o)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func newRepository(t testing.TB, o registry.Options, repo string) *registry.Repository {
	t.Helper()
	n, err := name.NewRepository(repo)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, o).Repository(n)
}

func hashOf(t testing.TB, digest string) v1.Hash {
	t.Helper()
	h, err := v1.NewHash(digest)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// go-containerregistry on the Client: an image is pushed, mounted into
// another repository, listed and pulled, with one ping.
func TestClientUnderLibrary(t *testing.T) {
	f := registrytest.New(t)
	rlm := newRealm(f)
	tr := []remote.Option{
		remote.WithTransport(newClient(t, registry.Options{})),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}), remote.WithRetryStatusCodes(),
	}
	img, err := random.Image(100_000, 2)
	if err != nil {
		t.Fatal(err)
	}
	ref := func(s string) name.Reference {
		r, err := name.ParseReference(f.Host + "/" + s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if err := remote.Write(ref("shop/cart:v1"), img, tr...); err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Image(ref("shop/cart:v1"), tr...)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref("prod/cart:v1"), pulled, tr...); err != nil {
		t.Fatal(err)
	}
	again, err := remote.Image(ref("prod/cart:v1"), tr...)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := again.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		rc, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, rc); err != nil || n < 100_000 {
			t.Errorf("%d bytes of a layer, %v", n, err)
		}
		rc.Close()
	}
	tags, err := remote.List(ref("prod/cart:v1").Context(), tr...)
	if err != nil || len(tags) != 1 || tags[0] != "v1" {
		t.Errorf("tags %v, %v", tags, err)
	}
	if _, err := remote.Index(ref("prod/cart:v1"), tr...); err == nil {
		t.Error("an image is an index")
	}
	if err := remote.Tag(ref("prod/cart:v2").(name.Tag), mutate.MediaType(again, registrytest.ManifestType), tr...); err != nil {
		t.Error(err)
	}
	if n := f.Counted("GET ping"); n != 1 {
		t.Errorf("%d pings, want 1", n)
	}
	// To pull, to push, and to mount from another repository.
	if n := len(rlm.Requests()); n > 4 {
		t.Errorf("%d requests for tokens: %q", n, rlm.Requests())
	}
}

// A ping of the caller's is answered without the network.
func TestPingAnswered(t *testing.T) {
	tr := newClient(t, registry.Options{Base: registrytest.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		t.Errorf("asked %s", r.URL)
		return nil, errors.New("asked")
	})})
	resp, err := (&http.Client{Transport: tr}).Get("https://r.example/v2/")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("got %v, %v", resp, err)
	}
}

// Blobs are redirected to where they are stored, which gets no token, and are
// not bounded.
func TestRedirectedBlob(t *testing.T) {
	f := registrytest.New(t)
	rlm := newRealm(f)
	big := make([]byte, 5<<20)
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := r.Header.Get("Authorization"); a != "" {
			t.Errorf("the store is sent %q", a)
		}
		w.Write(big)
	}))
	defer store.Close()
	f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if rlm.serve(w, r) {
			return true
		}
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, store.URL+"/bucket", http.StatusTemporaryRedirect)
			return true
		}
		return false
	})
	tr := newClient(t, registry.Options{})
	resp, err := (&http.Client{Transport: tr}).Get("https://" + f.Host + "/v2/a/blobs/" + registrytest.SomeDigest)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); n != int64(len(big)) || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// A registry's redirect to another registry: that one's token is got without
// credentials.
func TestRedirectedToRegistry(t *testing.T) {
	there, here := registrytest.New(t), registrytest.New(t)
	want := there.Push(t, "upstream/cart", "v1", "one")
	rlm := newRealm(there)
	guard := registrytest.Bearer(here.Host, "t0ken")
	here.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if guard(w, r) {
			return true
		}
		http.Redirect(w, r, "http://"+there.Host+strings.Replace(r.URL.Path, "/shop/", "/upstream/", 1), http.StatusTemporaryRedirect)
		return true
	})
	got, err := registrytest.NewResolver(t, registrytest.Options{Keychain: registrytest.KeychainFunc(registrytest.Password)}).Resolve(t.Context(), here.Host+"/shop/cart:v1")
	if err != nil || got.Digest != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if asked := rlm.Requests(); len(asked) != 1 || asked[0][0] != "repository:upstream/cart:pull" {
		t.Errorf("asked for %q", asked)
	}
}

// An upload may go on outside the paths of the protocol, with the token of its
// repository.
func TestUploadElsewhere(t *testing.T) {
	f := registrytest.New(t)
	rlm := newRealm(f)
	var got atomic.Value
	f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/uploads/7":
			got.Store(r.Header.Get("Authorization"))
			w.WriteHeader(http.StatusCreated)
		case rlm.serve(w, r):
		case r.Method == http.MethodPost:
			w.Header().Set("Location", "/uploads/7?state=1")
			w.WriteHeader(http.StatusAccepted)
		default:
			return false
		}
		return true
	})
	client := http.Client{Transport: newClient(t, registry.Options{})}
	resp, err := client.Post("https://"+f.Host+"/v2/a/blobs/uploads/", "", nil)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("got %v, %v", resp, err)
	}
	req, _ := http.NewRequest(http.MethodPut, "http://"+f.Host+"/uploads/7?state=1", strings.NewReader("blob"))
	if resp, err = client.Do(req); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("got %v, %v", resp, err)
	}
	if a, _ := got.Load().(string); !strings.HasPrefix(a, "Bearer t") {
		t.Errorf("sent with %q", a)
	}
}

// Only requests that can be repeated are.
func TestRepeated(t *testing.T) {
	for name, tt := range map[string]struct {
		body io.Reader
		want int32
	}{
		"with its body":            {strings.NewReader("blob"), 3},
		"with a body that is gone": {io.MultiReader(strings.NewReader("blob")), 1},
		"without one":              {nil, 3},
	} {
		f := registrytest.New(t)
		var n atomic.Int32
		f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPatch {
				return false
			}
			if n.Add(1); tt.body != nil {
				if body, _ := io.ReadAll(r.Body); string(body) != "blob" {
					t.Errorf("%s: body %q", name, body)
				}
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, "https://"+f.Host+"/v2/a/blobs/uploads/7", tt.body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := newClient(t, registry.Options{}).RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || n.Load() != tt.want {
			t.Errorf("%s: sent %d times, want %d: %v", name, n.Load(), tt.want, err)
		}
	}
}

// Ten thousand images take little memory, and no connection or goroutine stays.
func TestMemory(t *testing.T) {
	const repos, tags = 500, 20
	base := registrytest.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r, ContentLength: 7}
		resp.Header.Set("Docker-Content-Digest", registrytest.SomeDigest)
		resp.Header.Set("Content-Type", registrytest.ManifestType)
		switch {
		case r.URL.Path == "/token":
			resp.ContentLength = -1
			resp.Body = io.NopCloser(strings.NewReader(`{"token":"` + strings.Repeat("t", 4000) + `","expires_in":300}`))
		case r.Header.Get("Authorization") == "":
			resp.StatusCode = http.StatusUnauthorized
			resp.Header.Set("WWW-Authenticate", `Bearer realm="https://r.example/token"`)
		}
		return resp, nil
	})
	var refs []string
	for i := range repos {
		for j := range tags {
			refs = append(refs, fmt.Sprintf("r.example/shop/service-%d:v%d", i, j))
		}
	}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()
	var most uint64
	n := 0
	r := registrytest.NewResolver(t, registrytest.Options{Transport: base})
	r.ResolveAll(t.Context(), refs, func(res digest.Result) {
		if res.Err != nil {
			t.Error(res.Err)
		}
		if n++; n%1000 == 0 {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapInuse)
		}
	})
	if n != repos*tags {
		t.Errorf("%d results", n)
	}
	if most > before.HeapInuse+100<<20 {
		t.Errorf("%d MiB for %d images", (most-before.HeapInuse)>>20, len(refs))
	}
	registrytest.Settle(t, goroutines, r)
	t.Logf("%d KiB more in use for %d images", (int64(most)-int64(before.HeapInuse))>>10, len(refs))
}
