package verify

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

const approvalPredicateType = "https://kubepromote.dev/approval/v1"

// Approval is somebody's consent to an image in an environment. Who that is,
// the signature says; Approver is for people only.
type Approval struct {
	Image       string    // repository@sha256:<hex>; required
	Environment string    // for which it holds; required
	Service     string    // for which it holds; empty: for every one
	Commit      string    // full name of the commit it was given for
	Repository  string    // of that commit, a URI
	Approver    string    // name as it is to be shown
	Note        string    // why
	Time        time.Time // when it was given; required
	Expires     time.Time // from then on it holds no longer; zero: never
}

// NewApproval makes the statement of an approval, of the predicate type
// https://kubepromote.dev/approval/v1. It looks at no clock. The error is one
// line for people and names the field.
func NewApproval(a Approval) (Statement, error) {
	s, err := a.statement()
	if err != nil {
		return Statement{}, fmt.Errorf("approval: %w", err)
	}
	return s, nil
}

func (a *Approval) statement() (Statement, error) {
	if err := checkFields(
		field{"environment", a.Environment, true}, field{"service", a.Service, false},
		field{"repository", a.Repository, false}, field{"approver", a.Approver, false}, field{"note", a.Note, false},
	); err != nil {
		return Statement{}, err
	}
	if a.Repository != "" {
		if err := checkURI(a.Repository); err != nil {
			return Statement{}, err
		}
	}
	if err := checkCommit(a.Commit); err != nil {
		return Statement{}, err
	}
	p := present("environment", a.Environment, "service", a.Service, "commit", a.Commit,
		"repository", a.Repository, "approver", a.Approver, "note", a.Note)
	switch {
	case a.Time.IsZero():
		return Statement{}, errors.New("time is missing")
	case a.Expires.IsZero():
	case !a.Expires.After(a.Time):
		return Statement{}, errors.New("it expires before it is given")
	default:
		p["expires"] = stamp(a.Expires)
	}
	p["time"] = stamp(a.Time)
	return newStatement(a.Image, approvalPredicateType, p)
}

// ApprovalWant is what an approval has to say so that it counts. Digest,
// Environment and Now are required; what else is empty is not compared.
type ApprovalWant struct {
	Digest      string // sha256:<hex>
	Environment string
	// Service is the one to be promoted. An approval that names no service is
	// good for every one.
	Service string
	Commit  string // for which the approval must have been given
	Now     time.Time
	MaxAge  time.Duration // 0: any age
}

// CheckApproval says whether a statement is an approval that counts. A nil
// error means that it does; an error says in one line why not. The statement
// must have been verified before, and whether two approvals are by two people
// is a matter of their signatures.
func CheckApproval(s Statement, want ApprovalWant) error {
	if want.Environment == "" || want.Now.IsZero() {
		return errors.New("there is no environment or no time to compare the approval with")
	}
	return want.check(s)
}

// check is CheckApproval, and compares no environment where none is wanted.
func (want ApprovalWant) check(s Statement) error {
	switch {
	case s.predicateType != approvalPredicateType:
		return notMet("it states %s, which is no approval", quoted(s.predicateType))
	case !s.About(want.Digest):
		return notMet("it is about another digest")
	}
	p := object(s.predicate())
	if _, one := p["service"]; !one {
		want.Service = ""
	}
	if err := cmp.Or(
		expect("the environment", p.text("environment"), want.Environment),
		expect("the service", p.text("service"), want.Service),
		expect("the commit", p.text("commit"), want.Commit),
	); err != nil {
		return err
	}
	given, err := p.time("time")
	if err != nil {
		return err
	}
	if err := checkAge(given, want.Now, want.MaxAge); err != nil || p["expires"] == nil {
		return err
	}
	expires, err := p.time("expires")
	if err != nil {
		return err
	}
	if !want.Now.Before(expires) {
		return notMet("it has expired, %s", stamp(expires))
	}
	return nil
}
