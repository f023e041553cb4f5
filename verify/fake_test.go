package verify

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
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"google.golang.org/protobuf/encoding/protojson"
)

// signer is a private key and its public half in PEM form.
type signer struct {
	key crypto.Signer
	pem string
}

func newSigner(t testing.TB, kind string) signer {
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
	must(t, err)
	return signer{key, publicPEM(t, key.Public())}
}

func publicPEM(t testing.TB, pub crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func (s signer) sign(t testing.TB, h crypto.Hash, msg []byte) []byte {
	t.Helper()
	if _, ok := s.key.(ed25519.PrivateKey); ok {
		sig, err := s.key.Sign(rand.Reader, msg, crypto.Hash(0))
		must(t, err)
		return sig
	}
	w := h.New()
	w.Write(msg)
	sig, err := s.key.Sign(rand.Reader, w.Sum(nil), h)
	must(t, err)
	return sig
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wire is a registry on the loopback interface. answer may take a request away
// from it; it reports whether it did.
type wire struct {
	host     string
	server   *httptest.Server
	answer   atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	requests atomic.Int64
}

func newWire(t testing.TB, referrers bool) *wire {
	t.Helper()
	w := &wire{}
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(referrers))
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.requests.Add(1)
		if f := w.answer.Load(); f != nil && (*f)(rw, r) {
			return
		}
		inner.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.server.Close)
	w.host = strings.TrimPrefix(w.server.URL, "http://")
	return w
}

// on answers the requests whose path contains part.
func (w *wire) on(part string, f http.HandlerFunc) {
	g := func(rw http.ResponseWriter, r *http.Request) bool {
		hit := strings.Contains(r.URL.Path, part) && r.Method != http.MethodPut && r.Method != http.MethodPost
		if hit {
			f(rw, r)
		}
		return hit
	}
	w.answer.Store(&g)
}

func status(code int) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(code) }
}

// repo is where the tests keep their images.
const repo = "shop/cart"

func (w *wire) put(t testing.TB, tag string, mediaType types.MediaType, body []byte) v1.Descriptor {
	t.Helper()
	d := descriptor(mediaType, body)
	if tag == "" {
		tag = d.Digest.String()
	}
	w.send(t, http.MethodPut, "manifests/"+tag, string(mediaType), body)
	return d
}

func (w *wire) blob(t testing.TB, mediaType types.MediaType, body []byte) v1.Descriptor {
	t.Helper()
	d := descriptor(mediaType, body)
	w.send(t, http.MethodPost, "blobs/uploads/?digest="+d.Digest.String(), "application/octet-stream", body)
	return d
}

func (w *wire) send(t testing.TB, method, path, contentType string, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.server.URL+"/v2/"+repo+"/"+path, bytes.NewReader(body))
	must(t, err)
	req.Header.Set("Content-Type", contentType)
	resp, err := w.server.Client().Do(req)
	must(t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
}

func descriptor(mediaType types.MediaType, body []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Size: int64(len(body)), Digest: hashOf(body)}
}

func hashOf(b []byte) v1.Hash {
	sum := sha256.Sum256(b)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	must(t, err)
	return b
}

// image pushes an image of its own for each seed.
func (w *wire) image(t testing.TB, seed string) v1.Descriptor {
	t.Helper()
	config := w.blob(t, types.OCIConfigJSON, []byte(`{"architecture":"amd64","os":"linux","author":"`+seed+`"}`))
	return w.put(t, "", types.OCIManifestSchema1, marshal(t, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config, Layers: []v1.Descriptor{}}))
}

func (w *wire) ref(d v1.Descriptor) string { return w.host + "/" + repo + "@" + d.Digest.String() }

