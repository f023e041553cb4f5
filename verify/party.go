package verify

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// party is a key or an identity whose signatures count.
type party interface {
	// check says whether a candidate is its signature of the digest. The error
	// says why not in the terms of the reader; a *mismatch if the candidate was
	// understood well enough to tell.
	check(c *candidate, digest string, d demand) (*proof, error)
	// only is the id of the one signer it can be, or "" if there are many.
	only() string
}

// demand is what a signature has to bring along.
type demand struct {
	trust      *trust
	logs       int
	timestamps int
}

// proof is what is known of a signature that holds.
type proof struct {
	id      string   // of who signed, equal for everything by the same one
	also    []string // other ids of the same one: the key, further names
	kind    string
	keyID   string
	subject string
	issuer  string
	times   []signingTime
	entries []LogEntry
}

// signingTime is a time at which a signature was there, and who says so.
type signingTime struct {
	at time.Time
	by string
}

// first is the earliest of the times.
func (p *proof) first() (t signingTime, ok bool) {
	for _, s := range p.times {
		if !ok || s.at.Before(t.at) {
			t, ok = s, true
		}
	}
	return t, ok
}

// keyParty accepts signatures by one key of the policy.
type keyParty struct{ key *publicKey }

func (s *keyParty) only() string { return s.key.id }

// check tries the verifiers of the key in turn. The one that came furthest says
// why not.
func (s *keyParty) check(c *candidate, digest string, d demand) (*proof, error) {
	best := errOtherKey
	for _, v := range s.key.verifiers {
		p, err := s.try(c, digest, v, d)
		if err == nil {
			p.id, p.kind, p.keyID = s.key.id, KindKey, s.key.id
			return p, nil
		}
		m, ok := errors.AsType[*mismatch](err)
		if !ok {
			return nil, err
		}
		if m.rank > best.rank || len(s.key.verifiers) == 1 {
			best = m
		}
	}
	return nil, best
}

func (s *keyParty) try(c *candidate, digest string, v keyVerifier, d demand) (*proof, error) {
	b, err := c.entity(byKey, v.hash)
	if err != nil {
		return nil, err
	}
	if b.GetVerificationMaterial().GetPublicKey() == nil {
		return nil, &mismatch{rankOtherKey, "made with a certificate, not with a key"}
	}
	if err := c.checkMessage(b); err != nil {
		return nil, err
	}
	if c.message && c.artifact == nil && v.isEd25519() {
		// Ed25519 signs the message itself, and only its digest is at hand. The
		// library does not see that through root.ExpiringKey.
		return nil, &mismatch{rankOtherKey, "message signature that no Ed25519 key can make"}
	}
	if err := c.isAbout(digest); err != nil {
		return nil, err
	}
	m := &trusted{trust: d.trust, key: root.NewExpiringKey(v.Verifier, time.Time{}, time.Time{})}
	// The signature comes first: a log entry of somebody else's signature says
	// nothing that the reader of a message would want to know.
	if err := verifySignature(c, b, m, digest, verify.WithNoObserverTimestamps()); err != nil {
		if !slices.Contains(c.digests(), digest) {
			return nil, errOtherDigest
		}
		return nil, errOtherKey
	}
	return witness(b, m, d)
}

// verifySignature has the library check a bundle for a digest.
func verifySignature(c *candidate, b *bundle.Bundle, m root.TrustedMaterial, digest string, options ...verify.VerifierOption) error {
	v, err := verify.NewVerifier(m, options...)
	if err != nil {
		return err
	}
	var artifact verify.ArtifactPolicyOption
	switch {
	case c.text != nil:
		artifact = verify.WithArtifact(bytes.NewReader(c.text.payload))
	case c.artifact != nil:
		if _, err := c.artifact.Seek(0, io.SeekStart); err != nil {
			return err
		}
		artifact = verify.WithArtifact(c.artifact)
	default:
		algorithm, text, _ := strings.Cut(digest, ":")
		raw, err := hex.DecodeString(text)
		if err != nil {
			return err
		}
		artifact = verify.WithArtifactDigest(algorithm, raw)
	}
	// Who it was is for the callers to compare.
	policy := verify.NewPolicy(artifact, verify.WithoutIdentitiesUnsafe())
	if b.GetVerificationMaterial().GetPublicKey() != nil {
		policy = verify.NewPolicy(artifact, verify.WithKey())
	}
	_, err = v.Verify(b, policy)
	return err
}

// identityParty accepts signatures with certificates that a trusted authority
// has given to an identity.
type identityParty struct{ issuer, subject matcher }

func (s *identityParty) only() string {
	if s.issuer.exact != "" && s.subject.exact != "" {
		return identityID(s.subject.exact)
	}
	return ""
}

// identityID leaves the issuer out: whoever has the same address with two of them
// is one person where signers are counted. Case makes no second one either.
func identityID(subject string) string { return "identity " + strings.ToLower(subject) }

