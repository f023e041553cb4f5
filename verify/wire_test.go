package verify

import (
	"context"
	"crypto"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/source"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

func mustRepo(t testing.TB, s string) name.Repository {
	t.Helper()
	r, err := name.NewRepository(s)
	sigtest.Must(t, err)
	return r
}

// TestUnread has what keeps a signature from being read. None of it may look
// like an image without signatures.
func TestUnread(t *testing.T) {
	tests := []struct {
		name   string
		part   string // of the path
		answer http.HandlerFunc
		reason string
	}{
		{"tag 500", ".sig", sigtest.Status(500), "cannot read HOST/shop/cart:sha256-DIGEST.sig: server error (500)"},
		{"tag 429", ".sig", sigtest.Status(429), "cannot read HOST/shop/cart:sha256-DIGEST.sig: too many requests (429)"},
		{"tag 401", ".sig", sigtest.Status(401), "cannot read HOST/shop/cart:sha256-DIGEST.sig: unauthorized (401): credentials tried: none"},
		{"tag 403", ".sig", sigtest.Status(403), "cannot read HOST/shop/cart:sha256-DIGEST.sig: forbidden (403): credentials tried: none"},
		{"tag page", ".sig", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<h1>welcome</h1>")
		}, "cannot read HOST/shop/cart:sha256-DIGEST.sig: does not answer as a registry (text/html)"},
		{"tag too large", ".sig", func(w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, source.MaxManifestSize+1))
		}, "cannot read HOST/shop/cart:sha256-DIGEST.sig: answered with more than 4 MiB"},
		{"tag redirects for ever", ".sig", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, "cannot read HOST/shop/cart:sha256-DIGEST.sig: answered with more than 10 redirects"},
		{"tag redirects inside", ".sig", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/secret?token=x", http.StatusFound)
		}, `cannot read HOST/shop/cart:sha256-DIGEST.sig: "169.254.169.254" is a link-local, multicast, unspecified or metadata address: not asked`},
		{"referrers 500", "/referrers/", sigtest.Status(500), "cannot read the referrers of HOST/shop/cart@sha256:DIGEST: server error (500)"},
		{"referrers 429", "/referrers/", sigtest.Status(429), "cannot read the referrers of HOST/shop/cart@sha256:DIGEST: too many requests (429)"},
		{"referrers 403", "/referrers/", sigtest.Status(403), "cannot read the referrers of HOST/shop/cart@sha256:DIGEST: forbidden (403): credentials tried: none"},
		{"referrers cut off", "/referrers/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			fmt.Fprint(w, `{"manifests":[`)
		}, "cannot read the referrers of HOST/shop/cart@sha256:DIGEST: answered with a list of referrers that is not an index"},
		{"pages without end", "/referrers/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			n, _ := strconv.Atoi(r.URL.Query().Get("page"))
			w.Header().Set("Link", fmt.Sprintf(`<%s?page=%d>; rel="next"`, r.URL.Path, n+1))
			fmt.Fprint(w, `{"manifests":[]}`)
		}, "cannot read the referrers of HOST/shop/cart@sha256:DIGEST: answered with more than 100 pages of referrers"},
		{"image 500", "/manifests/sha256:", sigtest.Status(500), "cannot read HOST/shop/cart@sha256:DIGEST: server error (500)"},
		{"all 503", "/", sigtest.Status(503), "cannot read HOST/shop/cart:sha256-DIGEST.sig: server error (503) (and 1 more)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, true)
			b.image = b.Wire.Image(t, "cart")
			b.On(tt.part, tt.answer)
			check(t, b, b.verify(t), Unknown, tt.reason)
		})
	}
}

// TestBrokenBlob has signatures that are listed and cannot be had.
func TestBrokenBlob(t *testing.T) {
	for _, storage := range []string{StorageTag, StorageBundle} {
		tests := []struct {
			name   string
			answer http.HandlerFunc
			reason string
		}{
			{"missing", sigtest.Status(404), "not found"},
			{"other content", func(w http.ResponseWriter, r *http.Request) {
				w.Write([]byte(strings.Repeat(" ", len(sigtest.Claim(v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)})))))
			}, "digest sha256:"},
			{"cut off", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "1000")
				w.Write([]byte("{"))
			}, "connection closed before the answer was complete"},
			{"shorter", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("{")) }, "it has 1 bytes instead of"},
			{"without end", func(w http.ResponseWriter, r *http.Request) {
				w.Write(make([]byte, sigbundle.MaxSize+1))
			}, "it has more than "},
		}
		for _, tt := range tests {
			t.Run(storage+" "+tt.name, func(t *testing.T) {
				b := newBench(t, true)
				b.image = b.Wire.Image(t, "cart")
				if storage == StorageTag {
					b.Tag(t, b.image, b.Layer(t, b.good, sigtest.Claim(b.image.Digest)))
				} else {
					if tt.name == "other content" {
						t.Skip("the answer has the length of a signed text")
					}
					b.Attach(t, b.image, sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.good, crypto.SHA256, sigtest.Statement(b.image.Digest, statement.SignType))))
				}
				b.On("/blobs/", tt.answer)
				got := b.verify(t)
				if got.Outcome != Unknown || !strings.Contains(got.Reason, tt.reason) {
					t.Errorf("got %s: %s", got.Outcome, got.Reason)
				}
			})
		}
	}
}

