package imagecopy_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/imagecopy"
	"github.com/kubepromote/kubepromote/digest/internal/registrytest"
)

// What fails for the moment is repeated, and counts once.
func TestCopyRepeats(t *testing.T) {
	for name, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"upload 503":   onMethod(http.MethodPatch, "", 1, 2, registrytest.Status(503, "Retry-After", "0")),
		"upload reset": onMethod(http.MethodPatch, "", 1, 1, registrytest.Reset),
		"half read": onMethod(http.MethodPatch, "", 1, 1, func(w http.ResponseWriter, r *http.Request) {
			io.CopyN(io.Discard, r.Body, 5000)
			registrytest.Reset(w, r)
		}),
		"start 500":    onMethod(http.MethodPost, "", 1, 2, registrytest.Status(500)),
		"commit 502":   onMethod(http.MethodPut, "/blobs/", 1, 2, registrytest.Status(502)),
		"manifest 429": onMethod(http.MethodPut, "/manifests/", 1, 2, registrytest.Status(429)),
		"head 500":     onMethod(http.MethodHead, "/blobs/", 1, 2, registrytest.Status(500)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
			img := registrytest.SampleImage(t, 100_000, 1)
			registrytest.Write(t, src.Host+"/a:v1", img)
			dst.SetFault(fault)
			var last imagecopy.Event
			c := newCopier(t, imagecopy.Options{Concurrency: 1, Progress: func(e imagecopy.Event) { last = e }})
			got, err := c.Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
			if err != nil || got.Sent.Blobs != 2 || last.Done != last.Total || last.Total != got.Sent.Bytes {
				t.Errorf("got %+v, %v, at the end %+v", got, err, last)
			}
		})
	}
}

// What fails for good is asked three times, and not three times by each of two
// that repeat.
func TestCopyAsksThreeTimes(t *testing.T) {
	for name, tt := range map[string]struct {
		fromSource   bool
		method, path string
		also         string // the method that each try starts with, if it is a step that is repeated
	}{
		"source manifest": {true, http.MethodGet, "/manifests/", ""},
		"signatures":      {true, http.MethodHead, ".sig", ""},
		"referrers":       {true, http.MethodGet, "/referrers/", ""},
		"source blob":     {true, http.MethodGet, "/blobs/", ""},
		"manifest":        {false, http.MethodHead, "/manifests/", ""},
		"blob":            {false, http.MethodHead, "/blobs/", ""},
		"start":           {false, http.MethodPost, "/blobs/", ""},
		"bytes":           {false, http.MethodPatch, "", http.MethodPost},
		"commit":          {false, http.MethodPut, "/blobs/", ""},
		"put":             {false, http.MethodPut, "/manifests/", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
			img := registrytest.SampleImage(t, 1000, 0) // its configuration is the only blob
			registrytest.Write(t, src.Host+"/a:v1", img)
			var asked atomic.Int32
			fault := onMethod(tt.method, tt.path, 1, 0, func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			if tt.fromSource {
				src.SetFault(fault)
			} else {
				dst.SetFault(fault)
			}
			_, err := newCopier(t, imagecopy.Options{Concurrency: 1}).Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
			var e *digest.Error
			if !errors.As(err, &e) || e.Status != http.StatusServiceUnavailable {
				t.Errorf("got %v", err)
			}
			if n := asked.Load(); n != 3 {
				t.Errorf("asked %d times, want 3", n)
			}
			if n := len(dst.Requests(tt.also, "")); tt.also != "" && n != 3 {
				t.Errorf("%d steps started, want 3", n)
			}
		})
	}
}

// A registry that asks for time is given it, also where the bytes of a blob are
// what is sent again.
func TestCopyRetryAfter(t *testing.T) {
	for name, method := range map[string]string{"bytes": http.MethodPatch, "start": http.MethodPost} {
		for _, code := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			t.Run(fmt.Sprint(name, " ", code), func(t *testing.T) {
				t.Parallel()
				src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
				registrytest.Write(t, src.Host+"/a:v1", registrytest.SampleImage(t, 1000, 0))
				dst.SetFault(onMethod(method, "", 1, 1, registrytest.Status(code, "Retry-After", "1")))
				start := time.Now()
				_, err := newCopier(t, imagecopy.Options{}).Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
				if took := time.Since(start); err != nil || took < 900*time.Millisecond {
					t.Errorf("%v after %v", err, took)
				}
				// Longer than the Copier waits: it says so at once.
				dst, long := registrytest.NewDepot(t, true), onMethod(method, "", 1, 0, registrytest.Status(code, "Retry-After", "50"))
				dst.SetFault(long)
				c := newCopier(t, imagecopy.Options{Timeout: 20 * time.Second})
				start = time.Now()
				_, err = c.Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
				var e *digest.Error
				if took := time.Since(start); !errors.As(err, &e) || e.Status != code || took > 15*time.Second {
					t.Errorf("%v after %v", err, took)
				}
			})
		}
	}
}

// A commit whose answer is lost is sent again and finds no upload: the copy sees
// that the blob has arrived.
func TestCopyCommitLost(t *testing.T) {
	src, dst := registrytest.NewDepot(t, true), registrytest.NewDepot(t, true)
	registrytest.Write(t, src.Host+"/a:v1", registrytest.SampleImage(t, 1000, 1))
	var commits atomic.Int32
	dst.SetFault(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		switch commits.Add(1) {
		case 1:
			dst.Handler.ServeHTTP(httptest.NewRecorder(), r)
			registrytest.Reset(w, r)
			return true
		case 2:
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	})
	got, err := newCopier(t, imagecopy.Options{Concurrency: 1}).Copy(t.Context(), src.Host+"/a:v1", dst.Host+"/a:v1", imagecopy.CopyOptions{})
	if err != nil || got.Present.Blobs != 1 || got.Sent.Blobs != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}
