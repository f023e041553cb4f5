package signature

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/kubepromote/kubepromote/verify/internal/keys"
	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// Demand is what a signature has to bring along.
type Demand struct {
	Trust      *policy.Trust
	Logs       int
	Timestamps int
}

// Proof is what is known of a signature that holds.
type Proof struct {
	ID      string   // of who signed, equal for everything by the same one
	Also    []string // other ids of the same one: the key, further names
	KeyID   string
	Subject string
	Issuer  string
	times   []signingTime
	Entries []logEntry
}

// logEntry is an entry of a transparency log.
type logEntry struct {
	ID    string // SHA-256 of the log's key, in hex
	Index int64  // from 0
}

// signingTime is a time at which a signature was there, and who says so.
type signingTime struct {
	At time.Time
	By string
}

// First is the earliest of the times.
func (p *Proof) First() (t signingTime, ok bool) {
	for _, s := range p.times {
		if !ok || s.At.Before(t.At) {
			t, ok = s, true
		}
	}
	return t, ok
}

// Check says whether a signature is the signature of a signer over the digest.
// The error says why not in the terms of the reader; a *mismatch if the
// signature was understood well enough to tell.
func Check(s policy.Signer, c *Signature, digest string, d Demand) (*Proof, error) {
	switch s := s.(type) {
	case *policy.KeySigner:
		return checkKey(s, c, digest, d)
	case *policy.IdentitySigner:
		return checkIdentity(s, c, digest, d)
	case *policy.CertificateSigner:
		return checkOwnCertificate(s, c, digest, d)
	}
	return nil, fmt.Errorf("a signer of type %T cannot be checked", s)
}

// checkKey tries the verifiers of the key in turn. The one that came furthest says
// why not.
func checkKey(s *policy.KeySigner, c *Signature, digest string, d Demand) (*Proof, error) {
	best := errOtherKey
	for _, v := range s.Key.Verifiers {
		p, err := tryKey(c, digest, v, d)
		if err == nil {
			p.ID, p.KeyID = s.Key.ID, s.Key.ID
			return p, nil
		}
		m, ok := errors.AsType[*mismatch.Error](err)
		if !ok {
			return nil, err
		}
		if m.Rank > best.Rank || len(s.Key.Verifiers) == 1 {
			best = m
		}
	}
	return nil, best
}

func tryKey(c *Signature, digest string, v keys.Verifier, d Demand) (*Proof, error) {
	b, err := c.entity(byKey, v.Hash)
	if err != nil {
		return nil, err
	}
	if b.GetVerificationMaterial().GetPublicKey() == nil {
		return nil, mismatch.New(mismatch.RankOtherKey, "made with a certificate, not with a key")
	}
	if err := c.checkMessage(b); err != nil {
		return nil, err
	}
	if c.message && c.Artifact == nil && v.IsEd25519() {
		// Ed25519 signs the message itself, and only its digest is at hand. The
		// library does not see that through root.ExpiringKey.
		return nil, mismatch.New(mismatch.RankOtherKey, "message signature that no Ed25519 key can make")
	}
	if err := c.isAbout(digest); err != nil {
		return nil, err
	}
	m := &trusted{trust: d.Trust, key: root.NewExpiringKey(v.Verifier, time.Time{}, time.Time{})}
	// The signature comes first: a log entry of somebody else's signature says
	// nothing that the reader of a message would want to know.
	if err := verifySignature(c, b, m, digest, verify.WithNoObserverTimestamps()); err != nil {
		if !slices.Contains(c.digests(), digest) {
			return nil, errOtherDigest
		}
		return nil, errOtherKey
	}
	return checkTimes(b, m, d)
}

