package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/e2e/internal/proxy"
)

// copied is what a copy says that it did.
type copied struct {
	Digest        string
	Sent, Present struct{ Blobs, Manifests int }
}

func (s *shell) copy(from, to string) copied {
	s.Helper()
	var c copied
	if err := json.Unmarshal([]byte(s.run("kubectl-promote", "copy", from, to, "-o", "json")), &c); err != nil {
		s.Fatal(err)
	}
	return c
}

// A copy that is interrupted in the middle leaves no image behind. Repeated, it
// sends only what is missing; once more, nothing.
func TestInterruptedCopy(t *testing.T) {
	const layers, before = 8, 2 // so many blobs arrive before the interruption
	from, to := startRegistry(t), startRegistry(t)
	way := proxy.Start(to.Host, delay)
	t.Cleanup(way.Stop)
	s := newShell(t, t.TempDir())
	source, target := from.Host+"/shop/cart:v1", way.Host+"/shop/cart:v1"
	args := []string{"append", "--oci-empty-base", "--new_tag", source}
	for n := range layers {
		layer := filepath.Join(s.dir, strconv.Itoa(n)+".tar")
		if err := writeLayer(layer, "layer "+strconv.Itoa(n)); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--new_layer", layer)
	}
	s.run("crane", args...)

	turns := make(chan struct{}, before) // one for each blob that may pass
	for range before {
		turns <- struct{}{}
	}
	passed, stuck := make(chan struct{}, before), make(chan struct{}, 100)
	way.Break(func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/blobs/uploads/") {
			pass.ServeHTTP(w, r)
			return
		}
		select {
		case <-turns:
			pass.ServeHTTP(w, r)
			passed <- struct{}{}
		default:
			stuck <- struct{}{}
			<-r.Context().Done()
		}
	})
	cmd := s.start("kubectl-promote", "copy", source, target)
	for range before {
		<-passed
	}
	<-stuck
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	interrupted := time.Now()
	err := cmd.Wait()
	if took := time.Since(interrupted); err == nil || took > 10*time.Second {
		t.Errorf("ended with %v after %s", err, took)
	}
	way.Break(nil)
	if status, _, _ := s.try("crane", "digest", target); status == 0 {
		t.Error("the interrupted copy has left an image behind")
	}

	way.Reset()
	again := s.copy(source, target)
	if again.Sent.Blobs > layers+1-before || again.Present.Blobs < before || again.Sent.Blobs+again.Present.Blobs != layers+1 {
		t.Errorf("of %d blobs, of which %d had arrived, %d were sent again and %d were there", layers+1, before, again.Sent.Blobs, again.Present.Blobs)
	}
	if want := strings.TrimSpace(s.run("crane", "digest", source)); again.Digest != want || strings.TrimSpace(s.run("crane", "digest", target)) != want {
		t.Errorf("copied %s, want %s", again.Digest, want)
	}
	s.run("crane", "validate", "--remote", target)
	t.Logf("interrupted after %d of %d blobs; repeated, %d were sent", before, layers+1, again.Sent.Blobs)

	way.Reset()
	if last := s.copy(source, target); last.Sent.Blobs+last.Sent.Manifests != 0 || way.Count("PUT manifests")+way.Count("PUT blobs") != 0 {
		t.Errorf("the copy of what is there sends %+v", last.Sent)
	}
}
