package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/condition"
	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/source"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// ApprovalState says whether an approval counts.
type ApprovalState string

// The states.
const (
	// ApprovalCounts: an authority of the policy has signed it, for the environment and
	// the service that were asked about, and it has not expired.
	ApprovalCounts ApprovalState = "counts"
	// ApprovalExpired: it did count until Expires, or until it was older than the policy
	// lets it be.
	ApprovalExpired ApprovalState = "expired"
	// ApprovalOther: an authority has signed it, and it is for something else.
	ApprovalOther ApprovalState = "other"
	// ApprovalForeign: no authority of the policy has signed it. What it says anybody may
	// have written.
	ApprovalForeign ApprovalState = "foreign"
)

// Approval is a statement of approval beside an image.
type Approval struct {
	State ApprovalState
	// Reason says in one line why it does not count.
	Reason string
	// Signer is equal for all that one signer has made; empty where it is foreign.
	Signer string
	// Evidence is the signature's; of one that is foreign, where it was found.
	Evidence Evidence
	// What the statement says. Approver is a name for people: who it was, Evidence tells.
	Approver, Note, Environment, Service, Commit string
	// Time is when it was given, by the signature where that has a time, else as it says
	// itself. Expires is zero where it does not.
	Time, Expires time.Time
}

// Approvals lists all approvals of one image that stand beside it, by the authorities of
// the rules that match and by others, and says which of them count for an environment.
// How many the policy's rules ask for has no say. The error tells that not all could be
// read, or what cannot be asked about; it is one line for people.
func (v *Verifier) Approvals(ctx context.Context, p *Policy, s Subject, environment string) ([]Approval, error) {
	switch {
	case p == nil:
		return nil, errors.New("there is no policy")
	case environment == "":
		return nil, errors.New("no environment is given")
	}
	t, err := v.target(ctx, s.Image)
	if err != nil {
		return nil, err
	}
	if t.layout != nil {
		defer t.layout.Close()
	}
	rules := p.model.Approved(environment).Matching(t.name())
	if len(rules) == 0 {
		return nil, fmt.Errorf("no rule of %s matches", untrusted.Quoted(p.Name()))
	}
	ctx, cancel := context.WithTimeout(ctx, v.o.Timeout)
	defer cancel()
	x := &examination{v: v, t: t, rules: rules, sources: map[string]source.Source{}}
	j := newJudge(t.digest, t.name(), v.now(), rules)
	j.service, j.approvals = s.Service, &approvals{at: map[*signature.Signature]int{}}
	x.read(ctx, j)
	switch {
	case ctx.Err() != nil:
		err = errors.New(interrupted(ctx, v.o.Timeout))
	case len(j.unread) > 0:
		err = errors.New(j.unread[0])
	case j.ignored > 0:
		err = fmt.Errorf("%s beyond the limit", untrusted.Number(j.ignored, "attestation"))
	}
	return j.approvals.list(), err
}

// approvals are those that a judge has seen.
type approvals struct {
	all  []Approval
	rank []int
	at   map[*signature.Signature]int
	same trial // knows which ids are of one signer
}

// found is what came of comparing a signature with one signer of an authority.
type found struct {
	authority *policy.Authority
	signer    policy.Signer
	signature *signature.Signature
	proof     *signature.Proof
	err       error
	held      bool // the signature is the signer's
}

// add notes an approval, in the best light that a signer puts it in.
func (a *approvals) add(j *judge, f found) {
	digest := j.digest.String()
	state, rank, reason := ApprovalForeign, 0, ""
	if f.err != nil {
		reason = untrusted.Message(f.err.Error())
	}
	m, _ := errors.AsType[*mismatch.Error](f.err)
	switch {
	case f.held && f.err == nil:
		state, rank = ApprovalCounts, 3
	case f.held && m != nil && (m.Rank == mismatch.RankExpired || m.Rank == mismatch.RankAge):
		state, rank = ApprovalExpired, 2
	case m == nil && !errors.As(f.err, new(*condition.NoService)):
		j.missed(f.err)
		return
	case f.held:
		state, rank = ApprovalOther, 1
	}
	n, ok := a.at[f.signature]
	if !ok {
		n = len(a.all)
		a.at[f.signature], a.all, a.rank = n, append(a.all, Approval{}), append(a.rank, -1)
	}
	if a.rank[n] >= rank {
		return
	}
	one := Approval{State: state, Reason: reason}
	if f.held {
		one.Evidence = evidenceOf(f.authority.Name, f.signer, f.signature, f.proof, digest)
		for _, id := range f.proof.Also {
			a.same.join(f.proof.ID, id)
		}
		one.Signer = f.proof.ID
	} else {
		one.Evidence = Evidence{Storage: f.signature.Storage, Location: f.signature.Location, Payload: f.signature.Signed(digest), PredicateType: statement.ApprovalType}
	}
	one.says(f.signature, digest)
	a.all[n], a.rank[n] = one, rank
}

// says takes over what the statement says.
func (a *Approval) says(c *signature.Signature, digest string) {
	fields, err := c.Decoded(digest)
	if err != nil {
		a.Reason = untrusted.Message(err.Error())
		return
	}
	p := statement.Object(fields).Object("predicate")
	for name, to := range map[string]*string{"approver": &a.Approver, "note": &a.Note, "environment": &a.Environment, "service": &a.Service, "commit": &a.Commit} {
		*to = untrusted.OneLine(p.Text(name))
	}
	a.Time, _ = p.Time("time") // one that is none is no time
	if p["expires"] != nil {
		a.Expires, _ = p.Time("expires")
	}
	if !a.Evidence.Time.IsZero() {
		a.Time = a.Evidence.Time
	}
}

// list gives the approvals with their signers. Two ids that turned out to be of one are
// one.
func (a *approvals) list() []Approval {
	for n := range a.all {
		a.all[n].Signer = a.same.signer(a.all[n].Signer)
	}
	return a.all
}
