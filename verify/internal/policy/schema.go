package policy

import _ "embed"

//go:embed schema.json
var policySchema []byte

// Schema is the JSON schema of a VerificationPolicy, for editors and for
// checks where no key file can be read. ParsePolicy is stricter: it also reads
// keys, patterns, regular expressions and conditions.
func Schema() []byte { return append([]byte(nil), policySchema...) }
