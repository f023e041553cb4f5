// Package signature is one signature or attestation as it was found beside an
// image: how it is read from a bundle or from the older form of cosign, and
// whether it holds for a signer of the policy.
package signature

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"io"
	"maps"
	"slices"

	intoto "github.com/in-toto/attestation/go/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/sigbundle"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// Signature is one signature as it was found, read but not believed.
type Signature struct {
	Repository policy.Repository // in which it was found
	Location   string
	Storage    string
	// entity gives the signature in the form of a bundle, for a signature by a
	// key or by a certificate.
	entity func(k material, h crypto.Hash) (*bundle.Bundle, error)
	// text is the signed text of the older form; nil for everything else.
	text *signedText
	// statement is what a DSSE envelope states; nil for a signed message.
	Statement *intoto.Statement
	payload   []byte        // of the envelope
	message   bool          // the image itself is signed, not a text about it
	Artifact  io.ReadSeeker // what is signed, where more than its digest is at hand
	// chain gives certificates that came along, none of which is trusted.
	Chain func() []*x509.Certificate
}

// material says with what a signature is thought to be made.
type material int

const (
	byKey material = iota
	byCertificate
)

var (
	errOtherKey    = mismatch.New(mismatch.RankOtherKey, "made with another key")
	errOtherDigest = mismatch.New(mismatch.RankOtherDigest, "made for another digest")
)

// ParseBundle reads a signature from a bundle.
func ParseBundle(data []byte) (*Signature, error) {
	return untrusted.Guarded(func() (*Signature, error) {
		b, err := sigbundle.Parse(data)
		if err != nil {
			return nil, err
		}
		return FromBundle(b)
	})
}

// FromBundle makes a signature of a bundle.
func FromBundle(b *bundle.Bundle) (*Signature, error) {
	c := &Signature{}
	c.entity = func(material, crypto.Hash) (*bundle.Bundle, error) { return b, nil }
	if b.GetMessageSignature() != nil {
		c.message = true
		return c, nil
	}
	return c, c.open(b)
}

// open reads the statement of an envelope.
func (c *Signature) open(b *bundle.Bundle) error {
	env, err := b.Envelope()
	if err != nil {
		return mismatch.Malformed("%v", err)
	}
	c.payload = b.GetDsseEnvelope().GetPayload()
	if len(c.payload) > statement.MaxSize {
		return mismatch.Malformed("statement of %d bytes", len(c.payload))
	}
	if untrusted.CountValues(c.payload) > statement.MaxValues {
		return mismatch.Malformed("statement with more than %d values", statement.MaxValues)
	}
	if c.Statement, err = env.Statement(); err != nil {
		return mismatch.Malformed("statement: %v", err)
	}
	return c.exact()
}

// exact reads the statement once more, and more strictly than the library does: no
// field may come twice or under another name, and both readings have to agree.
func (c *Signature) exact() error {
	if !slices.Contains(statement.Types(), c.Statement.GetType()) {
		return nil // it counts for nothing
	}
	s, err := statement.Parse(c.payload)
	if err != nil {
		return mismatch.Malformed("%v", err)
	}
	if s.PredicateType() != c.Statement.GetPredicateType() || !slices.EqualFunc(s.Subjects(), c.Statement.GetSubject(), sameSubject) {
		return mismatch.Malformed("statement can be read in two ways")
	}
	return nil
}

func sameSubject(a statement.Subject, b *intoto.ResourceDescriptor) bool {
	return a.Name == b.GetName() && maps.Equal(a.Digests, b.GetDigest())
}

