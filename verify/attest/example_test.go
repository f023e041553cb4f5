package attest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubepromote/kubepromote/verify/attest"
	"github.com/kubepromote/kubepromote/verify/internal/condition"
)

// What staging says about an image, and what production asks.
func ExampleNewVSA() {
	const digest = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	statement, err := attest.NewVSA(attest.VSA{
		Image:       "registry.example.com/shop/cart@" + digest,
		Verifier:    "https://ci.example.com/promoter",
		Time:        time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC),
		Policy:      attest.Resource{URI: "git+https://git.example.com/infra#kubepromote.yaml"},
		Passed:      true,
		Environment: "staging",
		Gates:       []attest.GateVerdict{{Gate: "soak", Verdict: "pass", Reason: "healthy for 10m"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(statement.PredicateType())
	fmt.Println(condition.CheckPromotion(statement, condition.PromotionWant{Digest: digest, Environment: "staging"}))
	fmt.Println(condition.CheckPromotion(statement, condition.PromotionWant{Digest: digest, Environment: "staging", Gates: []string{"smoke"}}))
	// Output:
	// https://slsa.dev/verification_summary/v1
	// <nil>
	// gate "smoke" did not pass
}

// An approval is signed with a key and stored beside the image.
func ExampleSigner_Attest() {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	repository := strings.TrimPrefix(server.URL, "http://") + "/shop/cart"
	tag, err := name.NewTag(repository + ":1.4.0")
	if err != nil {
		log.Fatal(err)
	}
	if err := remote.Write(tag, empty.Image); err != nil {
		log.Fatal(err)
	}
	digest, err := empty.Image.Digest()
	if err != nil {
		log.Fatal(err)
	}
	image := repository + "@" + digest.String()

	signer, err := attest.NewKeySigner(privateKey(), nil)
	if err != nil {
		log.Fatal(err)
	}
	approval, err := attest.NewApproval(attest.Approval{
		Image: image, Environment: "production", Note: "release 1.4", Time: time.Now(),
	})
	if err != nil {
		log.Fatal(err)
	}
	bundle, err := signer.Attest(context.Background(), approval)
	if err != nil {
		log.Fatal(err)
	}
	storer := attest.NewStorer(attest.StoreOptions{})
	for range 2 {
		stored, err := storer.Store(context.Background(), image, bundle)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("written:", stored.Written)
	}
	var parts struct{ MediaType string }
	if err := json.Unmarshal(bundle, &parts); err != nil {
		log.Fatal(err)
	}
	fmt.Println(parts.MediaType)
	// Output:
	// written: true
	// written: false
	// application/vnd.dev.sigstore.bundle.v0.3+json
}

// privateKey makes a key; a real one comes from a file.
func privateKey() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		log.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
