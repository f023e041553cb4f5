package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/protobuf/encoding/protojson"
)

// keypair is cosign's private key as sigstore-go wants it: ECDSA on P-256, which
// is what cosign generate-key-pair makes.
type keypair struct {
	signer signature.SignerVerifier
	public *ecdsa.PublicKey
	der    []byte
}

var _ sign.Keypair = (*keypair)(nil)

// loadKey reads the signing key; without one it gives nil.
func (r *releaser) loadKey() (*keypair, error) {
	if r.key == "" {
		return nil, nil
	}
	data, err := os.ReadFile(r.key)
	if err != nil {
		return nil, fmt.Errorf("the signing key: %w", err)
	}
	signer, err := cosign.LoadPrivateKey(data, []byte(os.Getenv("COSIGN_PASSWORD")), nil)
	if err != nil {
		return nil, fmt.Errorf("the signing key %s cannot be used: %w\nhint: cosign generate-key-pair; the password is taken from COSIGN_PASSWORD", r.key, err)
	}
	public, err := signer.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("the signing key %s: %w", r.key, err)
	}
	k := &keypair{signer: signer}
	var ok bool
	if k.public, ok = public.(*ecdsa.PublicKey); !ok || k.public.Curve != elliptic.P256() {
		return nil, fmt.Errorf("the signing key %s is not an ECDSA key on P-256\nhint: cosign generate-key-pair", r.key)
	}
	k.der, err = x509.MarshalPKIXPublicKey(k.public)
	return k, err
}

func (k *keypair) GetHashAlgorithm() protocommon.HashAlgorithm {
	return protocommon.HashAlgorithm_SHA2_256
}

func (k *keypair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
}

// GetHint gives the hash of the public key, by which a verifier finds it.
func (k *keypair) GetHint() []byte {
	s := sha256.Sum256(k.der)
	return []byte(base64.StdEncoding.EncodeToString(s[:]))
}

func (k *keypair) GetKeyAlgorithm() string { return "ECDSA" }

func (k *keypair) GetPublicKey() crypto.PublicKey { return k.public }

func (k *keypair) GetPublicKeyPem() (string, error) {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.der})), nil
}

func (k *keypair) SignData(_ context.Context, data []byte) (sig, digest []byte, err error) {
	sum := sha256.Sum256(data)
	sig, err = k.signer.SignMessage(bytes.NewReader(data))
	return sig, sum[:], err
}

// signBlob writes a sigstore bundle with a signature over a file's bytes.
func (k *keypair) signBlob(ctx context.Context, data []byte, bundle string) error {
	return k.write(ctx, &sign.PlainData{Data: data}, bundle)
}

// signImage writes a sigstore bundle with a signature over an image's digest, in
// the form of cosign's: a statement without content.
func (k *keypair) signImage(ctx context.Context, name, digest, bundle string) error {
	statement, err := json.Marshal(map[string]any{
		"_type":         "https://in-toto.io/Statement/v1",
		"subject":       []any{map[string]any{"name": name, "digest": map[string]string{"sha256": digest}}},
		"predicateType": "https://sigstore.dev/cosign/sign/v1",
		"predicate":     map[string]any{},
	})
	if err != nil {
		return err
	}
	return k.write(ctx, &sign.DSSEData{Data: statement, PayloadType: "application/vnd.in-toto+json"}, bundle)
}

func (k *keypair) write(ctx context.Context, content sign.Content, file string) error {
	bundle, err := sign.Bundle(content, k, sign.BundleOptions{Context: ctx})
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	data, err := protojson.Marshal(bundle)
	if err != nil {
		return err
	}
	var compact bytes.Buffer // protojson's blanks are not the same everywhere
	err = json.Compact(&compact, data)
	compact.WriteByte('\n')
	return errors.Join(err, os.WriteFile(file, compact.Bytes(), 0o644))
}