// A referrer whose manifest is another one than the list says.
func TestExchangedManifest(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	d := b.Attach(t, b.image, sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.bad, crypto.SHA256, sigtest.Statement(b.image.Digest, statement.SignType))))
	b.On(d.Digest.String(), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
		fmt.Fprint(w, "{}")
	})
	check(t, b, b.verify(t), Unknown, "cannot read HOST/shop/cart@"+d.Digest.String()+
		": answered with another digest, "+sigtest.HashOf([]byte("{}")).String())
}

// A signature that can be read counts, whatever else cannot.
func TestVerifiedInSpiteOf(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.Attach(t, b.image, sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.good, crypto.SHA256, sigtest.Statement(b.image.Digest, statement.SignType))))
	b.On(".sig", sigtest.Status(403))
	check(t, b, b.verify(t), Verified, `signed by "release"`)
}

func TestReferrerPagesAndLimit(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	good := b.Attach(t, b.image, sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.good, crypto.SHA256, sigtest.Statement(b.image.Digest, statement.SignType))))
	sbom := b.Attach(t, b.image, sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.good, crypto.SHA256, sigtest.Statement(b.image.Digest, "https://cyclonedx.org/bom"))))
	sbom.ArtifactType, good.ArtifactType = sigtest.BundleV03, sigtest.BundleV03
	var first []v1.Descriptor
	for range maxReferrers + 3 {
		first = append(first, sbom)
	}
	last := []v1.Descriptor{good}
	b.On("/referrers/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", string(types.OCIImageIndex)+"; charset=utf-8")
		list := last
		if r.URL.Query().Get("last") == "" {
			list = first
			w.Header().Set("Link", fmt.Sprintf(`<%s?last=1&n=2>; rel="next"`, r.URL.Path))
		}
		w.Write(sigtest.Marshal(t, v1.IndexManifest{Manifests: list}))
	})
	got := b.verify(t)
	check(t, b, got, Unknown, `64 signatures, none by authority "release": `+
		`it states "https://cyclonedx.org/bom", which is no signature of an image, and 4 more beyond the limit`)
	if got.Ignored != 4 {
		t.Errorf("%d ignored", got.Ignored)
	}
	// The note beside the bundle brings it to the front.
	last[0].Annotations = map[string]string{sigbundle.PredicateAnnotation: statement.SignType}
	check(t, b, b.verify(t), Verified, `signed by "release"`)
}

func TestNoSuchImage(t *testing.T) {
	b := newBench(t, true)
	b.Wire.Image(t, "cart")
	b.image = v1.Descriptor{Digest: sigtest.HashOf([]byte("nowhere"))}
	check(t, b, b.verify(t), Rejected, "no such image in the registry")
}

func TestRegistryDown(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.Server.Close()
	got := b.verify(t)
	if got.Outcome != Unknown || !strings.HasPrefix(got.Reason, "cannot read "+b.Host+"/shop/cart:sha256-") || !strings.Contains(got.Reason, ": connection refused") {
		t.Errorf("got %s: %s", got.Outcome, got.Reason)
	}
}

func TestRetry(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	b.Tag(t, b.image, b.Layer(t, b.good, sigtest.Claim(b.image.Digest)))
	tries := 0
	f := func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, ".sig") {
			return false
		}
		tries++
		if tries == 1 {
			w.WriteHeader(503)
		}
		return tries == 1
	}
	b.Answer.Store(&f)
	check(t, b, b.verify(t), Verified, `signed by "release"`)
	if tries != 2 {
		t.Errorf("%d tries", tries)
	}
	// Nobody waits as long as this registry asks for, and nobody insists.
	tries = 0
	b.On(".sig", func(w http.ResponseWriter, _ *http.Request) {
		tries++
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(429)
	})
	if got := b.verify(t); got.Outcome != Unknown || tries != 1 {
		t.Errorf("%s after %d tries", got.Outcome, tries)
	}
}

