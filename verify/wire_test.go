package verify

import (
	"context"
	"crypto"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func mustRepo(t testing.TB, s string) name.Repository {
	t.Helper()
	r, err := name.NewRepository(s)
	must(t, err)
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
		{"tag 500", ".sig", status(500), "cannot read HOST/shop/cart:sha256-DIGEST.sig: 500 Internal Server Error"},
		{"tag 429", ".sig", status(429), "cannot read HOST/shop/cart:sha256-DIGEST.sig: 429 Too Many Requests"},
		{"tag 401", ".sig", status(401), "cannot read HOST/shop/cart:sha256-DIGEST.sig: 401 Unauthorized"},
		{"tag 403", ".sig", status(403), "cannot read HOST/shop/cart:sha256-DIGEST.sig: 403 Forbidden"},
		{"tag page", ".sig", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<h1>welcome</h1>")
		}, `cannot read HOST/shop/cart:sha256-DIGEST.sig: it is "text/html" and no image manifest`},
		{"tag too large", ".sig", func(w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, maxManifestSize+1))
		}, "cannot read HOST/shop/cart:sha256-DIGEST.sig: it has more than 4194304 bytes"},
		{"tag redirects for ever", ".sig", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, "cannot read HOST/shop/cart:sha256-DIGEST.sig: more than 10 redirects"},
		{"tag redirects inside", ".sig", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/secret?token=x", http.StatusFound)
		}, `cannot read HOST/shop/cart:sha256-DIGEST.sig: redirect to the private address "169.254.169.254"`},
		{"referrers 500", "/referrers/", status(500), "cannot read the referrers of HOST/shop/cart@sha256:DIGEST: 500 Internal Server Error"},
		{"referrers 429", "/referrers/", status(429), "cannot read the referrers of HOST/shop/cart@sha256:DIGEST: 429 Too Many Requests"},
		{"referrers 403", "/referrers/", status(403), "cannot read the referrers of HOST/shop/cart@sha256:DIGEST: 403 Forbidden"},
		{"referrers cut off", "/referrers/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			fmt.Fprint(w, `{"manifests":[`)
		}, "cannot read the referrers of HOST/shop/cart@sha256:DIGEST: unexpected end of JSON input"},
		{"pages without end", "/referrers/", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			w.Header().Set("Link", `</v2/x?page=2>; rel="next"`)
			fmt.Fprint(w, `{"manifests":[]}`)
		}, "cannot read the referrers of HOST/shop/cart@sha256:DIGEST: more than 16 pages"},
		{"image 500", "/manifests/sha256:", status(500), "cannot read HOST/shop/cart@sha256:DIGEST: 500 Internal Server Error"},
		{"all 503", "/", status(503), "cannot reach the registry HOST: 503 Service Unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, true)
			b.image = b.wire.image(t, "cart")
			b.on(tt.part, tt.answer)
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
			{"missing", status(404), "404 Not Found"},
			{"other content", func(w http.ResponseWriter, r *http.Request) {
				w.Write([]byte(strings.Repeat(" ", len(claim(v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)})))))
			}, "digest sha256:"},
			{"cut off", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "1000")
				w.Write([]byte("{"))
			}, "unexpected EOF"},
			{"shorter", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("{")) }, "it has 1 bytes instead of"},
			{"without end", func(w http.ResponseWriter, r *http.Request) {
				w.Write(make([]byte, maxBundleSize+1))
			}, "it has more than "},
		}
		for _, tt := range tests {
			t.Run(storage+" "+tt.name, func(t *testing.T) {
				b := newBench(t, true)
				b.image = b.wire.image(t, "cart")
				if storage == StorageTag {
					b.tag(t, b.image, b.layer(t, b.good, claim(b.image.Digest)))
				} else {
					if tt.name == "other content" {
						t.Skip("the answer has the length of a signed text")
					}
					b.attach(t, b.image, bundleJSON(t, dsseBundle(t, b.good, crypto.SHA256, statement(b.image.Digest, signPredicateType))))
				}
				b.on("/blobs/", tt.answer)
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
	b.image = b.wire.image(t, "cart")
	d := b.attach(t, b.image, bundleJSON(t, dsseBundle(t, b.bad, crypto.SHA256, statement(b.image.Digest, signPredicateType))))
	b.on(d.Digest.String(), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
		fmt.Fprint(w, "{}")
	})
	check(t, b, b.verify(t), Unknown, "cannot read HOST/shop/cart@"+d.Digest.String()+
		": its content has the digest "+hashOf([]byte("{}")).String())
}

// A signature that can be read counts, whatever else cannot.
func TestVerifiedInSpiteOf(t *testing.T) {
	b := newBench(t, true)
	b.image = b.wire.image(t, "cart")
	b.attach(t, b.image, bundleJSON(t, dsseBundle(t, b.good, crypto.SHA256, statement(b.image.Digest, signPredicateType))))
	b.on(".sig", status(403))
	check(t, b, b.verify(t), Verified, `signed by "release"`)
}

func TestReferrerPagesAndLimit(t *testing.T) {
	b := newBench(t, true)
	b.image = b.wire.image(t, "cart")
	good := b.attach(t, b.image, bundleJSON(t, dsseBundle(t, b.good, crypto.SHA256, statement(b.image.Digest, signPredicateType))))
	sbom := b.attach(t, b.image, bundleJSON(t, dsseBundle(t, b.good, crypto.SHA256, statement(b.image.Digest, "https://cyclonedx.org/bom"))))
	sbom.ArtifactType, good.ArtifactType = bundleV03, bundleV03
	var first []v1.Descriptor
	for range maxReferrers + 3 {
		first = append(first, sbom)
	}
	last := []v1.Descriptor{good}
	b.on("/referrers/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", string(types.OCIImageIndex)+"; charset=utf-8")
		list := last
		if r.URL.Query().Get("last") == "" {
			list = first
			w.Header().Set("Link", fmt.Sprintf(`<%s?last=1&n=2>; rel="next"`, r.URL.Path))
		}
		w.Write(marshal(t, v1.IndexManifest{Manifests: list}))
	})
	got := b.verify(t)
	check(t, b, got, Unknown, `64 signatures, none by authority "release": `+
		`it states "https://cyclonedx.org/bom", which is no signature of an image, and 4 more beyond the limit`)
	if got.Ignored != 4 {
		t.Errorf("%d ignored", got.Ignored)
	}
	// The note beside the bundle brings it to the front.
	last[0].Annotations = map[string]string{predicateAnnotation: signPredicateType}
	check(t, b, b.verify(t), Verified, `signed by "release"`)
}

