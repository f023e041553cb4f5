package registry_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
)

// Each fault stays for good: how often it is met, and what is said of it.
func TestFaults(t *testing.T) {
	wrong := "sha256:" + strings.Repeat("f", 64)
	for _, tt := range []struct {
		name   string
		ref    string // after the host
		fault  func(http.ResponseWriter, *http.Request) bool
		want   string // after the host
		kind   error
		status int
		heads  int
		gets   int
	}{
		{"500", "/a:b", registrytest.OnManifest(registrytest.Status(500)), `tag "b" of "a": server error (500)`, digest.ErrUnknown, 500, 3, 0},
		{"503", "/a:b", registrytest.OnManifest(registrytest.Status(503)), `tag "b" of "a": server error (503)`, digest.ErrUnknown, 503, 3, 0},
		{"501", "/a:b", registrytest.OnManifest(registrytest.Status(501)), `tag "b" of "a": server error (501)`, digest.ErrUnknown, 501, 1, 0},
		// net/http repeats by itself, once, what failed on a reused connection.
		{"reset", "/a:b", registrytest.OnManifest(registrytest.Reset), `tag "b" of "a": connection closed before the answer was complete`, digest.ErrUnknown, 0, 3 + 1, 0},
		{"429 for long", "/a:b", registrytest.OnManifest(registrytest.Status(429, "Retry-After", "3600")), `tag "b" of "a": too many requests (429)`, digest.ErrUnknown, 429, 1, 0},
		{"401", "/a:b", registrytest.OnManifest(registrytest.Status(401)), `tag "b" of "a": unauthorized (401): credentials tried: none`, digest.ErrUnknown, 401, 1, 0},
		{"403", "/a@" + wrong, registrytest.OnManifest(registrytest.Status(403)), `digest ` + wrong + ` of "a": forbidden (403): credentials tried: none`, digest.ErrUnknown, 403, 1, 0},
		{"418", "/a:b", registrytest.OnManifest(registrytest.Status(418)), `tag "b" of "a": unexpected answer (418)`, digest.ErrUnknown, 418, 1, 0},
		{"404", "/a:b", registrytest.OnManifest(registrytest.Status(404)), `tag "b" of "a" not found`, digest.ErrNotFound, 404, 1, 0},
		{"404 of a proxy", "/a:b", registrytest.OnManifest(registrytest.Status(404, "Content-Type", "text/html")),
			`tag "b" of "a": does not answer as a registry (404)`, digest.ErrUnknown, 404, 1, 1},
		{"404 on ping", "/a:b", func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(404); return true },
			`tag "b" of "a": does not answer as a registry (404)`, digest.ErrUnknown, 404, 0, 0},
		{"403 with a body", "/a:b", func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(403)
			w.Write([]byte(`{"errors":[{"code":"DENIED","message":"two\nlines of a token"}]}`))
			return true
		}, `tag "b" of "a": forbidden (403 DENIED): credentials tried: none`, digest.ErrUnknown, 403, 0, 0},
		{"redirects", "/a:b", registrytest.OnManifest(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}),
			`tag "b" of "a": answered with more than 10 redirects`, digest.ErrUnknown, 0, 11, 0},
		{"another digest", "/a@" + registrytest.SomeDigest, registrytest.OnManifest(registrytest.Status(200, "Docker-Content-Digest", wrong, "Content-Type", registrytest.ManifestType, "Content-Length", "9")),
			`digest ` + registrytest.SomeDigest + ` of "a": answered with another digest, ` + wrong, digest.ErrUnknown, 0, 1, 0},
		{"another manifest", "/a@" + registrytest.SomeDigest, registrytest.OnManifest(func(w http.ResponseWriter, _ *http.Request) { w.Write(registrytest.Manifest("x")) }),
			`digest ` + registrytest.SomeDigest + ` of "a": answered with another digest, sha256:fd1d0833`, digest.ErrUnknown, 0, 1, 1},
		{"endless manifest", "/a:b", registrytest.OnManifest(func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				w.Write(make([]byte, 1<<20))
			}
		}), `tag "b" of "a": answered with more than 4 MiB`, digest.ErrUnknown, 0, 1, 1},
		{"schema 1", "/a:b", registrytest.OnManifest(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
			w.Write(registrytest.Manifest("x"))
		}), `tag "b" of "a": answered with a schema 1 manifest and no digest`, digest.ErrUnknown, 0, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := registrytest.New(t)
			f.SetFault(tt.fault)
			_, err := registrytest.NewResolver(t, registrytest.Options{}).Resolve(t.Context(), f.Host+tt.ref)
			var e *digest.Error
			if !errors.As(err, &e) || !errors.Is(err, tt.kind) {
				t.Fatalf("got %v, want %v", err, tt.kind)
			}
			if got, want := err.Error(), f.Host+": "+tt.want; !strings.HasPrefix(got, want) {
				t.Errorf("\ngot  %s\nwant %s", got, want)
			}
			if e.Status != tt.status {
				t.Errorf("status %d, want %d", e.Status, tt.status)
			}
			if h, g := f.Counted("HEAD manifest"), f.Counted("GET manifest"); h != tt.heads || g != tt.gets {
				t.Errorf("%d HEAD and %d GET, want %d and %d", h, g, tt.heads, tt.gets)
			}
		})
	}
}

