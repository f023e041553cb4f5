package verify

import (
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// Outcome is the answer to the question whether an image meets a policy.
type Outcome string

const (
	// Verified: every rule that matches the image is met.
	Verified Outcome = "verified"
	// Rejected: everything there is was read, and some rule is not met.
	Rejected Outcome = "rejected"
	// Unknown: some rule is not met by what was read, and not everything that
	// could have met it was read. Trying again may help.
	Unknown Outcome = "unknown"
)

// What has to be named so that a policy that asks for approvals has an answer.
const (
	LacksEnvironment = "environment" // see [Policy.For]
	LacksService     = "service"     // see [Subject]
)

// Result says what was found out about one image.
type Result struct {
	// Image is the reference exactly as it was given.
	Image string `json:"image,omitempty"`
	// Outcome is never empty in a Result that Verify returns.
	Outcome Outcome `json:"outcome,omitempty"`
	// Reason is one line for people: lower case, no full stop.
	Reason string `json:"reason,omitempty"`
	// Rule is the place of the rule that Reason is about, file:line:col with the
	// policy's name as it was given to ParsePolicy. It is empty for a yes, and
	// where no rule matches.
	Rule string `json:"rule,omitempty"`
	// Lacks says what nobody has named that an answer needs, where the outcome is
	// Unknown for that reason: LacksEnvironment or LacksService.
	Lacks string `json:"lacks,omitempty"`
	// Warned says that the image is not verified, and that every rule it does
	// not meet is only to warn. The outcome stays what it is: who goes on must
	// say so, loudly.
	Warned bool `json:"warned,omitempty"`
	// Warnings has the reason of each rule in warn mode that is not met.
	Warnings []string `json:"warnings,omitempty"`
	// Evidence has what meets the rules that match, in the order of the policy,
	// if the image is verified: one entry for each signature and attestation
	// that counts. It is empty otherwise, and also where the policy allows
	// images that no rule matches.
	Evidence []Evidence `json:"evidence,omitempty"`
	// Ignored counts signatures that are in the registry but were not looked at
	// because there were more than the limit. An image that is verified in spite
	// of that is verified.
	Ignored int `json:"ignored,omitempty"`
}

// On what evidence rests.
const (
	// KindKey: a public key of the policy.
	KindKey = "key"
	// KindKeyless: a certificate that a trusted root's authority gave to an
	// identity.
	KindKeyless = "keyless"
	// KindCertificate: a certificate of an own authority of the policy.
	KindCertificate = "certificate"
	// KindStatic: nothing; a ClusterImagePolicy says that everything passes.
	KindStatic = "static"
)

// Where in a registry a signature was found.
const (
	// StorageTag: a layer of the manifest under the tag sha256-<hex>.sig.
	StorageTag = "signature-tag"
	// StorageAttestationTag: a layer of the manifest under the tag
	// sha256-<hex>.att.
	StorageAttestationTag = "attestation-tag"
	// StorageBundle: a Sigstore bundle that refers to the image.
	StorageBundle = "bundle"
	// StorageReferrer: a layer of another manifest that refers to the image, as
	// cosign's experimental mode writes it.
	StorageReferrer = "referrer"
)

// Evidence is one signature that holds and counts.
type Evidence struct {
	// Authority is the name of the authority in the policy.
	Authority string `json:"authority,omitempty"`
	// Kind says on what the authority rests: KindKey and so on.
	Kind string `json:"kind,omitempty"`
	// KeyID is sha256:<hex> of the public key of the policy in its DER form
	// (SubjectPublicKeyInfo).
	KeyID string `json:"keyID,omitempty"`
	// Subject and Issuer are the identity in the certificate: for KindKeyless
	// the subject alternative name and who has confirmed it, for
	// KindCertificate the name that matched and the issuer of the certificate.
	Subject string `json:"subject,omitempty"`
	Issuer  string `json:"issuer,omitempty"`
	// Storage is StorageTag, StorageBundle and so on.
	Storage string `json:"storage,omitempty"`
	// Payload is sha256:<hex> of the bytes that were signed.
	Payload string `json:"payload,omitempty"`
	// PredicateType is that of an attestation, or of a statement that says that
	// the image is signed. It is empty for signatures that are no statement.
	PredicateType string `json:"predicateType,omitempty"`
	// Location is the reference, with its digest, of the manifest that led to
	// the signature.
	Location string `json:"location,omitempty"`
	// Time is the earliest time at which the signature is known to have been
	// there, and TimeSource the log or the timestamp authority that says so. It
	// is zero where the policy demands neither.
	Time       time.Time `json:"time,omitzero"`
	TimeSource string    `json:"timeSource,omitempty"`
	// Logs are the entries of transparency logs that hold the signature.
	Logs []LogEntry `json:"logs,omitempty"`
}

// LogEntry is an entry of a transparency log.
type LogEntry struct {
	LogID string `json:"logID"` // SHA-256 of the log's key, in hex
	Index int64  `json:"index"` // from 0
}

func evidenceOf(authority string, s policy.Signer, c *signature.Signature, p *signature.Proof, digest string) Evidence {
	e := Evidence{
		Authority: authority,
		Kind:      kindOfSigner(s),
		KeyID:     p.KeyID,
		Subject:   untrusted.OneLine(p.Subject),
		Issuer:    untrusted.OneLine(p.Issuer),
		Storage:   c.Storage,
		Payload:   c.Signed(digest),
		Location:  c.Location,
	}
	for _, l := range p.Entries {
		e.Logs = append(e.Logs, LogEntry{LogID: l.ID, Index: l.Index})
	}
	if c.Statement != nil {
		e.PredicateType = c.Statement.GetPredicateType()
	}
	if t, ok := p.First(); ok {
		e.Time, e.TimeSource = t.At.UTC(), t.By
	}
	return e
}

func kindOfSigner(s policy.Signer) string {
	switch s.(type) {
	case *policy.KeySigner:
		return KindKey
	case *policy.IdentitySigner:
		return KindKeyless
	}
	return KindCertificate
}
