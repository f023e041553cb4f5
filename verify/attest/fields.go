package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const (
	// maxField bounds a text that goes into a statement.
	maxField = 4096 // bytes
)

// Resource is something that a statement refers to: a policy, an attestation.
type Resource struct {
	URI    string // absolute, as git+https://git.example.com/infra@<commit>#kubepromote.yaml
	Digest string // sha256:<hex> of its bytes; may be empty where the URI is enough
}

// resourceDescriptor is the form of a Resource in a statement.
type resourceDescriptor struct {
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest,omitempty"`
}

func (r Resource) descriptor() (resourceDescriptor, error) {
	d := resourceDescriptor{URI: r.URI}
	if r.URI != "" {
		if err := checkURI(r.URI); err != nil {
			return d, err
		}
	}
	if r.Digest != "" {
		hex, ok := strings.CutPrefix(r.Digest, "sha256:")
		if !ok || !untrusted.IsHex(hex, 64) {
			return d, fmt.Errorf("%s is no digest (sha256:...)", untrusted.Quoted(r.Digest))
		}
		d.Digest = map[string]string{"sha256": hex}
	}
	return d, nil
}

// newStatement makes a statement about one image, repository@sha256:hex.
func newStatement(image, predicateType string, predicate any) (Statement, error) {
	repo, digest, err := statement.ParseImage(image)
	if err != nil {
		return Statement{}, err
	}
	type subject struct {
		Name   string            `json:"name"`
		Digest map[string]string `json:"digest"`
	}
	payload, err := json.Marshal(struct {
		Type          string    `json:"_type"`
		Subject       []subject `json:"subject"`
		PredicateType string    `json:"predicateType"`
		Predicate     any       `json:"predicate"`
	}{
		statement.Type,
		[]subject{{repo.Name(), map[string]string{digest.Algorithm: digest.Hex}}},
		predicateType,
		predicate,
	})
	if err != nil {
		return Statement{}, err
	}
	// What cannot be read must not be signed.
	return statement.Parse(payload)
}

// field is a text of a statement that is being made.
type field struct {
	name, value string
	required    bool
}

func checkFields(fields ...field) error {
	for _, f := range fields {
		switch {
		case f.required && f.value == "":
			return fmt.Errorf("%s is missing", f.name)
		case len(f.value) > maxField:
			return fmt.Errorf("%s has more than %d bytes", f.name, maxField)
		case strings.ToValidUTF8(f.value, "") != f.value:
			return fmt.Errorf("%s is no valid UTF-8", f.name)
		}
	}
	return nil
}

func checkURI(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || len(s) > maxField {
		return fmt.Errorf("%s is no absolute URI", untrusted.Quoted(s))
	}
	if u.User != nil {
		if _, secret := u.User.Password(); secret {
			return errors.New("a URI has a password in it")
		}
	}
	return nil
}

// checkCommit accepts the full name of a Git commit, SHA-1 or SHA-256.
func checkCommit(s string) error {
	if s != "" && !untrusted.IsHex(s, 40) && !untrusted.IsHex(s, 64) {
		return fmt.Errorf("commit %s is no full commit name", untrusted.Quoted(s))
	}
	return nil
}

// Statement is an in-toto statement (https://in-toto.io/Statement/v1): somebody
// says something about the artifacts with the digests of its subjects. It comes
// from NewVSA or NewApproval and is not changed afterwards. Who says it, and
// whether, is not part of it: that is the signature.
type Statement = statement.Statement
