package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	server "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/digest/registry/cache"
)

// start starts an empty registry in this process.
func start() (host string, stop func()) {
	quiet := log.New(io.Discard, "", 0)
	s := httptest.NewUnstartedServer(server.New(server.Logger(quiet)))
	s.Config.ErrorLog = quiet
	s.Start()
	return strings.TrimPrefix(s.URL, "http://"), s.Close
}

func Example() {
	host, stop := start()
	defer stop()
	at, err := name.NewRepository(host + "/shop/cart")
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	repo := registry.New(registry.Options{}).Repository(at)
	if _, err := repo.PutManifest(ctx, "v1", types.OCIManifestSchema1, []byte("{}")); err != nil {
		log.Fatal(err)
	}
	desc, err := repo.Head(ctx, "v1")
	fmt.Println(desc.Digest, desc.Size, err)
	_, err = repo.Head(ctx, "v9")
	fmt.Println("no v9:", errors.Is(err, registry.ErrNotFound))
	// Output:
	// sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a 2 <nil>
	// no v9: true
}

// A manifest that is in the cache is there without its registry.
func ExampleClient_Cached() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	kept, err := cache.OpenCache(dir, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer kept.Close()
	host, stop := start()
	at, err := name.NewRepository(host + "/shop/cart")
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	repo := registry.New(registry.Options{}).Cached(kept).Repository(at)
	manifest := []byte(`{"schemaVersion":2,"mediaType":"` + types.OCIImageIndex + `","manifests":[]}`)
	if _, err := repo.PutManifest(ctx, "v1", types.OCIImageIndex, manifest); err != nil {
		log.Fatal(err)
	}
	desc, _, err := repo.Manifest(ctx, "v1")
	if err != nil {
		log.Fatal(err)
	}
	stop()
	again, _, err := repo.Manifest(ctx, desc.Digest.String())
	fmt.Println(again.MediaType, err)
	// Output: application/vnd.oci.image.index.v1+json <nil>
}