// TestRequests counts what an image costs, so that more is noticed.
func TestRequests(t *testing.T) {
	b := newBench(t, true)
	first := b.Wire.Image(t, "one")
	second := b.Wire.Image(t, "two")
	third := b.Wire.Image(t, "three")
	b.Tag(t, first, b.Layer(t, b.good, sigtest.Claim(first.Digest)))
	b.Tag(t, second, b.Layer(t, b.good, sigtest.Claim(second.Digest)))
	b.Attach(t, third, sigtest.BundleJSON(t, sigtest.DsseBundle(t, b.good, crypto.SHA256, sigtest.Statement(third.Digest, statement.SignType))))
	v, p := newVerifier(b.Wire, 0), policyFor(t, "release", b.good.Pem)
	v.Verify(t.Context(), p, b.Ref(first)) // opens the session
	count := func(images ...string) int64 {
		before := b.Requests.Load()
		for _, r := range v.Verify(t.Context(), p, images...) {
			if r.Outcome != Verified {
				t.Fatalf("%s: %s", r.Outcome, r.Reason)
			}
		}
		return b.Requests.Load() - before
	}
	tagged := strings.Replace(b.Ref(second), "@", ":1.2@", 1)
	if n := count(b.Ref(second), tagged, b.Ref(second)); n != 2 {
		t.Errorf("signature tag: %d requests", n)
	}
	if n := count(b.Ref(third)); n != 4 {
		t.Errorf("bundle: %d requests", n)
	}
}

func TestCancellation(t *testing.T) {
	b := newBench(t, true)
	b.image = b.Wire.Image(t, "cart")
	policy := policyFor(t, "release", b.good.Pem)
	before := runtime.NumGoroutine()
	hang := make(chan struct{})
	b.On(".sig", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	var images []string
	for i := range 40 {
		images = append(images, b.Host+"/"+sigtest.Repo+"@"+sigtest.HashOf([]byte{byte(i)}).String())
	}
	tests := []struct {
		name    string
		timeout time.Duration
		ctx     func(context.Context) (context.Context, context.CancelFunc)
		images  []string
		reason  string
	}{
		{"cancelled", time.Minute, func(c context.Context) (context.Context, context.CancelFunc) {
			c, cancel := context.WithCancel(c)
			time.AfterFunc(100*time.Millisecond, cancel)
			return c, cancel
		}, images, "cancelled before everything was read"},
		{"deadline", time.Minute, func(c context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(c, 100*time.Millisecond)
		}, images, "time ran out before everything was read"},
		{"timeout", 100 * time.Millisecond, context.WithCancel, images[:1], "not everything could be read within 100ms"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := tt.ctx(t.Context())
			defer cancel()
			start := time.Now()
			for _, r := range newVerifier(b.Wire, tt.timeout).Verify(ctx, policy, tt.images...) {
				if r.Outcome != Unknown || r.Reason != tt.reason {
					t.Fatalf("got %s: %s", r.Outcome, r.Reason)
				}
			}
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("took %s", d)
			}
		})
	}
	close(hang)
	b.Server.CloseClientConnections()
	b.Server.Close()
	b.Server.Client().CloseIdleConnections()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	buf := make([]byte, 1<<16)
	t.Errorf("%d goroutines, before %d\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
}

// stuck is a keychain whose helper does not return in time.
type stuck struct {
	sigtest.NoCredentials
	until chan struct{}
}

func (s stuck) Resolve(r authn.Resource) (authn.Authenticator, error) {
	<-s.until
	return s.NoCredentials.Resolve(r)
}

func TestStuckHelper(t *testing.T) {
	w := sigtest.NewWire(t, true)
	image := w.Image(t, "cart")
	w.On("/v2/", sigtest.LoginFirst)
	k := stuck{until: make(chan struct{})}
	defer close(k.until)
	v := New(Options{Client: registry.New(registry.Options{Keychain: k, Base: w.Server.Client().Transport}), Timeout: 50 * time.Millisecond, Concurrency: 1})
	start := time.Now()
	p := policyFor(t, "release", sigtest.NewSigner(t, "p256").Pem)
	for _, r := range v.Verify(t.Context(), p, w.Ref(image), w.Host+"/shop/till@"+image.Digest.String()) {
		if r.Outcome != Unknown || r.Reason != "not everything could be read within 50ms" {
			t.Errorf("got %s: %s", r.Outcome, r.Reason)
		}
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %s", d)
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain text":                   "plain text",
		"a\n\tb\x1b[31mc\u202e\u00a0d": "a b [31mc d",
		"\xff":                         "?",
		strings.Repeat("x", 300):       strings.Repeat("x", untrusted.MaxText) + "…",
	} {
		if got := untrusted.OneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q", in, got)
		}
	}
}
