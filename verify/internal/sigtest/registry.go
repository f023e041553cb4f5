// Package sigtest has what the tests of verify share: a registry on the loopback
// interface, a whole Sigstore in memory, and the texts of policies.
package sigtest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"google.golang.org/protobuf/encoding/protojson"

	client "github.com/kubepromote/kubepromote/digest/registry"
)

// Signer is a private key and its public half in PEM form.
type Signer struct {
	Key crypto.Signer
	Pem string
}

// NewSigner makes a key of a kind: p256, p384, rsa or ed25519.
func NewSigner(t testing.TB, kind string) Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "rsa":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	Must(t, err)
	return Signer{key, PublicPEM(t, key.Public())}
}

// PublicPEM is a public key in PEM form.
func PublicPEM(t testing.TB, pub crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	Must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// Sign signs a message, or its hash where the key signs no messages.
func (s Signer) Sign(t testing.TB, h crypto.Hash, msg []byte) []byte {
	t.Helper()
	if _, ok := s.Key.(ed25519.PrivateKey); ok {
		sig, err := s.Key.Sign(rand.Reader, msg, crypto.Hash(0))
		Must(t, err)
		return sig
	}
	w := h.New()
	w.Write(msg)
	sig, err := s.Key.Sign(rand.Reader, w.Sum(nil), h)
	Must(t, err)
	return sig
}

// Must ends the test if there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Wire is a registry on the loopback interface. answer may take a request away
// from it; it reports whether it did.
type Wire struct {
	Host     string
	Server   *httptest.Server
	Answer   atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	Requests atomic.Int64
}

// NewWire starts a registry, with the referrers API or without.
func NewWire(t testing.TB, referrers bool) *Wire {
	t.Helper()
	w := &Wire{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(referrers))
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.Requests.Add(1)
		if f := w.Answer.Load(); f != nil && (*f)(rw, r) {
			return
		}
		inner.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.Server.Close)
	w.Host = strings.TrimPrefix(w.Server.URL, "http://")
	return w
}

// On answers the requests whose path contains part.
func (w *Wire) On(part string, f http.HandlerFunc) {
	g := func(rw http.ResponseWriter, r *http.Request) bool {
		hit := strings.Contains(r.URL.Path, part) && r.Method != http.MethodPut && r.Method != http.MethodPost
		if hit {
			f(rw, r)
		}
		return hit
	}
	w.Answer.Store(&g)
}

// Client asks as nobody, and nothing but the loopback interface.
func (w *Wire) Client() *client.Client {
	return client.New(client.Options{Keychain: NoCredentials{}, Base: w.Server.Client().Transport})
}

// Status answers with a status and nothing else.
func Status(code int) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(code) }
}

// LoginFirst answers as a registry that nobody may read from without a name.
func LoginFirst(rw http.ResponseWriter, _ *http.Request) {
	rw.Header().Set("WWW-Authenticate", `Basic realm="test"`)
	rw.WriteHeader(http.StatusUnauthorized)
}

// Repo is where the tests keep their images.
const Repo = "shop/cart"

// Put stores a manifest under a tag, or under its digest where tag is empty.
func (w *Wire) Put(t testing.TB, tag string, mediaType types.MediaType, body []byte) v1.Descriptor {
	t.Helper()
	d := Descriptor(mediaType, body)
	if tag == "" {
		tag = d.Digest.String()
	}
	w.send(t, http.MethodPut, "manifests/"+tag, string(mediaType), body)
	return d
}

// Blob stores a blob.
func (w *Wire) Blob(t testing.TB, mediaType types.MediaType, body []byte) v1.Descriptor {
	t.Helper()
	d := Descriptor(mediaType, body)
	w.send(t, http.MethodPost, "blobs/uploads/?digest="+d.Digest.String(), "application/octet-stream", body)
	return d
}

func (w *Wire) send(t testing.TB, method, path, contentType string, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.Server.URL+"/v2/"+Repo+"/"+path, bytes.NewReader(body))
	Must(t, err)
	req.Header.Set("Content-Type", contentType)
	resp, err := w.Server.Client().Do(req)
	Must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
}

// Descriptor describes content.
func Descriptor(mediaType types.MediaType, body []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Size: int64(len(body)), Digest: HashOf(body)}
}

// HashOf is the digest of content.
func HashOf(b []byte) v1.Hash {
	sum := sha256.Sum256(b)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

// Marshal is a value as JSON.
func Marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	Must(t, err)
	return b
}

// Image pushes an image of its own for each seed.
func (w *Wire) Image(t testing.TB, seed string) v1.Descriptor {
	t.Helper()
	config := w.Blob(t, types.OCIConfigJSON, []byte(`{"architecture":"amd64","os":"linux","author":"`+seed+`"}`))
	return w.Put(t, "", types.OCIManifestSchema1, Marshal(t, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, Layers: []v1.Descriptor{}}))
}