func TestNoSuchImage(t *testing.T) {
	b := newBench(t, true)
	b.wire.image(t, "cart")
	b.image = v1.Descriptor{Digest: hashOf([]byte("nowhere"))}
	check(t, b, b.verify(t), Rejected, "no such image in the registry")
}

func TestRegistryDown(t *testing.T) {
	b := newBench(t, true)
	b.image = b.wire.image(t, "cart")
	b.server.Close()
	got := b.verify(t)
	if got.Outcome != Unknown || !strings.HasPrefix(got.Reason, "cannot reach the registry "+b.host+": ") {
		t.Errorf("got %s: %s", got.Outcome, got.Reason)
	}
}

func TestRetry(t *testing.T) {
	b := newBench(t, true)
	b.image = b.wire.image(t, "cart")
	b.tag(t, b.image, b.layer(t, b.good, claim(b.image.Digest)))
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
	b.answer.Store(&f)
	check(t, b, b.verify(t), Verified, `signed by "release"`)
	if tries != 2 {
		t.Errorf("%d tries", tries)
	}
	// Nobody waits as long as this registry asks for, and nobody insists.
	tries = 0
	b.on(".sig", func(w http.ResponseWriter, _ *http.Request) {
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
	first := b.wire.image(t, "one")
	second := b.wire.image(t, "two")
	third := b.wire.image(t, "three")
	b.tag(t, first, b.layer(t, b.good, claim(first.Digest)))
	b.tag(t, second, b.layer(t, b.good, claim(second.Digest)))
	b.attach(t, third, bundleJSON(t, dsseBundle(t, b.good, crypto.SHA256, statement(third.Digest, signPredicateType))))
	v, p := newVerifier(b.wire, 0), policyFor(t, "release", b.good.pem)
	v.Verify(t.Context(), p, b.ref(first)) // opens the session
	count := func(images ...string) int64 {
		before := b.requests.Load()
		for _, r := range v.Verify(t.Context(), p, images...) {
			if r.Outcome != Verified {
				t.Fatalf("%s: %s", r.Outcome, r.Reason)
			}
		}
		return b.requests.Load() - before
	}
	tagged := strings.Replace(b.ref(second), "@", ":1.2@", 1)
	if n := count(b.ref(second), tagged, b.ref(second)); n != 2 {
		t.Errorf("signature tag: %d requests", n)
	}
	if n := count(b.ref(third)); n != 4 {
		t.Errorf("bundle: %d requests", n)
	}
}

func TestCancellation(t *testing.T) {
	b := newBench(t, true)
	b.image = b.wire.image(t, "cart")
	policy := policyFor(t, "release", b.good.pem)
	before := runtime.NumGoroutine()
	hang := make(chan struct{})
	b.on(".sig", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	var images []string
	for i := range 40 {
		images = append(images, b.host+"/"+repo+"@"+hashOf([]byte{byte(i)}).String())
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
			for _, r := range newVerifier(b.wire, tt.timeout).Verify(ctx, policy, tt.images...) {
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
	b.server.CloseClientConnections()
	b.server.Close()
	b.server.Client().CloseIdleConnections()
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
	noCredentials
	until chan struct{}
}

func (s stuck) Resolve(r authn.Resource) (authn.Authenticator, error) {
	<-s.until
	return s.noCredentials.Resolve(r)
}

func TestStuckHelper(t *testing.T) {
	w := newWire(t, true)
	image := w.image(t, "cart")
	k := stuck{until: make(chan struct{})}
	defer close(k.until)
	v := New(Options{Keychain: k, Transport: w.server.Client().Transport, Timeout: 50 * time.Millisecond, Concurrency: 1})
	start := time.Now()
	p := policyFor(t, "release", newSigner(t, "p256").pem)
	for _, r := range v.Verify(t.Context(), p, w.ref(image), w.host+"/shop/till@"+image.Digest.String()) {
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
		strings.Repeat("x", 300):       strings.Repeat("x", maxText) + "…",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q", in, got)
		}
	}
}

func TestIsInside(t *testing.T) {
	for host, want := range map[string]bool{
		"10.0.0.1": true, "127.0.0.1": true, "169.254.169.254": true, "::1": true, "::ffff:10.0.0.1": true,
		"localhost": true, "LocalHost.": true, "a.localhost": true, "127.0.0.1.": true, "localhost.example.com": false, "0.0.0.0": true, "192.0.2.1": false, "example.com": false,
	} {
		if got := isInside(host); got != want {
			t.Errorf("isInside(%s) = %t", host, got)
		}
	}
}

func TestCheckRedirectKeepsTLS(t *testing.T) {
	from := httptest.NewRequest(http.MethodGet, "https://example.com/", nil)
	to := httptest.NewRequest(http.MethodGet, "http://example.com/", nil)
	if err := checkRedirect(to, []*http.Request{from}); err == nil {
		t.Error("followed a redirect from https to http")
	}
	if err := checkRedirect(from, []*http.Request{from}); err != nil {
		t.Error(err)
	}
}
