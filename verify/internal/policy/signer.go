package policy

import (
	"crypto/x509"
	"strings"

	"github.com/kubepromote/kubepromote/verify/internal/keys"
)

// Signer is a key or an identity whose signatures count.
type Signer interface {
	// only is the id of the one signer it can be, or "" if there are many.
	only() string
}

// KeySigner accepts signatures by one key of the policy.
type KeySigner struct{ Key *keys.Public }

func (s *KeySigner) only() string { return s.Key.ID }

// IdentitySigner accepts signatures with certificates that a trusted authority
// has given to an identity.
type IdentitySigner struct {
	Issuer, Subject Matcher
	Claims          []Claim // all of them
}

// Claim is what else a certificate has to say of the build that it was given to.
// The subject of a workflow that many repositories call is the same for all of
// them: which of them was built stands in the claims alone.
type Claim struct {
	Name string
	Matcher
}

// ClaimNames are the claims that can be asked for. The first five are what GitHub's
// certificates have had from the beginning, under the names that cosign has for
// them; the others are those of every CI service.
func ClaimNames() []string {
	return []string{
		"githubWorkflowTrigger", "githubWorkflowSha", "githubWorkflowName", "githubWorkflowRepository", "githubWorkflowRef",
		"sourceRepositoryURI", "sourceRepositoryRef", "sourceRepositoryDigest", "sourceRepositoryOwnerURI",
		"buildSignerURI", "buildSignerDigest", "buildConfigURI", "buildConfigDigest", "buildTrigger", "runnerEnvironment",
	}
}

func (s *IdentitySigner) only() string {
	if s.Issuer.Exact != "" && s.Subject.Exact != "" {
		return IdentityID(s.Subject.Exact)
	}
	return ""
}

// IdentityID leaves the issuer out: whoever has the same address with two of them
// is one person where signers are counted. Case makes no second one either.
func IdentityID(subject string) string { return "identity " + strings.ToLower(subject) }

// CertificateSigner accepts signatures with certificates of an own authority.
type CertificateSigner struct {
	Roots, Intermediates []*x509.Certificate
	Subject              Matcher
}

func (s *CertificateSigner) only() string {
	if s.Subject.Exact != "" {
		return IdentityID(s.Subject.Exact)
	}
	return ""
}
