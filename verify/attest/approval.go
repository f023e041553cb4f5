package attest

import (
	"errors"
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/statement"
)

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
		p["expires"] = statement.Stamp(a.Expires)
	}
	p["time"] = statement.Stamp(a.Time)
	return newStatement(a.Image, statement.ApprovalType, p)
}