// verifySignature has the library check a bundle for a digest.
func verifySignature(c *Signature, b *bundle.Bundle, m root.TrustedMaterial, digest string, options ...verify.VerifierOption) error {
	v, err := verify.NewVerifier(m, options...)
	if err != nil {
		return err
	}
	var artifact verify.ArtifactPolicyOption
	switch {
	case c.text != nil:
		artifact = verify.WithArtifact(bytes.NewReader(c.text.payload))
	case c.Artifact != nil:
		if _, err := c.Artifact.Seek(0, io.SeekStart); err != nil {
			return err
		}
		artifact = verify.WithArtifact(c.Artifact)
	default:
		algorithm, text, _ := strings.Cut(digest, ":")
		raw, err := hex.DecodeString(text)
		if err != nil {
			return err
		}
		artifact = verify.WithArtifactDigest(algorithm, raw)
	}
	// Who it was is for the callers to compare.
	expected := verify.NewPolicy(artifact, verify.WithoutIdentitiesUnsafe())
	if b.GetVerificationMaterial().GetPublicKey() != nil {
		expected = verify.NewPolicy(artifact, verify.WithKey())
	}
	_, err = v.Verify(b, expected)
	return err
}

func checkIdentity(s *policy.IdentitySigner, c *Signature, digest string, d Demand) (*Proof, error) {
	p := &Proof{}
	match := func(leaf *x509.Certificate) error {
		sum, err := certificate.SummarizeCertificate(leaf)
		if err != nil {
			return mismatch.Malformed("certificate: %v", err)
		}
		p.Subject, p.Issuer = sum.SubjectAlternativeName, sum.Issuer
		p.ID = policy.IdentityID(p.Subject)
		if !s.Issuer.Match(p.Issuer) || !s.Subject.Match(p.Subject) {
			return mismatch.New(mismatch.RankOtherKey, "made by "+untrusted.Quoted(p.Subject)+" of issuer "+untrusted.Quoted(p.Issuer))
		}
		for _, c := range s.Claims {
			if got := claim(sum.Extensions, c.Name); !c.Match(got) {
				return mismatch.New(mismatch.RankOtherStatement, claimText(c, got))
			}
		}
		return nil
	}
	return checkCertificate(c, digest, d, &trusted{trust: d.Trust}, p, match)
}

// claimText says which claim is not as it has to be.
func claimText(c policy.Claim, got string) string {
	text := "its certificate has no " + c.Name
	if got != "" {
		text = "the " + c.Name + " in its certificate is " + untrusted.Quoted(got)
	}
	if c.Exact != "" {
		text += ", not " + untrusted.Quoted(c.Exact)
	}
	return text
}

// claim gives what a certificate says of its build, under one of the names of
// policy.ClaimNames; empty where it says nothing.
func claim(e certificate.Extensions, name string) string {
	return map[string]string{
		"githubWorkflowTrigger":    e.GithubWorkflowTrigger,
		"githubWorkflowSha":        e.GithubWorkflowSHA,
		"githubWorkflowName":       e.GithubWorkflowName,
		"githubWorkflowRepository": e.GithubWorkflowRepository,
		"githubWorkflowRef":        e.GithubWorkflowRef,
		"sourceRepositoryURI":      e.SourceRepositoryURI,
		"sourceRepositoryRef":      e.SourceRepositoryRef,
		"sourceRepositoryDigest":   e.SourceRepositoryDigest,
		"sourceRepositoryOwnerURI": e.SourceRepositoryOwnerURI,
		"buildSignerURI":           e.BuildSignerURI,
		"buildSignerDigest":        e.BuildSignerDigest,
		"buildConfigURI":           e.BuildConfigURI,
		"buildConfigDigest":        e.BuildConfigDigest,
		"buildTrigger":             e.BuildTrigger,
		"runnerEnvironment":        e.RunnerEnvironment,
	}[name]
}

func checkOwnCertificate(s *policy.CertificateSigner, c *Signature, digest string, d Demand) (*Proof, error) {
	p := &Proof{}
	match := func(leaf *x509.Certificate) error {
		names := subjectNames(leaf)
		i := slices.IndexFunc(names, s.Subject.Match)
		if i < 0 {
			return mismatch.New(mismatch.RankOtherKey, "made by "+untrusted.Quoted(strings.Join(names, ", ")))
		}
		p.Subject, p.Issuer = names[i], leaf.Issuer.String()
		p.ID = policy.IdentityID(p.Subject)
		for _, n := range names {
			p.Also = append(p.Also, policy.IdentityID(n))
		}
		return nil
	}
	m := &trusted{trust: d.Trust, own: true}
	intermediates := s.Intermediates
	if c.Chain != nil {
		intermediates = append(slices.Clip(intermediates), c.Chain()...)
	}
	for _, r := range s.Roots {
		m.authorities = append(m.authorities, &root.FulcioCertificateAuthority{Root: r, Intermediates: intermediates})
	}
	return checkCertificate(c, digest, d, m, p, match)
}