// Faults that do not keep the answer from being found.
func TestRecovers(t *testing.T) {
	twice := func(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
		var n atomic.Int32
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/manifests/") || n.Add(1) > 2 {
				return false
			}
			answer(w, r)
			return true
		}
	}
	head := func(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodHead {
				answer(w, r)
			}
			return r.Method == http.MethodHead
		}
	}
	sha512 := "sha512:" + strings.Repeat("f", 128)
	for _, tt := range []struct {
		name        string
		fault       func(http.ResponseWriter, *http.Request) bool
		heads, gets int
		atLeast     time.Duration
	}{
		{"500 twice", twice(registrytest.Status(500)), 3, 0, 400 * time.Millisecond},
		{"reset twice", twice(registrytest.Reset), 3, 0, 100 * time.Millisecond}, // see TestFaults
		{"429 twice", twice(registrytest.Status(429, "Retry-After", "1")), 3, 0, 2 * time.Second},
		{"429 until now", twice(registrytest.Status(429, "Retry-After", "Mon, 01 Jan 2024 00:00:00 GMT")), 3, 0, 0},
		{"no HEAD", head(registrytest.Status(405)), 1, 1, 0},
		{"no digest", head(registrytest.Status(200, "Content-Type", registrytest.ManifestType, "Content-Length", "9")), 1, 1, 0},
		{"no digest worth the name", head(registrytest.Status(200, "Content-Type", registrytest.ManifestType, "Content-Length", "9", "Docker-Content-Digest", "sha256:12")), 1, 1, 0},
		{"sha512", head(registrytest.Status(200, "Content-Type", registrytest.ManifestType, "Content-Length", "9", "Docker-Content-Digest", sha512)), 1, 1, 0},
		{"no type", head(registrytest.Status(200, "Docker-Content-Digest", registrytest.SomeDigest)), 1, 1, 0},
		{"404 of a proxy", head(registrytest.Status(404, "Content-Type", "text/html")), 1, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := registrytest.New(t)
			want := f.Push(t, "a", "b", "one")
			f.SetFault(tt.fault)
			start := time.Now()
			got, err := registrytest.NewResolver(t, registrytest.Options{}).Resolve(t.Context(), f.Host+"/a:b")
			if err != nil || got.Digest != want || got.MediaType != registrytest.ManifestType {
				t.Errorf("got %+v, %v, want %s", got, err, want)
			}
			if h, g := f.Counted("HEAD manifest"), f.Counted("GET manifest"); h != tt.heads || g != tt.gets {
				t.Errorf("%d HEAD and %d GET, want %d and %d", h, g, tt.heads, tt.gets)
			}
			if took := time.Since(start); took < tt.atLeast {
				t.Errorf("took %v, want at least %v", took, tt.atLeast)
			}
		})
	}
}

// A 404 to GET, where HEAD is not allowed, is as definite as one to HEAD.
func TestNotFoundByGet(t *testing.T) {
	f := registrytest.New(t)
	f.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
		return r.Method == http.MethodHead
	})
	_, err := registrytest.NewResolver(t, registrytest.Options{}).Resolve(t.Context(), f.Host+"/a:b")
	if !errors.Is(err, digest.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestUnreachable(t *testing.T) {
	_, err := registrytest.NewResolver(t, registrytest.Options{}).Resolve(t.Context(), "127.0.0.1:1/a:b")
	if want := `127.0.0.1:1: tag "b" of "a": connection refused`; !errors.Is(err, digest.ErrUnknown) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What the network reports is said in a line of our own.
func TestNetworkErrors(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&net.DNSError{Err: "no such host", Name: "r.example", IsNotFound: true}, `no such host "r.example"`},
		{&net.DNSError{Err: "i/o timeout", Name: "r.example", IsTimeout: true}, "no answer in time"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, "connection reset"},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "certificate not accepted: x509: certificate signed by unknown authority"},
		{errors.New("odd https://me:hunter2@r.example/?t=1 thing\nhunter2"), "request failed: odd (URL) thing"},
	} {
		broken := registrytest.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, tt.err })
		_, err := registrytest.NewResolver(t, registrytest.Options{Transport: broken}).Resolve(t.Context(), "r.example/a:b")
		if want := `r.example: tag "b" of "a": ` + tt.want; !errors.Is(err, digest.ErrUnknown) || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// The first question's handshake serves the second. When the first is
