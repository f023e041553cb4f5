package attest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/kubepromote/kubepromote/verify/internal/keys"
	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	internalsignature "github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/sigtest"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

const someImage = "registry.example.com/shop/cart@sha256:" + sigtest.SomeHex

var someTime = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)

func someVSA(t testing.TB) statement.Statement {
	t.Helper()
	s, err := NewVSA(VSA{
		Image: someImage, Verifier: "https://kubepromote.dev/cli", Time: someTime, Passed: true,
		Policy: Resource{URI: "git+https://git.example.com/infra#kubepromote.yaml"}, Environment: "staging",
	})
	sigtest.Must(t, err)
	return s
}

func privatePEM(t testing.TB, blockType string, der []byte) []byte {
	t.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: der})
}

func pkcs8(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	sigtest.Must(t, err)
	return der
}

// cosignKey encrypts a key as cosign import-key-pair does.
func cosignKey(t testing.TB, key crypto.Signer, password string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key.pem")
	sigtest.Must(t, os.WriteFile(file, privatePEM(t, "PRIVATE KEY", pkcs8(t, key)), 0o600))
	pair, err := cosign.ImportKeyPair(file, func(bool) ([]byte, error) { return []byte(password), nil })
	sigtest.Must(t, err)
	return pair.PrivateBytes
}

func secret(s string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(s), nil }
}

// checkWithKey verifies a bundle with the library of Sigstore alone.
func checkWithKey(t testing.TB, data []byte, pub crypto.PublicKey, digest string) *verify.VerificationResult {
	t.Helper()
	b := new(bundle.Bundle)
	sigtest.Must(t, b.UnmarshalJSON(data))
	v, err := signature.LoadDefaultVerifier(pub)
	sigtest.Must(t, err)
	trusted := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(v, time.Time{}, time.Time{}), nil
	})
	checks, err := verify.NewVerifier(trusted, verify.WithNoObserverTimestamps())
	sigtest.Must(t, err)
	raw, err := hex.DecodeString(strings.TrimPrefix(digest, "sha256:"))
	sigtest.Must(t, err)
	result, err := checks.Verify(b, verify.NewPolicy(verify.WithArtifactDigest("sha256", raw), verify.WithKey()))
	sigtest.Must(t, err)
	return result
}

func TestAttestWithKey(t *testing.T) {
	for name, make := range map[string]func(sigtest.Signer) ([]byte, func() ([]byte, error)){
		"pkcs8": func(s sigtest.Signer) ([]byte, func() ([]byte, error)) {
			return privatePEM(t, "PRIVATE KEY", pkcs8(t, s.Key)), nil
		},
		"cosign": func(s sigtest.Signer) ([]byte, func() ([]byte, error)) {
			return cosignKey(t, s.Key, "pass"), secret("pass")
		},
		"cosign, old type": func(s sigtest.Signer) ([]byte, func() ([]byte, error)) {
			return bytes.ReplaceAll(cosignKey(t, s.Key, "pass"), []byte("SIGSTORE"), []byte("COSIGN")), secret("pass")
		},
		"cosign, empty password": func(s sigtest.Signer) ([]byte, func() ([]byte, error)) {
			return cosignKey(t, s.Key, ""), func() ([]byte, error) { return nil, nil }
		},
	} {
		kinds := []string{"p256", "p384", "rsa", "ed25519"}
		if name != "pkcs8" {
			kinds = kinds[:1] // deriving a key from a password takes long
		}
		for _, kind := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				key := sigtest.NewSigner(t, kind)
				data, password := make(key)
				s, err := NewKeySigner(data, password)
				sigtest.Must(t, err)
				if k, err := keys.Parse([]byte(key.Pem)); err != nil || s.KeyID() != k.ID {
					t.Errorf("%s, %v", s.KeyID(), err)
				}
				st := someVSA(t)
				data, err = s.Attest(t.Context(), st)
				sigtest.Must(t, err)
				result := checkWithKey(t, data, key.Key.Public(), "sha256:"+sigtest.SomeHex)
				if result.Statement.GetPredicateType() != statement.VSAType || result.Statement.GetType() != statement.Type {
					t.Errorf("%+v", result.Statement)
				}
				b, err := sigbundle.Parse(data)
				sigtest.Must(t, err)
				if !bytes.Equal(b.GetDsseEnvelope().GetPayload(), st.Payload()) {
					t.Errorf("signed %s", b.GetDsseEnvelope().GetPayload())
				}
				if b.GetMediaType() != sigtest.BundleV03 || b.GetVerificationMaterial().GetPublicKey().GetHint() == "" {
					t.Errorf("%s, %+v", b.GetMediaType(), b.GetVerificationMaterial())
				}
				// Our own check accepts it, and not as a signature of the image.
				c, err := internalsignature.FromBundle(b)
				sigtest.Must(t, err)
				if _, err := internalsignature.Check(&policy.KeySigner{Key: mustKey(t, key.Pem)}, c, "sha256:"+sigtest.SomeHex, internalsignature.Demand{}); err != nil {
					t.Error(err)
				}
				if m, ok := errors.AsType[*mismatch.Error](c.IsFor(statement.SignType)); !ok || m.Rank != mismatch.RankOtherStatement {
					t.Error("it is taken for a signature")
				}
			})
		}
	}
}