func (s *identityParty) check(c *candidate, digest string, d demand) (*proof, error) {
	p := &proof{kind: KindKeyless}
	match := func(leaf *x509.Certificate) error {
		sum, err := certificate.SummarizeCertificate(leaf)
		if err != nil {
			return malformed("certificate: %v", err)
		}
		p.subject, p.issuer = sum.SubjectAlternativeName, sum.Issuer
		p.id = identityID(p.subject)
		if !s.issuer.match(p.issuer) || !s.subject.match(p.subject) {
			return &mismatch{rankOtherKey, "made by " + quoted(p.subject) + " of issuer " + quoted(p.issuer)}
		}
		return nil
	}
	return checkCertificate(c, digest, d, &trusted{trust: d.trust}, p, match)
}

// certificateParty accepts signatures with certificates of an own authority.
type certificateParty struct {
	roots, intermediates []*x509.Certificate
	subject              matcher
}

func (s *certificateParty) only() string {
	if s.subject.exact != "" {
		return identityID(s.subject.exact)
	}
	return ""
}

func (s *certificateParty) check(c *candidate, digest string, d demand) (*proof, error) {
	p := &proof{kind: KindCertificate}
	match := func(leaf *x509.Certificate) error {
		names := subjectNames(leaf)
		i := slices.IndexFunc(names, s.subject.match)
		if i < 0 {
			return &mismatch{rankOtherKey, "made by " + quoted(strings.Join(names, ", "))}
		}
		p.subject, p.issuer = names[i], leaf.Issuer.String()
		p.id = identityID(p.subject)
		for _, n := range names {
			p.also = append(p.also, identityID(n))
		}
		return nil
	}
	m := &trusted{trust: d.trust, own: true}
	intermediates := s.intermediates
	if c.chain != nil {
		intermediates = append(slices.Clip(intermediates), c.chain()...)
	}
	for _, r := range s.roots {
		m.authorities = append(m.authorities, &root.FulcioCertificateAuthority{Root: r, Intermediates: intermediates})
	}
	return checkCertificate(c, digest, d, m, p, match)
}

// checkCertificate is what signatures with certificates have in common. match
// compares the identity and notes it.
func checkCertificate(c *candidate, digest string, d demand, m *trusted, p *proof, match func(*x509.Certificate) error) (*proof, error) {
	b, err := c.entity(byCertificate, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	content, err := b.VerificationContent()
	if err != nil {
		return nil, malformed("%v", err)
	}
	leaf := content.Certificate()
	if leaf == nil {
		return nil, &mismatch{rankOtherKey, "made with a key, not with a certificate"}
	}
	if err := c.checkMessage(b); err != nil {
		return nil, err
	}
	p.also = []string{sha256Of(leaf.RawSubjectPublicKeyInfo)}
	if err := match(leaf); err != nil {
		return nil, err
	}
	if err := c.isAbout(digest); err != nil {
		return nil, err
	}
	w, err := witness(b, m, d)
	if err != nil {
		return nil, err
	}
	p.times, p.entries = w.times, w.entries
	options, times := certificateOptions(m, d, p.times)
	if len(times) == 0 {
		return nil, &mismatch{rankNoTime, "nothing says when it was made"}
	}
	if err := verifySignature(c, b, m, digest, options...); err != nil {
		if !slices.Contains(c.digests(), digest) {
			return nil, errOtherDigest
		}
		return nil, explainCertificate(leaf, m, times, err)
	}
	return p, nil
}

// certificateOptions says by which times a certificate is judged: those that logs
// and timestamp authorities give, or now where none is demanded.
func certificateOptions(m *trusted, d demand, times []signingTime) ([]verify.VerifierOption, []signingTime) {
	var o []verify.VerifierOption
	switch {
	case d.logs > 0:
		o = append(o, verify.WithTransparencyLog(d.logs), verify.WithObserverTimestamps(1))
	case d.timestamps > 0:
		o = append(o, verify.WithSignedTimestamps(d.timestamps))
	default:
		o = append(o, verify.WithCurrentTime())
		times = []signingTime{{at: time.Now()}}
	}
	if !m.own && len(m.CTLogs()) > 0 {
		o = append(o, verify.WithSignedCertificateTimestamps(1))
	}
	return o, times
}

// explainCertificate says why the library has refused a certificate.
func explainCertificate(leaf *x509.Certificate, m *trusted, times []signingTime, err error) error {
	for _, t := range times {
		chains, bad := verify.VerifyLeafCertificate(t.at, leaf, m)
		if bad != nil {
			return &mismatch{rankBroken, "its certificate was not valid, or is of no trusted authority, at " +
				t.at.UTC().Format(time.RFC3339)}
		}
		if m.own || len(m.CTLogs()) == 0 {
			continue
		}
		if bad := verify.VerifySignedCertificateTimestamp(chains, 1, m); bad != nil {
			return &mismatch{rankBroken, "its certificate is in no trusted certificate log"}
		}
	}
	return &mismatch{rankBroken, "it does not hold: " + oneLine(err.Error())}
}
