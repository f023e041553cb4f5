package attest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/source"
)

// A registry that answers in odd ways gets an error out of Store and never a
// bundle that counts as stored.
func TestStoreHostile(t *testing.T) {
	key := sigtest.NewSigner(t, "p256")
	place := func(location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusAccepted)
		}
	}
	index := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			fmt.Fprint(w, body)
		}
	}
	huge := strings.Repeat(`{"digest":"sha256:`+sigtest.SomeHex+`"},`, source.MaxManifestSize/80)
	for name, c := range map[string]struct {
		method, part string
		answer       http.HandlerFunc
		want         string
	}{
		"image of other bytes": {"GET", "/manifests/sha256:", index("{}"), "answered with another digest"},
		"no location":          {"POST", "/blobs/uploads/", place(""), "without a place to upload to"},
		"bad location":         {"POST", "/blobs/uploads/", place("http://[::1"), "points to a URL that cannot be read"},
		"location inside":      {"POST", "/blobs/uploads/", place("http://169.254.169.254/x"), "metadata address: not asked"},
		"other scheme":         {"POST", "/blobs/uploads/", place("file:///etc/passwd"), "points to a URL that is not https"},
		"upload taken as done": {"POST", "/blobs/uploads/", sigtest.Status(http.StatusOK), "unexpected answer (200)"},
		"manifest not created": {"PUT", "/manifests/", sigtest.Status(http.StatusNoContent), "unexpected answer (204)"},
		"list of another kind": {"GET", "/manifests/sha256-", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
			fmt.Fprint(w, "{}")
		}, "answered with something else than a manifest"},
		"list of text":       {"GET", "/manifests/sha256-", index("[1]"), "answered with something else than a manifest"},
		"list of one":        {"GET", "/manifests/sha256-", index(`{"manifests":{}}`), "no valid image index"},
		"list of bad entry":  {"GET", "/manifests/sha256-", index(`{"manifests":[{"digest":7}]}`), "no valid image index"},
		"list too long":      {"GET", "/manifests/sha256-", index(`{"manifests":[` + huge + `{}]}` + strings.Repeat(" ", source.MaxManifestSize)), "more than 4 MiB"},
		"list that is empty": {"GET", "/manifests/sha256-", index(`{"manifests":[]}`), "others keep changing the same tag"},
		"referrers as text":  {"GET", "/referrers/", index("x"), "cannot read the referrers"},
		"redirect inside": {"GET", "/referrers/", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/x", http.StatusTemporaryRedirect)
		}, "metadata address: not asked"},
	} {
		t.Run(name, func(t *testing.T) {
			w := sigtest.NewWire(t, false)
			image := w.Image(t, "a")
			data := attested(t, w, image, key, "staging")
			f := func(rw http.ResponseWriter, r *http.Request) bool {
				hit := r.Method == c.method && strings.Contains(r.URL.Path, c.part)
				if hit {
					c.answer(rw, r)
				}
				return hit
			}
			w.Answer.Store(&f)
			_, err := newStorer(w, StoreOptions{}).Store(t.Context(), w.Ref(image), data)
			if _, ok := errors.AsType[*StoreError](err); !ok || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
}

// The older form refuses what it cannot keep in order.
func TestStoreLegacyHostile(t *testing.T) {
	key := sigtest.NewSigner(t, "p256")
	for name, c := range map[string]struct {
		mediaType types.MediaType
		manifest  string
		want      string
	}{
		"index":      {types.OCIImageIndex, `{"schemaVersion":2,"manifests":[]}`, "no image manifest"},
		"text":       {types.OCIManifestSchema1, `"x"`, "cannot read"},
		"no config":  {types.OCIManifestSchema1, `{"schemaVersion":2,"layers":[]}`, "cannot read"},
		"odd config": {types.OCIManifestSchema1, `{"schemaVersion":2,"config":CONFIG,"layers":[CONFIG]}`, "its config does not fit its layers"},
	} {
		t.Run(name, func(t *testing.T) {
			w := sigtest.NewWire(t, true)
			image := w.Image(t, "a")
			config := string(sigtest.Marshal(t, w.Blob(t, types.OCIConfigJSON, []byte("{}"))))
			w.On("/manifests/sha256-", func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", string(c.mediaType))
				fmt.Fprint(rw, strings.ReplaceAll(c.manifest, "CONFIG", config))
			})
			_, err := newStorer(w, StoreOptions{Legacy: true}).Store(t.Context(), w.Ref(image), attested(t, w, image, key, "staging"))
			if _, ok := errors.AsType[*StoreError](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Error(err)
			}
		})
	}
}
