package verify

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

// Result says what was found out about one image.
type Result struct {
	// Image is the reference exactly as it was given.
	Image string `json:"image,omitempty"`
	// Outcome is never empty in a Result that Verify returns.
	Outcome Outcome `json:"outcome,omitempty"`
	// Reason is one line for people: lower case, no full stop.
	Reason string `json:"reason,omitempty"`
	// Evidence has one entry for each rule that matches, in the order of the
	// policy, if the image is verified. It is empty otherwise, and also where
	// the policy allows images that no rule matches.
	Evidence []Evidence `json:"evidence,omitempty"`
	// Ignored counts signatures that are in the registry but were not looked at
	// because there were more than the limit. An image that is verified in spite
	// of that is verified.
	Ignored int `json:"ignored,omitempty"`
}

// KindKey is the Kind of evidence that rests on a public key of the policy.
const KindKey = "key"

// The places in a registry where evidence is found.
const (
	// StorageTag: a layer of the manifest under the tag sha256-<hex>.sig.
	StorageTag = "signature-tag"
	// StorageBundle: a Sigstore bundle that refers to the image.
	StorageBundle = "bundle"
)

// Evidence is one signature that holds and counts.
type Evidence struct {
	// Authority is the name of the authority in the policy.
	Authority string `json:"authority,omitempty"`
	// Kind says on what the authority rests: KindKey.
	Kind string `json:"kind,omitempty"`
	// KeyID is sha256:<hex> of the public key of the policy in its DER form
	// (SubjectPublicKeyInfo).
	KeyID string `json:"keyID,omitempty"`
	// Storage is StorageTag or StorageBundle.
	Storage string `json:"storage,omitempty"`
	// Payload is sha256:<hex> of the bytes that were signed.
	Payload string `json:"payload,omitempty"`
	// Location is the reference, with its digest, of the manifest that led to
	// the signature.
	Location string `json:"location,omitempty"`
}
