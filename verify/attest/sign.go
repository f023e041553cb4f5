// Package attest makes statements about images, signs them and stores them beside
// the image, where package verify and cosign find them.
//
// [NewVSA] makes a SLSA verification summary, "this digest has passed the gates of
// this environment", and [NewApproval] an approval. A [Signer], from
// [NewKeySigner] or [NewKeylessSigner], signs one and gives a Sigstore bundle, and
// a [Storer] puts that beside the image.
//
//	statement, err := attest.NewApproval(attest.Approval{Image: image, Environment: "production", Time: now})
//	bundle, err := signer.Attest(ctx, statement)
//	stored, err := attest.NewStorer(attest.StoreOptions{}).Store(ctx, image, bundle)
//
// What is wrong with a private key is a [*KeyError]; a bundle that was not, or
// perhaps not, stored is a [*StoreError].
package attest

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/kubepromote/kubepromote/verify/internal/keys"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// Signer signs statements. It comes from NewKeySigner or NewKeylessSigner and
// may be used concurrently.
type Signer struct {
	key     *keypair // nil: one for each signature
	keyless *KeylessOptions
}

// KeyError is what is wrong with a private key.
type KeyError struct {
	Msg  string // lower case, no full stop; never has the key or the password in it
	Hint string // what to do or type; may be empty
}

// Error is the message, without the hint.
func (e *KeyError) Error() string { return e.Msg }

// HintText gives the hint, or "".
func (e *KeyError) HintText() string { return e.Hint }

// NewKeySigner returns a Signer with a private key in PEM form: the encrypted
// form of cosign (ENCRYPTED SIGSTORE PRIVATE KEY, ENCRYPTED COSIGN PRIVATE
// KEY), PKCS #8, encrypted or not, EC or RSA. The key is ECDSA on P-256, P-384
// or P-521, RSA with 2048, 3072 or 4096 bits, or Ed25519. password is called,
// once, for an encrypted key; it may be nil if there is none. The error is a
// *KeyError, or what password returned.
func NewKeySigner(data []byte, password func() ([]byte, error)) (Signer, error) {
	key, err := readPrivateKey(data, password)
	if err != nil {
		return Signer{}, err
	}
	pair, err := newKeypair(key)
	if err != nil {
		return Signer{}, err
	}
	return Signer{key: pair}, nil
}

// KeyID is sha256:<hex> of the public key in its DER form, as Evidence has it;
// empty for a signer without a key of its own.
func (s Signer) KeyID() string {
	if s.key == nil {
		return ""
	}
	return "sha256:" + hex.EncodeToString(s.key.fingerprint[:])
}

// Attest signs a statement and returns a Sigstore bundle, version 0.3, in JSON
// form. A key needs no network; a keyless signer uses what its options name and
// nothing else.
func (s Signer) Attest(ctx context.Context, st Statement) ([]byte, error) {
	if len(st.Payload()) == 0 {
		return nil, errors.New("there is no statement to sign")
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("the statement was not signed: %w", err)
	}
	content := &sign.DSSEData{Data: st.Payload(), PayloadType: statement.MediaType}
	if s.keyless != nil {
		return s.keyless.attest(ctx, content)
	}
	if s.key == nil {
		return nil, errors.New("there is no key to sign with")
	}
	b, err := sign.Bundle(content, s.key, sign.BundleOptions{Context: ctx})
	if err != nil {
		return nil, fmt.Errorf("the statement was not signed: %w", err)
	}
	return protojson.Marshal(b)
}

func privateKeyTypes() []string {
	return []string{"ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY", "ENCRYPTED PRIVATE KEY",
		"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"}
}

