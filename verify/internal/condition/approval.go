package condition

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// NoService is the error about an approval that is for one service, where nobody has
// said which service it is asked for: whether it counts cannot be told.
type NoService struct {
	Service string // as the approval has it
}

// Error is one line, lower case.
func (e *NoService) Error() string {
	return "the approval is for the service " + untrusted.Quoted(e.Service) + ", and none is given"
}

// ApprovalWant is what an approval has to say so that it counts. Digest,
// Environment and Now are required.
type ApprovalWant struct {
	Digest      string // sha256:<hex>
	Environment string
	// Service is the one to be promoted. An approval that names no service is
	// good for every one; where Service is empty, one that names a service gives
	// a *NoService.
	Service string
	Commit  string // for which the approval must have been given; empty: any
	Now     time.Time
}

// CheckApproval says whether a statement is an approval that counts. A nil
// error means that it does; an error says in one line why not. The statement
// must have been verified before, and whether two approvals are by two people
// is a matter of their signatures.
func CheckApproval(s statement.Statement, want ApprovalWant) error {
	if want.Environment == "" || want.Now.IsZero() {
		return errors.New("there is no environment or no time to compare the approval with")
	}
	switch {
	case s.PredicateType() != statement.ApprovalType:
		return mismatch.NotMet("it states %s, which is no approval", untrusted.Quoted(s.PredicateType()))
	case !s.About(want.Digest):
		return mismatch.NotMet("it is about another digest")
	}
	p := statement.Object(s.Predicate())
	if err := cmp.Or(
		expect("the environment", p.Text("environment"), want.Environment),
		expect("the commit", p.Text("commit"), want.Commit),
		want.checkTimes(p),
	); err != nil {
		return err
	}
	switch _, one := p["service"]; {
	case !one:
		return nil
	case want.Service == "":
		return &NoService{p.Text("service")}
	}
	return expect("the service", p.Text("service"), want.Service)
}

func (w *ApprovalWant) checkTimes(p statement.Object) error {
	given, err := p.Time("time")
	if err != nil {
		return err
	}
	if w.Now.Sub(given) < -statement.ClockSkew {
		return mismatch.NotMet("it was made in the future, %s", statement.Stamp(given))
	}
	if p["expires"] == nil {
		return nil
	}
	expires, err := p.Time("expires")
	if err != nil {
		return err
	}
	if !w.Now.Before(expires) {
		return mismatch.Over("it has expired, %s", statement.Stamp(expires))
	}
	return nil
}

// Approval is met by an approval of a service for an environment that has not expired.
func Approval(environment, service string, now time.Time) Condition {
	return approval{ApprovalWant{Environment: environment, Service: service, Now: now}}
}

// approval is CheckApproval as a condition.
type approval struct{ want ApprovalWant }

// Eval implements [Condition].
func (r approval) Eval(_ context.Context, in Input) error {
	s, err := statement.FromFields(in.Statement)
	if err != nil {
		return mismatch.Malformed("%v", err)
	}
	r.want.Digest = in.Digest
	return CheckApproval(s, r.want)
}

// expect compares what a statement says with what is wanted, where something is
// wanted.
func expect(what, got, want string) error {
	if want != "" && got != want {
		return mismatch.NotMet("%s is %s, not %s", what, untrusted.Quoted(got), untrusted.Quoted(want))
	}
	return nil
}
