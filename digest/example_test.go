package digest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/kubepromote/kubepromote/digest"
)

func ExampleResolver_Resolve() {
	// A registry in this process, with one image manifest under one tag.
	quiet := log.New(io.Discard, "", 0)
	server := httptest.NewUnstartedServer(registry.New(registry.Logger(quiet)))
	server.Config.ErrorLog = quiet
	server.Start()
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	req, err := http.NewRequest(http.MethodPut, server.URL+"/v2/shop/cart/manifests/v1", strings.NewReader(`{"schemaVersion":2,"layers":[]}`))
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	if _, err := http.DefaultClient.Do(req); err != nil {
		log.Fatal(err)
	}

	r := digest.NewResolver(digest.Options{})
	res, err := r.Resolve(context.Background(), host+"/shop/cart:v1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Tag, "is", res.Digest)

	_, err = r.Resolve(context.Background(), host+"/shop/cart:v9")
	fmt.Println("no v9:", errors.Is(err, digest.ErrNotFound))
	// Output:
	// v1 is sha256:6ece6defe7067e1c5455a7720c1189ad30f7f8efe78587bd7c06e64a80fe7770
	// no v9: true
}

func ExampleParseReference() {
	ref, err := digest.ParseReference("registry.example.com/shop/cart:v1")
	fmt.Println(ref.Registry(), ref.Path(), ref.Tag, err)
	_, err = digest.ParseReference("shop/cart:v1+2")
	fmt.Println(err)
	// Output:
	// registry.example.com shop/cart v1 <nil>
	// reference "shop/cart:v1+2": byte 13: character "+" in the tag
}
