package registry_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry"
)

// Where a public registry may not point to. The registry is a function, so no
// name is looked up.
func TestTargets(t *testing.T) {
	for _, tt := range []struct{ to, want string }{
		{"http://auth.example/token", `points to "auth.example" over plain HTTP`},
		{"https://169.254.169.254/latest", `"169.254.169.254" is a link-local, multicast, unspecified or metadata address: not asked`},
		{"https://100.100.100.200/", `"100.100.100.200" is a link-local`},
		{"https://[fd00:ec2::254]/", `"[fd00:ec2::254]" is a link-local`},
		{"https://[::ffff:169.254.169.254]/", `is a link-local`},
		{"https://127.0.0.1:8080/", `"127.0.0.1:8080" is a private or loopback address: not asked`},
		{"https://10.0.0.1/", `"10.0.0.1" is a private`},
		{"https://localhost/", `"localhost" is a private`},
		{"https://me:hunter2@auth.example/", `points to a URL with credentials in it`},
		{"file:///etc/passwd", `that is not`},
		{"ftp://auth.example/", `points to a URL that is not https`},
		{"https:///token", `that is not`},
	} {
		for _, how := range []string{"realm", "redirect"} {
			base := registrytest.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
				if r.URL.Host != "r.example" {
					t.Errorf("%s: asked %s", tt.to, r.URL.Host)
				}
				resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}
				switch {
				case how == "realm":
					resp.StatusCode = http.StatusUnauthorized
					resp.Header.Set("WWW-Authenticate", `Bearer realm="`+tt.to+`"`)
				case r.URL.Path != "/v2/":
					resp.StatusCode = http.StatusTemporaryRedirect
					resp.Header.Set("Location", tt.to)
				}
				return resp, nil
			})
			_, err := registrytest.NewResolver(t, registrytest.Options{Transport: base}).Resolve(t.Context(), "r.example/a:b")
			if !errors.Is(err, digest.ErrUnknown) || !strings.HasPrefix(err.Error(), `r.example: tag "b" of "a": `) ||
				!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s by %s: %v", tt.to, how, err)
			}
		}
	}
}

// The token for a registry goes to no other host, whatever the redirect.
func TestTokenStaysHome(t *testing.T) {
	var leaked atomic.Int32
	base := registrytest.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}
		switch {
		case r.URL.Host == "auth.example":
			resp.Body = io.NopCloser(strings.NewReader(`{"token":"secret"}`))
		case r.URL.Host != "r.example":
			if r.Header.Get("Authorization") != "" {
				leaked.Add(1)
			}
			resp.StatusCode = http.StatusNotFound
		case r.Header.Get("Authorization") == "":
			resp.StatusCode = http.StatusUnauthorized
			resp.Header.Set("WWW-Authenticate", `Bearer realm="https://auth.example/token"`)
		default:
			resp.StatusCode = http.StatusTemporaryRedirect
			resp.Header.Set("Location", "https://sub.r.example"+r.URL.Path)
		}
		return resp, nil
	})
	_, err := registrytest.NewResolver(t, registrytest.Options{Transport: base, Keychain: registrytest.KeychainFunc(registrytest.Password)}).Resolve(t.Context(), "r.example/a:b")
	if !errors.Is(err, digest.ErrNotFound) || leaked.Load() != 0 {
		t.Errorf("%v, leaked %d times", err, leaked.Load())
	}
}

func TestForbiddenAddress(t *testing.T) {
	f := registrytest.New(t)
	u, _ := url.Parse("http://" + f.Host)
	want := f.Push(t, "a", "b", "one")
	ref := "0.0.0.0:" + u.Port() + "/a:b"
	_, err := registrytest.NewResolver(t, registrytest.Options{}).Resolve(t.Context(), ref)
	if !errors.Is(err, digest.ErrUnknown) || !strings.HasSuffix(err.Error(), "unspecified or metadata address: not asked") {
		t.Errorf("got %v", err)
	}
	// It is no address that go-containerregistry speaks plain HTTP to.
	registries, err := registry.ParseConfig("registries.conf", []byte("[[registry]]\nlocation = \"0.0.0.0:"+u.Port()+"\"\ninsecure = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	anywhere := newClient(t, registry.Options{AllowLinkLocal: true, Registries: registries})
	if got, err := registrytest.NewResolver(t, registrytest.Options{Transport: anywhere}).Resolve(t.Context(), ref); err != nil || got.Digest != want {
		t.Errorf("allowed: %+v, %v", got, err)
	}
}

// Where a registry may send those who ask for a blob, and where not.
func TestBlobGoesTo(t *testing.T) {
	for _, tt := range []struct{ registry, location, want string }{
		{"registry.example.com", "/v2/x?a=b", "https://registry.example.com/v2/x?a=b"},
		{"registry.example.com", "https://storage.example.com/x", "https://storage.example.com/x"},
		{"registry.example.com", "http://storage.example.com/x", ""},
		{"registry.example.com", "http://registry.example.com/x", "https://registry.example.com/x"},
		{"registry.example.com", "https://u:p@registry.example.com/x", ""},
		{"registry.example.com", "https://169.254.169.254/latest", ""},
		{"registry.example.com", "https://127.0.0.1/x", ""},
		{"registry.example.com", "https://[::1]/x", ""},
		{"registry.example.com", "https://[::ffff:10.0.0.1]/x", ""},
		{"registry.example.com", "https://localhost:5000/x", ""},
		{"registry.example.com", "file:///etc/passwd", ""},
		{"registry.example.com", "https:///x", ""},
		{"registry.example.com", "://", ""},
		{"127.0.0.1:5000", "https://127.0.0.1:5001/x", "https://127.0.0.1:5001/x"},
		{"10.0.0.1:5000", "https://10.0.0.2/x", "https://10.0.0.2/x"},
	} {
		base := &pointing{registry: tt.registry, location: tt.location}
		repo := newRepository(t, registry.Options{Base: base}, tt.registry+"/a")
		body, err := repo.OpenBlob(t.Context(), hashOf(t, registrytest.SomeDigest))
		if err == nil {
			body.Close()
		}
		if base.went != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s sends to %s: went to %q, %v, want %q", tt.registry, tt.location, base.went, err, tt.want)
		}
	}
}

// pointing answers as a registry that sends those who ask for a blob elsewhere.
type pointing struct{ registry, location, went string }

// RoundTrip implements [http.RoundTripper].
func (p *pointing) RoundTrip(req *http.Request) (*http.Response, error) {
	switch {
	case req.URL.Host == p.registry && req.URL.Path == "/v2/":
		return answer(req, http.StatusOK), nil
	case req.URL.Host == p.registry && strings.Contains(req.URL.Path, "/blobs/"):
		resp := answer(req, http.StatusTemporaryRedirect)
		resp.Header.Set("Location", p.location)
		return resp, nil
	}
	p.went = req.URL.String()
	return answer(req, http.StatusOK), nil
}

func answer(req *http.Request, status int) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: req}
}
