package imagecopy_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubepromote/kubepromote/digest/imagecopy"
	registrycache "github.com/kubepromote/kubepromote/digest/registry/cache"
)

func ExampleCopier_Copy() {
	// Two registries in this process, one with an image.
	quiet := log.New(io.Discard, "", 0)
	start := func() (host string, stop func()) {
		server := httptest.NewUnstartedServer(registry.New(registry.Logger(quiet)))
		server.Config.ErrorLog = quiet
		server.Start()
		return strings.TrimPrefix(server.URL, "http://"), server.Close
	}
	dev, stop := start()
	defer stop()
	prod, stop := start()
	defer stop()
	ref, err := name.ParseReference(dev + "/shop/cart:v1")
	if err != nil {
		log.Fatal(err)
	}
	if err := remote.Write(ref, empty.Image); err != nil {
		log.Fatal(err)
	}

	c := imagecopy.New(imagecopy.Options{})
	ctx := context.Background()
	for range 2 {
		res, err := c.Copy(ctx, dev+"/shop/cart:v1", prod+"/shop/cart:v1", imagecopy.CopyOptions{})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(res.Digest[:20], "sent", res.Sent.Manifests, "there before", res.Present.Manifests)
	}
	// Output:
	// sha256:732112270d7e5 sent 1 there before 0
	// sha256:732112270d7e5 sent 0 there before 1
}

func ExampleOpenCache() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	cache, err := registrycache.OpenCache(dir, 64<<20)
	if err != nil {
		log.Fatal(err)
	}
	defer cache.Close()

	const hello = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	fmt.Println(cache.Put(hello, []byte("hello")))
	fmt.Println(cache.Put(hello, []byte("forged")) != nil)
	content, ok := cache.Get(hello)
	fmt.Println(string(content), ok)
	// Output:
	// <nil>
	// true
	// hello true
}

func ExampleCacheTransport() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	cache, err := registrycache.OpenCache(dir, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer cache.Close()

	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		io.WriteString(w, "hello")
	}))
	defer server.Close()
	client := &http.Client{Transport: &registrycache.CacheTransport{Cache: cache}}
	for range 3 {
		resp, err := client.Get(server.URL + "/v2/shop/cart/blobs/sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
		if err != nil {
			log.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
	}
	fmt.Println("asked", asked, "time")
	// Output: asked 1 time
}
