package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
)

// FormError says that a bundle has a form that is not read, although cosign or gh
// writes it. Nothing was judged.
type FormError struct {
	Msg  string // lower case, no full stop
	Hint string // what to do
}

// Error is the message, without the hint.
func (e *FormError) Error() string { return e.Msg }

// HintText gives the hint.
func (e *FormError) HintText() string { return e.Hint }

// checkForm looks whether what should be a bundle is something else that holds
// signatures. Anything that it does not know is for the parser of bundles.
func checkForm(data []byte) error {
	data = bytes.TrimSpace(data)
	if raw, err := base64.StdEncoding.DecodeString(string(data)); err == nil && len(raw) >= 64 && len(raw) <= 1024 {
		return &FormError{"bundle is a bare signature, as cosign writes it with --output-signature",
			"cosign sign-blob --new-bundle-format --bundle app.sigstore.json --key cosign.key app"}
	}
	if bytes.HasPrefix(data, []byte("[")) {
		var list []json.RawMessage
		if json.Unmarshal(data, &list) == nil && len(list) > 0 {
			return &FormError{"bundle is a list of several, and one is judged at a time", "jq -c '.[0]' bundles.json > bundle.json"}
		}
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	var first map[string]json.RawMessage
	if dec.Decode(&first) != nil {
		return nil
	}
	var second map[string]json.RawMessage
	if dec.More() && dec.Decode(&second) == nil {
		return &FormError{"bundle is a file of several, one a line, and one is judged at a time", "split -l 1 bundles.jsonl bundle-"}
	}
	switch {
	case first["base64Signature"] != nil:
		return &FormError{"bundle is in the form that cosign 2 writes without --new-bundle-format",
			"cosign sign-blob --new-bundle-format --bundle app.sigstore.json --key cosign.key app"}
	case first["payloadType"] != nil && first["signatures"] != nil:
		return &FormError{"bundle is a bare DSSE envelope, as cosign writes it with --output-attestation",
			"cosign attest-blob --new-bundle-format --bundle app.sigstore.json --key cosign.key --predicate predicate.json app"}
	case first["bundle"] != nil && first["mediaType"] == nil:
		return &FormError{"bundle stands in the field \"bundle\" of what GitHub answers", "jq -c .bundle attestation.json > bundle.json"}
	}
	return nil
}
