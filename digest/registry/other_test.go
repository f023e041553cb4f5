package registry_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/digest/registry/credentials"
)

// A registry whose challenge names another registry as its token server had that one
// asked: it got no credentials of the other, but chose what was asked of it.
func TestRealmOfAnotherRegistry(t *testing.T) {
	auth := base64.StdEncoding.EncodeToString([]byte("me:hunter2"))
	secret, err := credentials.ParsePullSecret("pull.yaml", []byte(
		"apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockerconfigjson\nstringData:\n  .dockerconfigjson: '{\"auths\":{\"corp.example\":{\"auth\":\""+auth+"\"},\"ports.example:5000/org\":{\"auth\":\""+auth+"\"},\"git.example\":{\"auth\":\""+auth+"\"}}}'\n"))
	if err != nil {
		t.Fatal(err)
	}
	conf, err := registry.ParseConfig("registries.conf", []byte("[[registry]]\nprefix = \"named.example/org\"\nlocation = \"there.example/x\"\n[[registry]]\nlocation = \"blocked.example\"\nblocked = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	const other = "is another registry's, and not a token server of this one: not asked"
	for realm, want := range map[string]string{
		"https://corp.example/token":             other,
		"https://CORP.example/token":             other,
		"https://corp.example.:443/token":        other,
		"https://ports.example:5000/":            other,
		"https://named.example/token":            other,
		"https://there.example/token":            other,
		"https://asked.example/token":            other,
		"https://blocked.example/token":          other,
		"https://moves.example/token":            other,
		"https://ports.example/token":            "", // another port
		"https://auth.example/token":             "",
		"https://r.git.example/token":            "", // its own
		"https://git.example/token":              "", // its parent
		"https://r.git.example:8443/service/tok": "",
	} {
		asked := map[string]bool{}
		base := registrytest.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}
			switch {
			case r.URL.Path == "/v2/" && r.URL.Host == "asked.example", r.URL.Host == "asked.example" && strings.HasPrefix(r.URL.Path, "/v2/"):
				resp.StatusCode = http.StatusNotFound
			case r.URL.Host == "moves.example":
				resp.StatusCode = http.StatusFound
				resp.Header.Set("Location", "https://corp.example/token")
			case r.URL.Host == "r.git.example" && strings.HasPrefix(r.URL.Path, "/v2/"):
				if r.Header.Get("Authorization") != "" {
					resp.StatusCode = http.StatusNotFound
					break
				}
				resp.StatusCode = http.StatusUnauthorized
				resp.Header.Set("WWW-Authenticate", `Bearer realm="`+realm+`"`)
			default:
				asked[r.URL.Host] = true
				resp.Body = io.NopCloser(strings.NewReader(`{"token":"secret"}`))
			}
			return resp, nil
		})
		c := newClient(t, registry.Options{Base: base, Registries: conf,
			Keychain: credentials.NewKeychain(credentials.KeychainOptions{PullSecrets: []*credentials.PullSecret{secret}, WithoutDefault: true})})
		r := registrytest.NewResolver(t, registrytest.Options{Transport: c})
		_, _ = r.Resolve(t.Context(), "asked.example/a:b")
		_, err := r.Resolve(t.Context(), "r.git.example/a:b")
		switch {
		case want == "" && (err == nil || !strings.HasSuffix(err.Error(), "not found") || len(asked) == 0):
			t.Errorf("%s: %v, asked %v", realm, err, asked)
		case want != "" && (err == nil || !strings.HasSuffix(err.Error(), want) || len(asked) > 0):
			t.Errorf("%s: %v, asked %v", realm, err, asked)
		}
	}
}

// A redirect led to a registry that must not be asked.
func TestRedirectToBlocked(t *testing.T) {
	conf, err := registry.ParseConfig("registries.conf", []byte("[[registry]]\nlocation = \"blocked.example\"\nblocked = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	base := registrytest.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
		resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}
		if r.URL.Host == "blocked.example" {
			t.Errorf("asked %s", r.URL)
		}
		if r.URL.Path != "/v2/" {
			resp.StatusCode = http.StatusTemporaryRedirect
			resp.Header.Set("Location", "https://blocked.example"+r.URL.Path)
		}
		return resp, nil
	})
	c := newClient(t, registry.Options{Base: base, Registries: conf})
	_, err = registrytest.NewResolver(t, registrytest.Options{Transport: c}).Resolve(t.Context(), "r.example/a:b")
	if err == nil || !strings.HasSuffix(err.Error(), `blocked by registries.conf: prefix "blocked.example"`) {
		t.Errorf("got %v", err)
	}
}
