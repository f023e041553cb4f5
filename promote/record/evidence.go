package record

import "time"

// Evidence is what a verifier found.
type Evidence struct {
	// Authority is the policy's name for who signed.
	Authority string `json:"authority,omitempty"`
	// Kind is how: key, keyless or certificate.
	Kind string `json:"kind,omitempty"`
	// KeyID is the fingerprint of the key: sha256 and the digest of its DER form.
	KeyID string `json:"keyID,omitempty"`
	// Subject and Issuer are who signed and who has confirmed it, where there was
	// a certificate.
	Subject string `json:"subject,omitempty"`
	Issuer  string `json:"issuer,omitempty"`
	// Storage is where the signature was found: signature-tag or bundle.
	Storage string `json:"storage,omitempty"`
	// Payload is the digest of the signed bytes.
	Payload string `json:"payload,omitempty"`
	// PredicateType is that of an attestation.
	PredicateType string `json:"predicateType,omitempty"`
	// Location is the manifest that led to the signature.
	Location string `json:"location,omitempty"`
	// Time is when the signature is known to have been there; zero where nothing
	// says so.
	Time time.Time `json:"time,omitzero"`
	// Logs are its entries in transparency logs: the log's ID, "/", the index.
	Logs []string `json:"logs,omitempty"`
}

// RuleFile is a file with rules that does not come from the repository's commit.
type RuleFile struct {
	// Kind is pipeline, policy or key; or commit, for all rules of the home where the
	// target is elsewhere.
	Kind string `json:"kind"`
	// Name is what it is called, without the directory that it was found in; of a commit
	// its branch.
	Name string `json:"name"`
	// Digest is that of its bytes: sha256 and hexadecimal digits; or the commit.
	Digest string `json:"digest"`
}

// String is the value of its trailer.
func (r RuleFile) String() string { return r.Kind + " " + r.Digest + " " + r.Name }
