package verify

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	intoto "github.com/in-toto/attestation/go/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
)

// signPredicateType marks the statement that an image is signed.
const signPredicateType = "https://sigstore.dev/cosign/sign/v1"

// statementTypes are the versions of in-toto statements that are understood.
func statementTypes() []string {
	return []string{"https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"}
}

// candidate is one signature as it was found, read but not believed.
type candidate struct {
	place    place
	location string
	storage  string
	// entity gives the signature in the form of a bundle, for a signature by a
	// key or by a certificate.
	entity func(k material, h crypto.Hash) (*bundle.Bundle, error)
	// text is the signed text of the older form; nil for everything else.
	text *signedText
	// statement is what a DSSE envelope states; nil for a signed message.
	statement *intoto.Statement
	payload   []byte        // of the envelope
	message   bool          // the image itself is signed, not a text about it
	artifact  io.ReadSeeker // what is signed, where more than its digest is at hand
	// chain gives certificates that came along, none of which is trusted.
	chain func() []*x509.Certificate
}

// material says with what a signature is thought to be made.
type material int

const (
	byKey material = iota
	byCertificate
)

// mismatch is the reason why a candidate does not count. The one of the highest
// rank tells the reader most: it was nearest to being good.
type mismatch struct {
	rank int
	text string
}

const (
	rankMalformed = iota
	rankOtherKey
	rankOtherDigest
	rankOtherStatement
	rankBroken
	rankNoLog
	rankNoTime
	rankOtherName
	rankAge
	rankCondition
)

var (
	errOtherKey    = &mismatch{rankOtherKey, "made with another key"}
	errOtherDigest = &mismatch{rankOtherDigest, "made for another digest"}
)

func (m *mismatch) Error() string { return m.text }

func malformed(format string, args ...any) error {
	return &mismatch{rankMalformed, "malformed: " + oneLine(fmt.Sprintf(format, args...))}
}

// fromBundle makes a candidate of a bundle.
func fromBundle(b *bundle.Bundle) (*candidate, error) {
	c := &candidate{storage: StorageBundle}
	c.entity = func(material, crypto.Hash) (*bundle.Bundle, error) { return b, nil }
	if b.GetMessageSignature() != nil {
		c.message = true
		return c, nil
	}
	return c, c.open(b)
}

// open reads the statement of an envelope.
func (c *candidate) open(b *bundle.Bundle) error {
	env, err := b.Envelope()
	if err != nil {
		return malformed("%v", err)
	}
	c.payload = b.GetDsseEnvelope().GetPayload()
	if len(c.payload) > maxStatementSize {
		return malformed("statement of %d bytes", len(c.payload))
	}
	if countValues(c.payload) > maxStatementValues {
		return malformed("statement with more than %d values", maxStatementValues)
	}
	if c.statement, err = env.Statement(); err != nil {
		return malformed("statement: %v", err)
	}
	return nil
}

// isFor says whether a candidate can be what an authority demands, before it is
// checked: a signature, or an attestation of a type.
func (c *candidate) isFor(predicateType string) error {
	if c.statement == nil {
		if predicateType != signPredicateType {
			return &mismatch{rankOtherStatement, "it is a signature, and no attestation"}
		}
		return nil
	}
	if !slices.Contains(statementTypes(), c.statement.GetType()) {
		return &mismatch{rankOtherStatement, "statement of an unknown type"}
	}
	if got := c.statement.GetPredicateType(); got != predicateType {
		if predicateType == signPredicateType {
			return &mismatch{rankOtherStatement, "it states " + quoted(got) + ", which is no signature of an image"}
		}
		return &mismatch{rankOtherStatement, "it states " + quoted(got) + ", not " + quoted(predicateType)}
	}
	return nil
}

// digests lists the digests a candidate is made for.
func (c *candidate) digests() []string {
	switch {
	case c.text != nil:
		return []string{c.text.digest}
	case c.statement == nil:
		b, err := c.entity(byKey, crypto.SHA256)
		if err != nil {
			return nil
		}
		return []string{"sha256:" + hex.EncodeToString(b.GetMessageSignature().GetMessageDigest().GetDigest())}
	}
	var all []string
	for _, s := range c.statement.GetSubject() {
		for _, algorithm := range []string{"sha256", "sha512"} {
			if d := s.GetDigest()[algorithm]; d != "" {
				all = append(all, algorithm+":"+d)
			}
		}
	}
	return all
}

// isAbout says whether a candidate can be about a digest. Where the artifact is at
// hand the library compares it, by whatever digest there is.
func (c *candidate) isAbout(digest string) error {
	if c.artifact == nil && !slices.Contains(c.digests(), digest) {
		return errOtherDigest
	}
	return nil
}

// checkMessage says whether a signed message can be verified with its SHA-256
// digest alone.
func (c *candidate) checkMessage(b *bundle.Bundle) error {
	if c.message && c.artifact == nil &&
		b.GetMessageSignature().GetMessageDigest().GetAlgorithm() != protocommon.HashAlgorithm_SHA2_256 {
		return malformed("message digest is not SHA-256")
	}
	return nil
}

// names lists the repositories a candidate says it is made for.
func (c *candidate) names(digest string) []string {
	if c.text != nil {
		if c.text.reference == "" {
			return nil
		}
		return []string{c.text.reference}
	}
	var all []string
	for _, s := range c.statement.GetSubject() {
		if s.GetName() != "" && "sha256:"+s.GetDigest()["sha256"] == digest {
			all = append(all, s.GetName())
		}
	}
	return all
}

// annotation gives what the signer has noted under a name.
func (c *candidate) annotation(digest, key string) (string, bool) {
	if c.text != nil {
		s, ok := c.text.optional[key].(string)
		return s, ok
	}
	for _, s := range c.statement.GetSubject() {
		if v, ok := s.GetAnnotations().GetFields()[key]; ok && "sha256:"+s.GetDigest()["sha256"] == digest {
			return v.GetStringValue(), true
		}
	}
	return "", false
}

// decoded gives the statement as data, for the conditions on it. It is read more
// strictly than the library does: what a condition sees has to be what the
// check has seen.
func (c *candidate) decoded(digest string) (map[string]any, error) {
	s, err := ParseStatement(c.payload)
	if err != nil {
		return nil, malformed("%v", err)
	}
	if s.PredicateType() != c.statement.GetPredicateType() || !s.About(digest) {
		return nil, malformed("statement can be read in two ways")
	}
	return s.fields, nil
}

// signed is the SHA-256 of the signed bytes.
func (c *candidate) signed(digest string) string {
	switch {
	case c.text != nil:
		return sha256Of(c.text.payload)
	case c.statement != nil:
		return sha256Of(c.payload)
	}
	return digest
}

func sha256Of(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