// cancelled the second must not fail with it.
func TestSharedHandshakeCancelled(t *testing.T) {
	f := registrytest.New(t)
	want := f.Push(t, "a", "c", "one")
	entered, release := make(chan struct{}), make(chan struct{})
	// The second may come too late to share, and then greets anew.
	enter := sync.OnceFunc(func() { close(entered) })
	f.SetFault(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v2/" {
			enter()
			<-release
		}
		return false
	})
	r := registrytest.NewResolver(t, registrytest.Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := r.Resolve(ctx, f.Host+"/a:b")
		first <- err
	}()
	<-entered
	second := make(chan error, 1)
	go func() {
		got, err := r.Resolve(t.Context(), f.Host+"/a:c")
		if err == nil && got.Digest != want {
			err = fmt.Errorf("got %+v", got)
		}
		second <- err
	}()
	cancel(errors.New("enough"))
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("the second: %v", err)
	}
}

func TestCredentialsStayOutOfErrors(t *testing.T) {
	f := registrytest.New(t)
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"HEAD refused": func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/manifests/") {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return registrytest.Bearer(f.Host, "t0ken")(w, r)
		},
		"token refused": registrytest.Bearer(f.Host, ""), // an empty token is none
		"realm": func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://me:hunter2@10.0.0.1/token?key=hunter2"`)
			w.WriteHeader(401)
			return true
		},
	} {
		f.SetFault(fault)
		_, err := registrytest.NewResolver(t, registrytest.Options{Keychain: registrytest.KeychainFunc(registrytest.Password)}).Resolve(t.Context(), f.Host+"/a:b")
		if !errors.Is(err, digest.ErrUnknown) || strings.Contains(err.Error(), "hunter2") || strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%s: %v", name, err)
		}
		if strings.HasPrefix(name, "HEAD") && !strings.HasSuffix(err.Error(), ": credentials tried: given keychain") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDockerConfig(t *testing.T) {
	f := registrytest.New(t)
	want := f.Push(t, "a", "b", "one")
	f.SetFault(registrytest.Bearer(f.Host, "t0ken"))
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("DOCKER_CONFIG", home)
	config := filepath.Join(home, "config.json")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	resolve := func() (digest.Resolution, error) {
		return digest.NewResolver(digest.Options{}).Resolve(t.Context(), f.Host+"/a:b")
	}
	write(`{"auths":{"` + f.Host + `":{"auth":"bWU6aHVudGVyMg=="}}}`) // me:hunter2
	if got, err := resolve(); err != nil || got.Digest != want {
		t.Errorf("got %+v, %v", got, err)
	}
	write(`{"auths":{"` + f.Host + `":{"auth":"bWU6d3Jvbmc="}}}`) // me:wrong
	if _, err := resolve(); err == nil || !strings.HasSuffix(err.Error(), "unauthorized (401): credentials tried: docker config") {
		t.Errorf("got %v", err)
	}
	write(`{}`)
	if _, err := resolve(); err == nil || !strings.HasSuffix(err.Error(), "unauthorized (401): credentials tried: none") {
		t.Errorf("got %v", err)
	}
	write(`{"hunter2`)
	if _, err := resolve(); err == nil || !strings.HasSuffix(err.Error(), ": credentials could not be read from docker config: "+config+" is no JSON (byte 9)") {
		t.Errorf("got %v", err)
	}
}

// A helper that hangs holds up no one beyond their context, and one that failed
// is asked again.
func TestKeychain(t *testing.T) {
	f := registrytest.New(t)
	f.Push(t, "a", "b", "one")
	f.SetFault(registrytest.Bearer(f.Host, "t0ken"))
	release, asked := make(chan struct{}), atomic.Int32{}
	keys := registrytest.KeychainFunc(func(target authn.Resource) (authn.Authenticator, error) {
		if target.String() != f.Host {
			t.Errorf("keychain asked about %q", target)
		}
		switch asked.Add(1) {
		case 1:
			<-release
			return nil, errors.New("helper: hunter2\nis wrong")
		default:
			return registrytest.Password(target)
		}
	})
	r := registrytest.NewResolver(t, registrytest.Options{Keychain: keys})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.Resolve(ctx, f.Host+"/a:b"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	time.AfterFunc(20*time.Millisecond, func() { close(release) })
	if _, err := r.Resolve(t.Context(), f.Host+"/a:b"); err == nil || !strings.HasSuffix(err.Error(), ": credentials could not be read from given keychain") {
		t.Errorf("got %v", err)
	}
	if _, err := r.Resolve(t.Context(), f.Host+"/a:b"); err != nil {
		t.Error(err)
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("keychain asked %d times, want 2", n)
	}
}

func TestErrorText(t *testing.T) {
	for _, tt := range []struct {
		err  digest.Error
		want string
	}{
		{digest.Error{}, `reference "": could not be decided`},
		{digest.Error{Ref: "a:b", Registry: "r.io", Kind: digest.ErrNotFound}, `r.io: "a:b": not found`},
		{digest.Error{Ref: "a:b", Registry: "r.io", Err: errors.New("two\nlines\x1b[0m")}, `r.io: two lines [0m`},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	long := digest.Error{Ref: strings.Repeat("ä", 1000), Err: errors.New(strings.Repeat("ä", 1000))}
	if n := len(long.Error()); n > 410 {
		t.Errorf("message of %d bytes", n)
	}
}
