package record

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
