package attest

import (
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
)

// Artifactory answers 403 for a manifest or tag that it does not have: nothing could
// be stored there. The PUT decides, and for a tag the list of tags.
func TestStoreWhereMissingIsForbidden(t *testing.T) {
	key := sigtest.NewSigner(t, "p256")
	for name, c := range map[string]struct {
		referrers, legacy bool
		listed            bool // the list of tags has the tag that may not be read
		refused           bool
	}{
		"referrers":        {referrers: true},
		"list":             {},
		"legacy":           {legacy: true},
		"list of others":   {listed: true, refused: true},
		"legacy of others": {legacy: true, listed: true, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := sigtest.NewWire(t, c.referrers)
			image := w.Image(t, "a")
			data := attested(t, w, image, key, "staging")
			var mu sync.Mutex
			known := map[string]bool{image.Digest.String(): true}
			f := func(rw http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				id := path.Base(r.URL.Path)
				switch {
				case strings.HasSuffix(r.URL.Path, "/tags/list") && c.listed:
					tag := image.Digest.Algorithm + "-" + image.Digest.Hex
					_, _ = rw.Write([]byte(`{"name":"x","tags":["` + tag + `","` + tag + `.att"]}`))
					return true
				case !strings.Contains(r.URL.Path, "/manifests/"):
					return false
				case r.Method == http.MethodPut:
					known[id] = true
					return false
				case known[id]:
					return false
				}
				rw.WriteHeader(http.StatusForbidden)
				return true
			}
			w.Answer.Store(&f)
			_, err := newStorer(w, StoreOptions{Legacy: c.legacy}).Store(t.Context(), w.Ref(image), data)
			if (err != nil) != c.refused {
				t.Errorf("got %v", err)
			}
		})
	}
}
