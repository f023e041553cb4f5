package verify

import (
	_ "embed" // the schema
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/verify/internal/policy"
)

// Policy says which images need which signatures. It comes from ParsePolicy
// and is not changed afterwards, so it may be used concurrently. The zero
// value has no rules and rejects every image.
type Policy struct{ model policy.Policy }

// PolicyError is one problem of a policy file.
type PolicyError struct {
	File string // as given to ParsePolicy
	Line int    // from 1
	Col  int    // from 1, in characters
	Msg  string // lower case, no full stop
	Hint string // what to do or type; may be empty
}

// Error has the form file:line:col: message, without the hint.
func (e *PolicyError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
}

func policyError(f yamlfile.Fault) *PolicyError {
	return &PolicyError{f.File, max(f.Line, 1), max(f.Col, 1), f.Msg, f.Hint}
}

// HintText gives the hint, or "".
func (e *PolicyError) HintText() string { return e.Hint }

//go:embed schema.json
var schema []byte

// PolicySchema gives the JSON Schema of the VerificationPolicy, draft 2020-12. It says which
// fields there are; [ParsePolicy] says more.
func PolicySchema() []byte { return slices.Clone(schema) }

// ParsePolicy reads a policy file strictly: whatever it does not understand
// completely is an error. The file holds one VerificationPolicy, or what the
// policy-controller of Sigstore has in a cluster: ClusterImagePolicies, and the
// TrustRoots they name. name is the file's name for messages. readFile reads
// a key file that the policy names; it gets the path as it is written there,
// and the caller decides relative to what, and whether, it may be read. With a
// nil readFile a policy that names key files is an error.
//
// The error joins a *PolicyError for each problem of the file, in the order of
// the file (errors.Join).
func ParsePolicy(name string, data []byte, readFile func(path string) ([]byte, error)) (*Policy, error) {
	p, faults := policy.Parse(name, data, readFile)
	var errs []error
	for _, f := range faults {
		errs = append(errs, policyError(f))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Policy{*p}, nil
}

// Name is the name in the metadata of the policy; it may be empty.
func (p *Policy) Name() string { return p.model.Name }

// Warnings lists what the policy says that is allowed and hardly meant, such as
// a regular expression that matches everything. They are for the person who
// writes the policy.
func (p *Policy) Warnings() []*PolicyError {
	var all []*PolicyError
	for _, w := range p.model.Warnings {
		all = append(all, policyError(w))
	}
	return all
}

// For gives the same policy for what goes to one environment: approvals that an
// authority is asked for have to be for that environment. Everything else means
// the same. Without For, nothing can be said of a rule that asks for approvals:
// unless authorities that ask for something else meet it, the outcome is Unknown.
func (p *Policy) For(environment string) *Policy { return &Policy{*p.model.For(environment)} }

// Promoted gives a policy that asks the same authorities for something else: a
// verification summary that says that the image has passed the gates of an
// environment, in place of a signature or of other attestations. Conditions that
// an authority has on verification summaries stay, and so do ages, names, logs
// and the number of distinct signers. An authority that is met by every image,
// as a ClusterImagePolicy may have one, attests nothing and is met by none. An
// image that no rule matches is rejected, whatever the policy says of those:
// nobody is named whose word would count for it. It is the digest itself that
// has been promoted, so the summary has to be about it, also where signatures of
// the images in an index would do. A summary in which a gate was overruled does
// not count. A rule in warn mode stays one.
func (p *Policy) Promoted(environment string) *Policy { return &Policy{*p.model.Promoted(environment)} }

// PublicGoodRoot is the trusted root of Sigstore's public good instance that is
// part of the program, as a trusted_root.json, and the date of that copy. What
// the instance has added since is not in it; FetchTrustedRoot gets the newest.
func PublicGoodRoot() (json []byte, date time.Time) { return policy.PublicGoodRoot() }

// TUFClient gets a file that a TUF repository vouches for. It is implemented by
// *tuf.Client of github.com/sigstore/sigstore-go/pkg/tuf.
type TUFClient interface {
	GetTarget(name string) ([]byte, error)
}

// FetchTrustedRoot gets the newest trusted root through a client. It is the one
// function of this package that asks anybody but a registry. The result is a
// trusted_root.json that has been parsed, to be written to a file that policies
// name.
func FetchTrustedRoot(client TUFClient) ([]byte, error) { return policy.FetchTrustedRoot(client) }