// Ref is the reference of an image by its digest.
func (w *Wire) Ref(d v1.Descriptor) string { return w.Host + "/" + Repo + "@" + d.Digest.String() }

// Claim is the text that cosign signs for a digest.
func Claim(digest v1.Hash) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":"example.com/elsewhere"},`+
		`"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, digest)
}

// Layer is a signed text with its annotations, ready for a signature tag.
func (w *Wire) Layer(t testing.TB, s Signer, payload []byte) v1.Descriptor {
	t.Helper()
	d := w.Blob(t, "application/vnd.dev.cosign.simplesigning.v1+json", payload)
	d.Annotations = map[string]string{"dev.cosignproject.cosign/signature": SignText(t, s, payload)}
	return d
}

// SignText is the signature of a text as cosign has it in an annotation.
func SignText(t testing.TB, s Signer, payload []byte) string {
	t.Helper()
	return base64.StdEncoding.EncodeToString(s.Sign(t, crypto.SHA256, payload))
}

// Tag puts layers under the signature tag of an image.
func (w *Wire) Tag(t testing.TB, image v1.Descriptor, layers ...v1.Descriptor) {
	t.Helper()
	w.Put(t, "sha256-"+image.Digest.Hex+".sig", types.OCIManifestSchema1, Marshal(t, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: w.Blob(t, types.OCIConfigJSON, []byte("{}")), Layers: layers}))
}

// Statement is a statement about a digest with an empty predicate.
func Statement(subject v1.Hash, predicateType string) []byte {
	return fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],`+
		`"predicateType":%q,"predicate":{}}`, subject.Hex, predicateType)
}

func publicKeyMaterial() *protobundle.VerificationMaterial {
	return &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_PublicKey{
		PublicKey: &protocommon.PublicKeyIdentifier{Hint: "whatever"}}}
}

// DsseBundle signs a statement.
func DsseBundle(t testing.TB, s Signer, h crypto.Hash, payload []byte) *protobundle.Bundle {
	t.Helper()
	const payloadType = "application/vnd.in-toto+json"
	pae := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
	return &protobundle.Bundle{
		MediaType:            "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: publicKeyMaterial(),
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: payload, PayloadType: payloadType,
			Signatures: []*protodsse.Signature{{Sig: s.Sign(t, h, pae)}}}},
	}
}

// MessageBundle signs bytes themselves.
func MessageBundle(t testing.TB, s Signer, message []byte) *protobundle.Bundle {
	t.Helper()
	sum := sha256.Sum256(message)
	return &protobundle.Bundle{
		MediaType:            "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: publicKeyMaterial(),
		Content: &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
			MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: sum[:]},
			Signature:     s.Sign(t, crypto.SHA256, message)}},
	}
}

// BundleJSON is a bundle as it is stored.
func BundleJSON(t testing.TB, b *protobundle.Bundle) []byte {
	t.Helper()
	data, err := protojson.Marshal(b)
	Must(t, err)
	return data
}

// BundleV03 is the media type of the newest bundles.
const BundleV03 = "application/vnd.dev.sigstore.bundle.v0.3+json"

// Attach makes a bundle refer to an image, for registries with the referrers API.
func (w *Wire) Attach(t testing.TB, image v1.Descriptor, data []byte) v1.Descriptor {
	t.Helper()
	return w.Put(t, "", types.OCIManifestSchema1, Marshal(t, map[string]any{
		"schemaVersion": 2,
		"mediaType":     types.OCIManifestSchema1,
		"artifactType":  BundleV03,
		"config":        w.Blob(t, "application/vnd.oci.empty.v1+json", []byte("{}")),
		"layers":        []v1.Descriptor{w.Blob(t, BundleV03, data)},
		"subject":       image,
	}))
}

// Index lists referrers under the fallback tag, for the others.
func (w *Wire) Index(t testing.TB, image v1.Descriptor, list ...v1.Descriptor) {
	t.Helper()
	w.Put(t, "sha256-"+image.Digest.Hex, types.OCIImageIndex, Marshal(t, v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: list}))
}

// NoCredentials keeps the tests away from the files of whoever runs them.
type NoCredentials struct{}

// Resolve implements [authn.Keychain].
func (NoCredentials) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.Anonymous, nil
}

// FailingKeychain is for what must not look up credentials.
type FailingKeychain struct{ T *testing.T }

// Resolve implements [authn.Keychain].
func (k FailingKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	k.T.Error("credentials were looked up")
	return authn.Anonymous, nil
}
