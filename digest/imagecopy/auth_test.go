package imagecopy_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/imagecopy"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
)

// withTokens makes a registry ask for a token that allows what is done. The
// token is the list of what it allows.
func withTokens(d *registrytest.Depot, mayPush string) {
	d.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			var granted []string
			for _, scope := range r.URL.Query()["scope"] {
				if strings.Contains(scope, ":"+mayPush+":") || strings.HasSuffix(scope, ":pull") {
					granted = append(granted, scope)
				}
			}
			json.NewEncoder(w).Encode(map[string]string{"token": base64.RawURLEncoding.EncodeToString([]byte("granted " + strings.Join(granted, " ")))})
			return true
		}
		granted, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if err == nil && allows(string(granted), r) {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+d.Host+`/token",service="depot"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
}

func allows(granted string, r *http.Request) bool {
	for _, part := range []string{"/manifests/", "/blobs/", "/referrers/"} {
		repo, _, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), part)
		if !ok {
			continue
		}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return strings.Contains(granted, "repository:"+repo+":")
		}
		from := r.URL.Query().Get("from")
		mayPush := strings.Contains(granted, "repository:"+repo+":push,pull") || strings.Contains(granted, "repository:"+repo+":pull,push")
		return mayPush && (from == "" || strings.Contains(granted, "repository:"+from+":pull"))
	}
	return false
}

// Each repository has a token of its own, and a mount one for both.
func TestCopyTokens(t *testing.T) {
	d := registrytest.NewDepot(t, true)
	img := registrytest.SampleImage(t, 5000, 3)
	registrytest.Write(t, d.Host+"/dev/cart:v1", img)
	registrytest.Write(t, d.Host+"/dev/cart:"+registrytest.FallbackTag(registrytest.DigestOf(t, img))+".sig", registrytest.Signature(t, "payload", "text"))
	withTokens(d, "prod/cart")
	c := newCopier(t, imagecopy.Options{})
	got, err := c.Copy(t.Context(), d.Host+"/dev/cart:v1", d.Host+"/prod/cart:v1", imagecopy.CopyOptions{})
	if err != nil || got.Mounted.Blobs != 6 || got.Sent.Blobs != 0 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if n := len(d.Requests("GET", "/token")); n > 4 {
		t.Errorf("%d tokens asked for, want one each to read both, to write and to mount", n)
	}
	_, err = c.Copy(t.Context(), d.Host+"/dev/cart:v1", d.Host+"/other/cart:v1", imagecopy.CopyOptions{})
	var e *digest.Error
	if !errors.As(err, &e) || e.Kind != imagecopy.ErrNotWritten || e.Status != http.StatusUnauthorized ||
		!strings.Contains(err.Error(), "denied to push: unauthorized (401): credentials tried: none") {
		t.Errorf("got %v", err)
	}
}