// readPrivateKey returns a key that can sign, of whatever kind.
func readPrivateKey(data []byte, password func() ([]byte, error)) (crypto.Signer, error) {
	if len(data) > keys.MaxSize {
		return nil, &KeyError{Msg: fmt.Sprintf("private key is over %d KiB", keys.MaxSize>>10)}
	}
	const hint = "cosign generate-key-pair"
	block, _ := pem.Decode(data)
	switch {
	case block == nil:
		return nil, &KeyError{"private key is not in PEM form", hint}
	case block.Type == "PUBLIC KEY":
		return nil, &KeyError{"key is a public key, and cannot sign", "name the file with the private key, cosign.key"}
	case !slices.Contains(privateKeyTypes(), block.Type):
		return nil, &KeyError{"private key is a PEM block of the unknown type " + untrusted.Quoted(block.Type), hint}
	}
	// Encrypted PEM blocks of the old kind have a header that says so.
	encrypted := strings.HasPrefix(block.Type, "ENCRYPTED ") || block.Headers["DEK-Info"] != ""
	if encrypted && password == nil {
		return nil, &KeyError{"private key is encrypted, and there is no password", "COSIGN_PASSWORD=..."}
	}
	var refused error
	key, err := untrusted.Guarded(func() (crypto.PrivateKey, error) {
		return cryptoutils.UnmarshalPEMToPrivateKey(data, func(bool) ([]byte, error) {
			secret, err := password()
			if refused = err; secret == nil {
				secret = []byte{} // nil would mean that the key is not encrypted
			}
			return secret, err
		})
	})
	switch {
	case refused != nil:
		return nil, refused
	case err != nil && encrypted:
		return nil, &KeyError{Msg: "private key cannot be decrypted: the password is wrong, or the key is damaged"}
	case err != nil:
		return nil, &KeyError{Msg: "private key cannot be parsed"}
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, &KeyError{Msg: fmt.Sprintf("private key cannot sign: %T", key), Hint: hint}
	}
	return signer, nil
}

// keypair signs the way that goes with its key: SHA-256, or the hash of the
// size of the curve; PKCS #1 v1.5 for RSA, and Ed25519 without a hash before.
type keypair struct {
	signer      crypto.Signer
	details     signature.AlgorithmDetails
	fingerprint [sha256.Size]byte
}

func newKeypair(signer crypto.Signer) (*keypair, error) {
	if err := keys.CheckStrength(signer.Public()); err != nil {
		e := &KeyError{Msg: err.Error()}
		if k, ok := errors.AsType[*keys.Error](err); ok {
			e.Hint = k.Hint
		}
		return nil, e
	}
	details, err := signature.GetDefaultAlgorithmDetails(signer.Public())
	if err != nil {
		return nil, &KeyError{Msg: "private key is not supported: " + untrusted.OneLine(err.Error())}
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return nil, &KeyError{Msg: "private key is not supported: " + untrusted.OneLine(err.Error())}
	}
	return &keypair{signer, details, sha256.Sum256(der)}, nil
}

// The methods are those of sign.Keypair.

// GetHashAlgorithm is the hash that is signed.
func (k *keypair) GetHashAlgorithm() protocommon.HashAlgorithm { return k.details.GetProtoHashType() }

// GetSigningAlgorithm names the key and the hash together.
func (k *keypair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return k.details.GetSignatureAlgorithm()
}

// GetHint is the hint that cosign writes and, for its own keys, looks for.
func (k *keypair) GetHint() []byte {
	return []byte(base64.StdEncoding.EncodeToString(k.fingerprint[:]))
}

// GetKeyAlgorithm names the kind of the key, as Fulcio wants it.
func (k *keypair) GetKeyAlgorithm() string {
	switch k.details.GetKeyType() {
	case signature.RSA:
		return "RSA"
	case signature.ED25519:
		return "ED25519"
	}
	return "ECDSA"
}

// GetPublicKey is the public half.
func (k *keypair) GetPublicKey() crypto.PublicKey { return k.signer.Public() }

// GetPublicKeyPem is the public half in PEM form.
func (k *keypair) GetPublicKeyPem() (string, error) {
	text, err := cryptoutils.MarshalPublicKeyToPEM(k.signer.Public())
	return string(text), err
}

// SignData signs data, and gives what was signed in its place: the digest, or for
// Ed25519 the data.
func (k *keypair) SignData(_ context.Context, data []byte) (sig, digest []byte, err error) {
	h := k.details.GetHashType()
	if h != 0 {
		w := h.New()
		w.Write(data)
		data = w.Sum(nil)
	}
	sig, err = k.signer.Sign(rand.Reader, data, h)
	return sig, data, err
}