// claim is the text that cosign signs for a digest.
func claim(digest v1.Hash) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":"example.com/elsewhere"},`+
		`"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, digest)
}

// layer is a signed text with its annotations, ready for a signature tag.
func (w *wire) layer(t testing.TB, s signer, payload []byte) v1.Descriptor {
	t.Helper()
	d := w.blob(t, simpleSigning, payload)
	d.Annotations = map[string]string{signatureAnnotation: signText(t, s, payload)}
	return d
}

func signText(t testing.TB, s signer, payload []byte) string {
	t.Helper()
	return base64.StdEncoding.EncodeToString(s.sign(t, crypto.SHA256, payload))
}

// tag puts layers under the signature tag of an image.
func (w *wire) tag(t testing.TB, image v1.Descriptor, layers ...v1.Descriptor) {
	t.Helper()
	w.put(t, "sha256-"+image.Digest.Hex+".sig", types.OCIManifestSchema1, marshal(t, v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: w.blob(t, types.OCIConfigJSON, []byte("{}")), Layers: layers}))
}

func statement(subject v1.Hash, predicateType string) []byte {
	return fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],`+
		`"predicateType":%q,"predicate":{}}`, subject.Hex, predicateType)
}

func publicKeyMaterial() *protobundle.VerificationMaterial {
	return &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_PublicKey{
		PublicKey: &protocommon.PublicKeyIdentifier{Hint: "whatever"}}}
}

// dsseBundle signs a statement.
func dsseBundle(t testing.TB, s signer, h crypto.Hash, payload []byte) *protobundle.Bundle {
	t.Helper()
	const payloadType = "application/vnd.in-toto+json"
	pae := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
	return &protobundle.Bundle{
		MediaType:            "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: publicKeyMaterial(),
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: payload, PayloadType: payloadType,
			Signatures: []*protodsse.Signature{{Sig: s.sign(t, h, pae)}}}},
	}
}

// messageBundle signs bytes themselves.
func messageBundle(t testing.TB, s signer, message []byte) *protobundle.Bundle {
	t.Helper()
	sum := sha256.Sum256(message)
	return &protobundle.Bundle{
		MediaType:            "application/vnd.dev.sigstore.bundle.v0.3+json",
		VerificationMaterial: publicKeyMaterial(),
		Content: &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
			MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: sum[:]},
			Signature:     s.sign(t, crypto.SHA256, message)}},
	}
}

func bundleJSON(t testing.TB, b *protobundle.Bundle) []byte {
	t.Helper()
	data, err := protojson.Marshal(b)
	must(t, err)
	return data
}

const bundleV03 = "application/vnd.dev.sigstore.bundle.v0.3+json"

// attach makes a bundle refer to an image, for registries with the referrers API.
func (w *wire) attach(t testing.TB, image v1.Descriptor, data []byte) v1.Descriptor {
	t.Helper()
	return w.put(t, "", types.OCIManifestSchema1, marshal(t, map[string]any{
		"schemaVersion": 2,
		"mediaType":     types.OCIManifestSchema1,
		"artifactType":  bundleV03,
		"config":        w.blob(t, emptyConfigType, []byte("{}")),
		"layers":        []v1.Descriptor{w.blob(t, bundleV03, data)},
		"subject":       image,
	}))
}

// index lists referrers under the fallback tag, for the others.
func (w *wire) index(t testing.TB, image v1.Descriptor, list ...v1.Descriptor) {
	t.Helper()
	w.put(t, "sha256-"+image.Digest.Hex, types.OCIImageIndex, marshal(t, v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: list}))
}

// policyFor has one rule, with an authority for each name and key.
func policyFor(t testing.TB, authorities ...string) *Policy {
	t.Helper()
	p, err := ParsePolicy("policy.yaml", policyText(authorities...), nil)
	must(t, err)
	return p
}

func policyText(authorities ...string) []byte {
	var b strings.Builder
	b.WriteString("apiVersion: kubepromote.dev/v1alpha1\nkind: VerificationPolicy\nspec:\n" +
		"  unmatched: reject\n  rules:\n  - images: ['**/shop/*']\n    authorities:\n")
	for i := 0; i < len(authorities); i += 2 {
		fmt.Fprintf(&b, "    - name: %s\n      key: {data: %q}\n", authorities[i], authorities[i+1])
	}
	return []byte(b.String())
}

// noCredentials keeps the tests away from the files of whoever runs them.
type noCredentials struct{}

func (noCredentials) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.Anonymous, nil
}

func newVerifier(w *wire, timeout time.Duration) *Verifier {
	return New(Options{Keychain: noCredentials{}, Transport: w.server.Client().Transport, Timeout: timeout})
}

// failingKeychain is for what must not look up credentials.
type failingKeychain struct{ t *testing.T }

func (k failingKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	k.t.Error("credentials were looked up")
	return authn.Anonymous, nil
}
