package main

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/kubepromote/kubepromote/digest"
)

func TestRun(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/v2/shop/cart/manifests/v1", strings.NewReader(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kustomization.yaml")
	text := "kind: Kustomization\nimages:\n- name: cart # ours\n  newName: " + server.Listener.Addr().String() + "/shop/cart\n  newTag: v1\n"
	for _, c := range []struct {
		tag  string
		fail error
	}{{"v1", nil}, {"v2", digest.ErrNotFound}} {
		if err := os.WriteFile(file, []byte(strings.Replace(text, "newTag: v1", "newTag: "+c.tag, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := run(t.Context(), file, &out); !errors.Is(err, c.fail) {
			t.Fatalf("%s: %v, want %v", c.tag, err, c.fail)
		}
		const line = "+  digest: sha256:b0ff67b72a1d087090ad4fe635c35ad2752dd27d26f9435bb7877f40ecdc0bc3\n"
		if strings.Contains(out.String(), line) != (c.fail == nil) || strings.Count(out.String(), "\n+") > 2 {
			t.Errorf("%s: prints\n%s", c.tag, out.String())
		}
	}
}
