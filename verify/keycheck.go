package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// keyChecker accepts signatures by one key of the policy.
type keyChecker struct {
	authority string
	key       *publicKey
}

var (
	errOtherKey    = &mismatch{rankOtherKey, "made with another key"}
	errOtherDigest = &mismatch{rankOtherDigest, "made for another digest"}
)

// check tries the verifiers of the key in turn.
func (k *keyChecker) check(c candidate, digest v1.Hash) (Evidence, error) {
	storage, try := StorageTag, func(v signature.Verifier) ([]byte, error) {
		return checkLegacy(c.legacy, v, digest)
	}
	if c.bundle != nil {
		storage, try = StorageBundle, func(v signature.Verifier) ([]byte, error) {
			return checkBundle(c.bundle, v, digest, k.key.ed25519)
		}
	}
	err := error(errOtherKey)
	for _, v := range k.key.verifiers {
		var payload []byte
		if payload, err = try(v); err == nil {
			return Evidence{
				Authority: k.authority,
				Kind:      KindKey,
				KeyID:     k.key.id,
				Storage:   storage,
				Payload:   "sha256:" + hex.EncodeToString(payload),
				Location:  c.location,
			}, nil
		}
	}
	return Evidence{}, err
}

// checkLegacy returns the SHA-256 of the signed text.
func checkLegacy(s *legacySignature, key signature.Verifier, digest v1.Hash) ([]byte, error) {
	sig, err := static.NewSignature(s.payload, s.signature)
	if err != nil {
		return nil, malformed("%v", err)
	}
	_, err = cosign.VerifyImageSignature(context.Background(), sig, digest, &cosign.CheckOpts{
		SigVerifier:   key,
		ClaimVerifier: cosign.SimpleClaimVerifier,
		// A key of the policy is trusted at any time, so there is nothing a
		// log entry or a timestamp could add.
		IgnoreTlog: true,
		IgnoreSCT:  true,
		Offline:    true,
	})
	// The claim is compared here too: what the claim verifier takes from the
	// text and what parseClaim accepted must be the same digest.
	switch {
	case s.digest != digest.String():
		return nil, errOtherDigest
	case err != nil:
		return nil, errOtherKey
	}
	sum := sha256.Sum256(s.payload)
	return sum[:], nil
}

// checkBundle returns the SHA-256 of the signed bytes.
func checkBundle(b *bundle.Bundle, key signature.Verifier, digest v1.Hash, ed25519 bool) ([]byte, error) {
	want, err := hex.DecodeString(digest.Hex)
	if err != nil {
		return nil, errOtherDigest
	}
	if b.GetVerificationMaterial().GetPublicKey() == nil {
		return nil, &mismatch{rankOtherKey, "made with a certificate, not with a key"}
	}
	message := b.GetMessageSignature()
	if message != nil {
		if message.GetMessageDigest().GetAlgorithm() != protocommon.HashAlgorithm_SHA2_256 {
			return nil, malformed("message digest is not SHA-256")
		}
		if ed25519 {
			// Ed25519 signs the message itself, and only its digest is at hand.
			// The library does not see that through root.ExpiringKey.
			return nil, &mismatch{rankOtherKey, "message signature that no Ed25519 key can make"}
		}
	}
	trusted := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		// The bundle gives a hint which key to use. It is not asked.
		return root.NewExpiringKey(key, time.Time{}, time.Time{}), nil
	})
	v, err := verify.NewVerifier(trusted, verify.WithNoObserverTimestamps())
	if err != nil {
		return nil, err
	}
	result, err := v.Verify(b, verify.NewPolicy(verify.WithArtifactDigest("sha256", want), verify.WithKey()))
	switch {
	case err != nil:
		return nil, explainBundle(b, digest)
	case message != nil:
		return want, nil
	}
	return checkStatement(b, result)
}

// checkStatement looks at a statement whose signature and subject are good. A
// key may sign other statements about an image too, such as an SBOM; they do
// not say that the image is released.
func checkStatement(b *bundle.Bundle, result *verify.VerificationResult) ([]byte, error) {
	st := result.Statement
	if st == nil {
		return nil, malformed("no statement")
	}
	if !slices.Contains(statementTypes(), st.GetType()) {
		return nil, &mismatch{rankOtherStatement, "statement of an unknown type"}
	}
	if st.GetPredicateType() != signPredicateType {
		return nil, &mismatch{rankOtherStatement, "it states " + quoted(st.GetPredicateType()) + ", which is no signature of an image"}
	}
	sum := sha256.Sum256(b.GetDsseEnvelope().GetPayload())
	return sum[:], nil
}

// explainBundle says why a bundle was not accepted. It reads what is not
// verified, so it may serve the reader of a message and nothing else.
func explainBundle(b *bundle.Bundle, digest v1.Hash) error {
	if m := b.GetMessageSignature(); m != nil {
		if hex.EncodeToString(m.GetMessageDigest().GetDigest()) != digest.Hex {
			return errOtherDigest
		}
		return errOtherKey
	}
	env, err := b.Envelope()
	if err != nil {
		return malformed("%v", err)
	}
	st, err := env.Statement()
	if err != nil {
		return malformed("%v", err)
	}
	for _, s := range st.GetSubject() {
		if s.GetDigest()["sha256"] == digest.Hex {
			return errOtherKey
		}
	}
	return errOtherDigest
}
