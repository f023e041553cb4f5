package imagecopy_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubepromote/kubepromote/digest/imagecopy"
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
