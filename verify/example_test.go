package verify_test

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

	"github.com/kubepromote/kubepromote/verify"
)

const policy = `
apiVersion: kubepromote.dev/v1alpha1
kind: VerificationPolicy
spec:
  unmatched: reject
  rules:
    - images: ["**/shop/*"]
      authorities:
        - name: release
          key:
            data: |
              -----BEGIN PUBLIC KEY-----
              MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfPibS3dXKbxU9GIWJJueJ8DwPeyV
              yaxYshiU2B6kLUNXgL0i+jgMakbwKNQaBZCskapd7a9HxAulVm2vg3QFWw==
              -----END PUBLIC KEY-----
`

// An image that nobody has signed, and one that the policy does not know.
func Example() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	ref, err := name.ParseReference(host + "/shop/cart:1.4.0")
	if err != nil {
		log.Fatal(err)
	}
	if err := remote.Write(ref, empty.Image); err != nil {
		log.Fatal(err)
	}
	digest, err := empty.Image.Digest()
	if err != nil {
		log.Fatal(err)
	}

	p, err := verify.ParsePolicy("policy.yaml", []byte(policy), nil)
	if err != nil {
		log.Fatal(err)
	}
	v := verify.New(verify.Options{})
	for _, r := range v.Verify(context.Background(), p,
		host+"/shop/cart@"+digest.String(),
		host+"/tools/cart@"+digest.String()) {
		fmt.Printf("%s: %s\n", r.Outcome, r.Reason)
	}
	// Output:
	// rejected: no signature found
	// rejected: no rule of the policy matches
}
