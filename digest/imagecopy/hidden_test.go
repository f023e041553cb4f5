package imagecopy_test

import (
	"errors"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/imagecopy"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
)

// hiding answers 403 for manifests that it does not have, as Artifactory does.
func hiding(has ...string) func(http.ResponseWriter, *http.Request) bool {
	var mu sync.Mutex
	known := map[string]bool{}
	for _, id := range has {
		known[id] = true
	}
	return func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		id := path.Base(r.URL.Path)
		if !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		if r.Method == http.MethodPut {
			known[id] = true
			return false
		}
		if !known[id] {
			w.WriteHeader(http.StatusForbidden)
		}
		return !known[id]
	}
}

// A registry that answers 403 for what it does not have: as the source, nobody knows
// what is attached, and what may help is advised; as the destination, the PUT decides.
func TestCopyWhereMissingIsForbidden(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	img := registrytest.SampleImage(t, 100, 1)
	dgst := registrytest.DigestOf(t, img)
	registrytest.Write(t, src.Host+"/a:v1", img)
	tag := registrytest.FallbackTag(dgst) + ".sig"
	registrytest.Write(t, src.Host+"/a:"+tag, registrytest.Sign(t, registrytest.Signature(t, "payload", "ours"), "payload", "ours"))
	c := newCopier(t, imagecopy.Options{})
	dst.SetFault(hiding())
	if _, err := c.Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{}); err != nil {
		t.Errorf("to it: %v", err)
	}
	src.SetFault(hiding("v1", dgst))
	_, err := c.Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/b:v1", imagecopy.CopyOptions{})
	var e *digest.Error
	if !errors.As(err, &e) || !errors.Is(err, digest.ErrUnknown) {
		t.Fatalf("from it: %v", err)
	}
	if do, _ := e.AdviceData(); do != imagecopy.DoWithoutSignatures {
		t.Errorf("%v: advice %q", err, do)
	}
	if _, err := c.Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/b:v1", imagecopy.CopyOptions{WithoutSignatures: true}); err != nil {
		t.Errorf("without signatures: %v", err)
	}
}