func mustKey(t testing.TB, text string) *keys.Public {
	t.Helper()
	k, err := keys.Parse([]byte(text))
	sigtest.Must(t, err)
	return k
}

func TestOlderKeyForms(t *testing.T) {
	key := sigtest.NewSigner(t, "p256")
	ec, err := x509.MarshalECPrivateKey(key.Key.(*ecdsa.PrivateKey))
	sigtest.Must(t, err)
	s, err := NewKeySigner(privatePEM(t, "EC PRIVATE KEY", ec), nil)
	sigtest.Must(t, err)
	data, err := s.Attest(t.Context(), someVSA(t))
	sigtest.Must(t, err)
	checkWithKey(t, data, key.Key.Public(), "sha256:"+sigtest.SomeHex)

	r := sigtest.NewSigner(t, "rsa")
	s, err = NewKeySigner(privatePEM(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(r.Key.(*rsa.PrivateKey))), nil)
	sigtest.Must(t, err)
	data, err = s.Attest(t.Context(), someVSA(t))
	sigtest.Must(t, err)
	checkWithKey(t, data, r.Key.Public(), "sha256:"+sigtest.SomeHex)
}

func TestKeySignerErrors(t *testing.T) {
	key := sigtest.NewSigner(t, "p256")
	plain := privatePEM(t, "PRIVATE KEY", pkcs8(t, key.Key))
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	sigtest.Must(t, err)
	locked := cosignKey(t, key.Key, "right")
	for name, c := range map[string]struct {
		data     []byte
		password func() ([]byte, error)
		want     string
	}{
		"nothing":        {nil, nil, "private key is not in PEM form"},
		"text":           {[]byte("hello"), nil, "private key is not in PEM form"},
		"public":         {[]byte(key.Pem), nil, "key is a public key, and cannot sign"},
		"certificate":    {privatePEM(t, "CERTIFICATE", []byte("x")), nil, `of the unknown type "CERTIFICATE"`},
		"damaged":        {privatePEM(t, "PRIVATE KEY", []byte("x")), nil, "private key cannot be parsed"},
		"huge":           {bytes.Repeat(plain, 1000), nil, "private key is over 64 KiB"},
		"no password":    {locked, nil, "private key is encrypted, and there is no password"},
		"wrong password": {locked, secret("wrong"), "the password is wrong"},
		"damaged cipher": {privatePEM(t, "ENCRYPTED SIGSTORE PRIVATE KEY", []byte(`{"kdf":{}}`)), secret("x"), "the password is wrong, or the key is damaged"},
		"null cipher":    {privatePEM(t, "ENCRYPTED SIGSTORE PRIVATE KEY", []byte(`null`)), secret("x"), "the password is wrong, or the key is damaged"},
		"weak":           {privatePEM(t, "PRIVATE KEY", pkcs8(t, weak)), nil, "key is weak"},
	} {
		_, err := NewKeySigner(c.data, c.password)
		if _, ok := errors.AsType[*KeyError](err); !ok || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		for _, hidden := range []string{"wrong\"", "right"} {
			if err != nil && strings.Contains(err.Error(), hidden) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	stop := errors.New("no terminal")
	if _, err := NewKeySigner(locked, func() ([]byte, error) { return nil, stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestAttestErrors(t *testing.T) {
	s, err := NewKeySigner(privatePEM(t, "PRIVATE KEY", pkcs8(t, sigtest.NewSigner(t, "p256").Key)), nil)
	sigtest.Must(t, err)
	if _, err := s.Attest(t.Context(), statement.Statement{}); err == nil {
		t.Error("an empty statement was signed")
	}
	if _, err := (Signer{}).Attest(t.Context(), someVSA(t)); err == nil {
		t.Error("signed with no key")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Attest(ctx, someVSA(t)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