// checkCertificate is what signatures with certificates have in common. match
// compares the identity and notes it.
func checkCertificate(c *Signature, digest string, d Demand, m *trusted, p *Proof, match func(*x509.Certificate) error) (*Proof, error) {
	b, err := c.entity(byCertificate, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	content, err := b.VerificationContent()
	if err != nil {
		return nil, mismatch.Malformed("%v", err)
	}
	leaf := content.Certificate()
	if leaf == nil {
		return nil, mismatch.New(mismatch.RankOtherKey, "made with a key, not with a certificate")
	}
	if err := c.checkMessage(b); err != nil {
		return nil, err
	}
	p.Also = []string{untrusted.Sha256Of(leaf.RawSubjectPublicKeyInfo)}
	if err := match(leaf); err != nil {
		return nil, err
	}
	if err := c.isAbout(digest); err != nil {
		return nil, err
	}
	w, err := checkTimes(b, m, d)
	if err != nil {
		return nil, err
	}
	p.times, p.Entries = w.times, w.Entries
	options, times := certificateOptions(m, d, p.times)
	if len(times) == 0 {
		return nil, mismatch.New(mismatch.RankNoTime, "nothing says when it was made")
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
func certificateOptions(m *trusted, d Demand, times []signingTime) ([]verify.VerifierOption, []signingTime) {
	var o []verify.VerifierOption
	switch {
	case d.Logs > 0:
		o = append(o, verify.WithTransparencyLog(d.Logs), verify.WithObserverTimestamps(1))
	case d.Timestamps > 0:
		o = append(o, verify.WithSignedTimestamps(d.Timestamps))
	default:
		o = append(o, verify.WithCurrentTime())
		times = []signingTime{{At: time.Now()}}
	}
	if !m.own && len(m.CTLogs()) > 0 {
		o = append(o, verify.WithSignedCertificateTimestamps(1))
	}
	return o, times
}

// explainCertificate says why the library has refused a certificate.
func explainCertificate(leaf *x509.Certificate, m *trusted, times []signingTime, err error) error {
	for _, t := range times {
		chains, bad := verify.VerifyLeafCertificate(t.At, leaf, m)
		if bad != nil {
			return mismatch.New(mismatch.RankBroken, "its certificate was not valid, or is of no trusted authority, at "+
				t.At.UTC().Format(time.RFC3339))

		}
		if m.own || len(m.CTLogs()) == 0 {
			continue
		}
		if bad := verify.VerifySignedCertificateTimestamp(chains, 1, m); bad != nil {
			return mismatch.New(mismatch.RankBroken, "its certificate is in no trusted certificate log")
		}
	}
	return mismatch.New(mismatch.RankBroken, "it does not hold: "+untrusted.OneLine(err.Error()))
}

// subjectNames lists the names in a certificate, each of them as what it is. A name
// that reads like one of another kind is left out: authorities are limited by
// the kind of a name (name constraints), and policies say only the text.
func subjectNames(c *x509.Certificate) []string {
	var names []string
	add := func(name string, good bool) {
		if good {
			names = append(names, name)
		}
	}
	for _, n := range c.DNSNames {
		add(n, !strings.ContainsAny(n, "@/:!"))
	}
	for _, n := range c.EmailAddresses {
		add(n, strings.Contains(n, "@") && !strings.ContainsAny(n, "/:!"))
	}
	for _, ip := range c.IPAddresses {
		add(ip.String(), true)
	}
	for _, u := range c.URIs {
		add(u.String(), u.Scheme != "")
	}
	// What else there is, Fulcio's names of users among them, looks like user!domain.
	other, _ := cryptoutils.UnmarshalOtherNameSAN(c.Extensions) // an error: there is none
	add(other, strings.Contains(other, "!"))
	return names
}
