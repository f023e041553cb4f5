package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

const (
	statementType = "https://in-toto.io/Statement/v1"
	// maxField bounds a text that goes into a statement.
	maxField = 4096 // bytes
	// clockSkew is how far ahead the clock of whoever made a statement may be.
	clockSkew = 5 * time.Minute
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
		if !ok || !isHex(hex, 64) {
			return d, fmt.Errorf("%s is no digest (sha256:...)", quoted(r.Digest))
		}
		d.Digest = map[string]string{"sha256": hex}
	}
	return d, nil
}

// newStatement makes a statement about one image, repository@sha256:hex.
func newStatement(image, predicateType string, predicate any) (Statement, error) {
	t, err := parseTarget(image)
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
		statementType,
		[]subject{{t.repo.Name(), map[string]string{t.digest.Algorithm: t.digest.Hex}}},
		predicateType,
		predicate,
	})
	if err != nil {
		return Statement{}, err
	}
	// What cannot be read must not be signed.
	return ParseStatement(payload)
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
		return fmt.Errorf("%s is no absolute URI", quoted(s))
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
	if s != "" && !isHex(s, 40) && !isHex(s, 64) {
		return fmt.Errorf("commit %s is no full commit name", quoted(s))
	}
	return nil
}

func isHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdef") == ""
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// object is an object of a predicate that is being read. A field of another
// type counts as one that is not there.
type object map[string]any

func (o object) text(name string) string {
	s, _ := o[name].(string)
	return s
}

func (o object) object(name string) object {
	m, _ := o[name].(map[string]any)
	return m
}

func (o object) list(name string) []any {
	l, _ := o[name].([]any)
	return l
}

func (o object) time(name string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, o.text(name))
	if err != nil {
		return t, notMet("%s %s is no time", name, quoted(o.text(name)))
	}
	return t, nil
}

// checkAge looks at the time at which something was made. A maximum of 0 is none.
func checkAge(made, now time.Time, most time.Duration) error {
	switch age := now.Sub(made); {
	case age < -clockSkew:
		return notMet("it was made in the future, %s", stamp(made))
	case most != 0 && age > most:
		return notMet("it is of %s, and older than %s", stamp(made), most)
	}
	return nil
}

// expect compares what a statement says with what is wanted, where something is
// wanted.
func expect(what, got, want string) error {
	if want != "" && got != want {
		return notMet("%s is %s, not %s", what, quoted(got), quoted(want))
	}
	return nil
}
