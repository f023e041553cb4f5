// Package keys reads public keys and certificates in PEM form, and says which keys
// are strong enough.
package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// MaxSize bounds a key file. A public key takes less than a kilobyte.
const MaxSize = 64 << 10

// Public is a key of the policy, ready to verify with.
type Public struct {
	ID string // sha256:<hex> of the DER form
	// verifiers are alternatives. There is more than one only for the ECDSA
	// curves P-384 and P-521: signers have used both SHA-256 and the hash that
	// goes with the curve, and the signature does not say which.
	Verifiers []Verifier
}

// Verifier is a key with the hash its signatures use.
type Verifier struct {
	signature.Verifier
	Hash crypto.Hash
}

// IsEd25519 is true for a key that signs messages themselves, not their digest.
func (v Verifier) IsEd25519() bool {
	_, ok := v.Verifier.(*signature.ED25519Verifier)
	return ok
}

// Error says what is wrong with a key, in words for a policy message.
type Error struct{ Msg, Hint string }

// Error is the message, without the hint.
func (e *Error) Error() string { return e.Msg }

// HintText gives the hint, or "".
func (e *Error) HintText() string { return e.Hint }

// Parse reads one public key in PEM form. The error is a *keyError.
func Parse(data []byte) (*Public, error) {
	pub, err := decodeKey(data)
	if err != nil {
		return nil, err
	}
	return newPublicKey(pub)
}

// newPublicKey prepares a key that is strong enough. The error is a *keyError.
func newPublicKey(pub crypto.PublicKey) (*Public, error) {
	if err := CheckStrength(pub); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, &Error{Msg: "key cannot be used: " + untrusted.OneLine(err.Error())}
	}
	k := &Public{ID: untrusted.Sha256Of(der)}
	for _, h := range HashesFor(pub) {
		v, err := signature.LoadVerifier(pub, h)
		if err != nil {
			return nil, &Error{Msg: "key cannot be used: " + untrusted.OneLine(err.Error())}
		}
		k.Verifiers = append(k.Verifiers, Verifier{v, h})
	}
	return k, nil
}

func decodeKey(data []byte) (crypto.PublicKey, error) {
	if len(data) > MaxSize {
		return nil, &Error{Msg: fmt.Sprintf("key is over %d KiB", MaxSize>>10)}
	}
	const begin = "-----BEGIN PUBLIC KEY-----"
	block, rest := pem.Decode(data)
	if block == nil {
		return nil, notPEM(data)
	}
	switch {
	case strings.HasSuffix(block.Type, "PRIVATE KEY") && !strings.HasPrefix(block.Type, "ENCRYPTED "):
		return nil, &Error{
			"key is a private key, and belongs neither here nor in a repository",
			"openssl pkey -in private.pem -pubout -out cosign.pub"}
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, &Error{
			"key is a private key, and belongs neither here nor in a repository",
			"cosign public-key --key cosign.key --outfile cosign.pub"}
	case block.Type == "CERTIFICATE":
		return nil, &Error{
			"key is a certificate, not a public key",
			"openssl x509 -in certificate.pem -noout -pubkey"}
	case strings.HasPrefix(block.Type, "PGP "):
		return nil, &Error{"key is one of PGP, with which no image is signed by cosign", "cosign generate-key-pair"}
	case block.Type != "PUBLIC KEY" && block.Type != "RSA PUBLIC KEY":
		return nil, &Error{
			fmt.Sprintf("key is a PEM block of type %q, not %q", untrusted.OneLine(block.Type), "PUBLIC KEY"),
			"a public key begins with " + begin}
	}
	if len(bytes.TrimSpace(rest)) > 0 || bytes.Count(data, []byte("-----BEGIN ")) != 1 {
		return nil, &Error{"key has more than one PEM block", "one authority for each key"}
	}
	var pub crypto.PublicKey
	var err error
	if block.Type == "RSA PUBLIC KEY" { // PKCS #1
		pub, err = x509.ParsePKCS1PublicKey(block.Bytes)
	} else {
		pub, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil {
		return nil, &Error{Msg: "key cannot be parsed: " + untrusted.OneLine(err.Error())}
	}
	return pub, nil
}

// notPEM says which of the other forms of public keys a key has, and how to convert
// it.
func notPEM(data []byte) error {
	text := string(bytes.TrimSpace(data))
	_, err := x509.ParsePKIXPublicKey(data)
	_, err1 := x509.ParsePKCS1PublicKey(data)
	switch {
	case err == nil:
		return &Error{"key is in DER form, and not in PEM form", "openssl pkey -pubin -inform DER -in key.der -out cosign.pub"}
	case err1 == nil:
		return &Error{"key is in DER form, and not in PEM form", "openssl rsa -RSAPublicKey_in -inform DER -in key.der -pubout -out cosign.pub"}
	case strings.HasPrefix(text, "ssh-"), strings.HasPrefix(text, "ecdsa-sha2-"):
		return &Error{"key is in the form of ssh, and not in PEM form", "ssh-keygen -e -m PKCS8 -f key.pub"}
	}
	return &Error{"key is not in PEM form", "a public key begins with -----BEGIN PUBLIC KEY-----"}
}

// IsReference tells whether the name of a key file is a reference to a key that is
// elsewhere, as cosign takes them: in a key service, a cluster, on a token.
func IsReference(name string) bool {
	return strings.Contains(name, "://") || strings.HasPrefix(name, "pkcs11:")
}

// ReferenceHint is how to come from a reference to a file.
func ReferenceHint(name string) string {
	if strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://") {
		return "curl -fo cosign.pub " + untrusted.OneLine(name)
	}
	return "cosign public-key --key " + untrusted.OneLine(name) + " --outfile cosign.pub"
}

// CheckStrength refuses keys that are weak, or that nothing here can work with.
func CheckStrength(pub crypto.PublicKey) error {
	const hint = "cosign generate-key-pair makes a key that is supported"
	if k, ok := pub.(*rsa.PublicKey); ok && k.N.BitLen() < 2048 {
		return &Error{fmt.Sprintf("key is weak: RSA with %d bits, at least 2048 are needed", k.N.BitLen()), hint}
	}
	what := fmt.Sprintf("%T", pub)
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return nil
	case *rsa.PublicKey:
		if slices.Contains([]int{2048, 3072, 4096}, k.N.BitLen()) {
			return nil
		}
		what = fmt.Sprintf("RSA with %d bits, not 2048, 3072 or 4096", k.N.BitLen())
	case *ecdsa.PublicKey:
		if slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, k.Curve) {
			return nil
		}
		what = fmt.Sprintf("ECDSA on the curve %s", k.Curve.Params().Name)
	}
	return &Error{"key is not supported: " + what, hint}
}

// HashesFor lists the hashes a signature by this key may have used.
func HashesFor(pub crypto.PublicKey) []crypto.Hash {
	if k, ok := pub.(*ecdsa.PublicKey); ok {
		switch k.Curve {
		case elliptic.P384():
			return []crypto.Hash{crypto.SHA256, crypto.SHA384}
		case elliptic.P521():
			return []crypto.Hash{crypto.SHA256, crypto.SHA512}
		}
	}
	return []crypto.Hash{crypto.SHA256}
}