// IsFor says whether a signature can be what an authority demands, before it is
// checked: a signature, or an attestation of a type.
func (c *Signature) IsFor(predicateType string) error {
	if c.Statement == nil {
		if predicateType != statement.SignType {
			return mismatch.New(mismatch.RankOtherKind, "it is a signature, and no attestation")
		}
		return nil
	}
	if !slices.Contains(statement.Types(), c.Statement.GetType()) {
		return mismatch.New(mismatch.RankOtherStatement, "statement of an unknown type")
	}
	if got := c.Statement.GetPredicateType(); got != predicateType {
		if predicateType == statement.SignType {
			return mismatch.New(mismatch.RankOtherStatement, "it states "+untrusted.Quoted(got)+", which is no signature of an image")
		}
		if got == statement.SignType {
			return mismatch.New(mismatch.RankOtherKind, "it is a signature, and no attestation")
		}
		return mismatch.New(mismatch.RankOtherType, "it states "+untrusted.Quoted(got)+", not "+untrusted.Quoted(predicateType))
	}
	return nil
}

// digests lists the digests a signature is made for.
func (c *Signature) digests() []string {
	switch {
	case c.text != nil:
		return []string{c.text.digest}
	case c.Statement == nil:
		b, err := c.entity(byKey, crypto.SHA256)
		if err != nil {
			return nil
		}
		return []string{"sha256:" + hex.EncodeToString(b.GetMessageSignature().GetMessageDigest().GetDigest())}
	}
	var all []string
	for _, s := range c.Statement.GetSubject() {
		for _, algorithm := range []string{"sha256", "sha512"} {
			if d := s.GetDigest()[algorithm]; d != "" {
				all = append(all, algorithm+":"+d)
			}
		}
	}
	return all
}

// isAbout says whether a signature can be about a digest. Where the artifact is at
// hand the library compares it, by whatever digest there is.
func (c *Signature) isAbout(digest string) error {
	if c.Artifact == nil && !slices.Contains(c.digests(), digest) {
		return errOtherDigest
	}
	return nil
}

// checkMessage says whether a signed message can be verified with its SHA-256
// digest alone.
func (c *Signature) checkMessage(b *bundle.Bundle) error {
	if c.message && c.Artifact == nil &&
		b.GetMessageSignature().GetMessageDigest().GetAlgorithm() != protocommon.HashAlgorithm_SHA2_256 {
		return mismatch.Malformed("message digest is not SHA-256")
	}
	return nil
}

// Names lists the repositories a signature says it is made for.
func (c *Signature) Names(digest string) []string {
	if c.text != nil {
		if c.text.reference == "" {
			return nil
		}
		return []string{c.text.reference}
	}
	var all []string
	for _, s := range c.Statement.GetSubject() {
		if s.GetName() != "" && "sha256:"+s.GetDigest()["sha256"] == digest {
			all = append(all, s.GetName())
		}
	}
	return all
}

// Annotation gives what the signer has noted under a name.
func (c *Signature) Annotation(digest, key string) (string, bool) {
	if c.text != nil {
		s, ok := c.text.optional[key].(string)
		return s, ok
	}
	for _, s := range c.Statement.GetSubject() {
		if v, ok := s.GetAnnotations().GetFields()[key]; ok && "sha256:"+s.GetDigest()["sha256"] == digest {
			return v.GetStringValue(), true
		}
	}
	return "", false
}

// Decoded gives the statement as data, for the conditions on it. It is read more
// strictly than the library does: what a condition sees has to be what the
// check has seen.
func (c *Signature) Decoded(digest string) (map[string]any, error) {
	s, err := statement.Parse(c.payload)
	if err != nil {
		return nil, mismatch.Malformed("%v", err)
	}
	if s.PredicateType() != c.Statement.GetPredicateType() || !s.About(digest) {
		return nil, mismatch.Malformed("statement can be read in two ways")
	}
	return s.Fields(), nil
}

// Signed is the SHA-256 of the signed bytes.
func (c *Signature) Signed(digest string) string {
	switch {
	case c.text != nil:
		return untrusted.Sha256Of(c.text.payload)
	case c.Statement != nil:
		return untrusted.Sha256Of(c.payload)
	}
	return digest
}
