package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubepromote/kubepromote/verify/internal/condition"
	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/policy"
	"github.com/kubepromote/kubepromote/verify/internal/signature"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// judge takes in what is found about one digest and has an answer for each
// rule.
type judge struct {
	digest     v1.Hash
	repository string // the name that rules and signatures are compared with
	service    string // the one that the image is for; empty where nobody has said
	now        time.Time
	trials     []*trial
	seen       int      // signatures, and things that should have been some
	attested   int      // of these, attestations and what could not be read
	isIndex    bool     // the digest is that of an index, as far as that was asked
	unread     []string // what could not be read
	ignored    int      // signatures beyond the limits
	noService  bool     // an approval is for a service, and none is given
	// approvals, if not nil, has all approvals that are found listed. Then no rule is met,
	// so that all are read.
	approvals *approvals
}

// trial is one rule, and what has been found for it so far.
type trial struct {
	rule  *policy.Rule
	found [][][]finding     // by authority, then by what it demands
	why   *mismatch.Error   // why the signatures so far do not count
	same  map[string]string // ids of signers that are another one as well
}

// finding is a signature that counts, and whose it is.
type finding struct {
	id       string
	evidence Evidence
}

// ruleResult is the answer for one rule.
type ruleResult struct {
	outcome  Outcome
	reason   string
	lacks    string // LacksEnvironment or LacksService
	evidence []Evidence
}

func newJudge(digest v1.Hash, repository string, now time.Time, rules []*policy.Rule) *judge {
	j := &judge{digest: digest, repository: repository, now: now}
	for _, r := range rules {
		t := &trial{rule: r}
		for _, a := range r.Authorities {
			found := make([][]finding, max(1, len(a.Attestations)))
			if a.Always {
				found[0] = []finding{{"", Evidence{Authority: a.Name, Kind: KindStatic}}}
			}
			if a.Never != "" {
				t.why = mismatch.New(mismatch.RankCondition, a.Never)
			}
			t.found = append(t.found, found)
		}
		j.trials = append(j.trials, t)
	}
	return j
}

// done says that nothing more has to be read.
func (j *judge) done() bool {
	return !slices.ContainsFunc(j.trials, func(t *trial) bool { return !t.met() })
}

// wants says whether an open rule can still be met by signatures, or by
// attestations, in a repository.
func (j *judge) wants(in policy.Repository, attestations bool) bool {
	return slices.ContainsFunc(j.trials, func(t *trial) bool {
		return !t.met() && slices.ContainsFunc(t.rule.Authorities, func(a *policy.Authority) bool {
			return len(a.Attestations) > 0 == attestations && slices.Contains(a.Repositories(), in)
		})
	})
}

// consider tries a signature with the authorities of every rule that is open.
func (j *judge) consider(ctx context.Context, c *signature.Signature) {
	j.seen++
	if c.Statement != nil && c.IsFor(statement.SignType) != nil {
		j.attested++
	}
	for _, t := range j.trials {
		for i, a := range t.rule.Authorities {
			if t.met() || ctx.Err() != nil {
				break
			}
			if !slices.Contains(a.Repositories(), c.Repository) {
				continue
			}
			if len(a.Attestations) == 0 {
				j.try(ctx, t, i, 0, c, nil)
			}
			for k, r := range a.Attestations {
				j.try(ctx, t, i, k, c, r)
			}
		}
	}
}

// try compares a signature with one demand of an authority.
func (j *judge) try(ctx context.Context, t *trial, i, k int, c *signature.Signature, r *policy.Attestation) {
	a := t.rule.Authorities[i]
	want := statement.SignType
	if r != nil {
		if r.LacksEnvironment() {
			return // the rule says so in its result
		}
		want = r.PredicateType
	}
	if err := c.IsFor(want); err != nil {
		j.note(t, err)
		return
	}
	for _, s := range a.Signers {
		p, err := untrusted.Guarded(func() (*signature.Proof, error) {
			return signature.Check(s, c, j.digest.String(), signature.Demand{Trust: a.Trust, Logs: a.Logs, Timestamps: a.Timestamps})
		})
		held := err == nil
		if held {
			err = j.accept(ctx, t.rule, a, r, c, p)
		}
		if j.approvals != nil {
			j.approvals.add(j, found{a, s, c, p, err, held})
			continue
		}
		if err != nil {
			j.note(t, err)
			continue
		}
		for _, id := range p.Also {
			t.join(p.ID, id)
		}
		t.found[i][k] = append(t.found[i][k], finding{p.ID, evidenceOf(a.Name, s, c, p, j.digest.String())})
	}
}

// accept looks at what else is demanded of a signature that holds.
func (j *judge) accept(ctx context.Context, r *policy.Rule, a *policy.Authority, at *policy.Attestation, c *signature.Signature, p *signature.Proof) error {
	digest := j.digest.String()
	if err := checkSignedName(r, c.Names(digest), j.repository); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(a.Annotations)) {
		want := a.Annotations[key]
		if got, ok := c.Annotation(digest, key); !ok || got != want {
			return mismatch.New(mismatch.RankCondition, fmt.Sprintf("its annotation %s is not %s", untrusted.Quoted(key), untrusted.Quoted(want)))
		}
	}
	limit := r.MaxAge
	if at != nil && at.MaxAge > 0 && (limit == 0 || at.MaxAge < limit) {
		limit = at.MaxAge
	}
	if limit > 0 {
		t, ok := p.First()
		if !ok {
			return mismatch.New(mismatch.RankNoTime, "nothing says when it was made")
		}
		age := j.now.Sub(t.At)
		if age < -statement.ClockSkew {
			return mismatch.New(mismatch.RankAge, "made in the future, at "+t.At.UTC().Format(time.RFC3339))
		}
		if age > limit {
			return mismatch.New(mismatch.RankAge, fmt.Sprintf("made at %s, more than %s ago", t.At.UTC().Format(time.RFC3339), limit))
		}
	}
	if at != nil {
		return j.holds(ctx, at, c)
	}
	return nil
}

// malformed counts something that stands where a signature should, and is none.
func (j *judge) malformed(err error) {
	j.seen++
	j.attested++
	for _, t := range j.trials {
		j.note(t, err)
	}
}

func (j *judge) note(t *trial, err error) {
	m, ok := errors.AsType[*mismatch.Error](err)
	if !ok {
		if _, ok := errors.AsType[*condition.NoService](err); ok {
			j.noService = true
		}
		j.missed(err)
		return
	}
	if t.why == nil || m.Rank > t.why.Rank {
		t.why = m
	}
}

// maxUnread bounds the list of what could not be read.
const maxUnread = 64

// missed records that something which may have held a signature was not read.
func (j *judge) missed(err error) {
	if len(j.unread) < maxUnread {
		j.unread = append(j.unread, untrusted.Message(err.Error()))
	}
}

// nothing says that no signature was found and nothing stood in the way.
func (j *judge) nothing() bool { return j.seen == 0 && len(j.unread) == 0 && j.ignored == 0 }

// mayBeBelow says that a rule found nothing of what it asks for and looked beside
// the digest alone: SBOMs and provenance often stand beside the images of an index.
func (j *judge) mayBeBelow() bool {
	return len(j.unread) == 0 && j.ignored == 0 && slices.ContainsFunc(j.trials, func(t *trial) bool {
		return !t.met() && t.rule.Manifest == policy.ManifestIndex && j.found(t) == 0
	})
}

// found counts what may be what a rule asks for: where that is attestations alone,
// a signature beside them is none.
func (j *judge) found(t *trial) int {
	if t.rule.Attested() {
		return j.attested
	}
	return j.seen
}

// result is the answer for one of the rules.
func (j *judge) result(t *trial) ruleResult {
	if chosen := t.chosen(); chosen != nil {
		v := ruleResult{outcome: Verified}
		for _, f := range chosen {
			v.evidence = append(v.evidence, f.evidence)
		}
		return v
	}
	if t.rule.LacksEnvironment() {
		return ruleResult{outcome: Unknown, lacks: LacksEnvironment, reason: "the policy asks about an environment, and none is given"}
	}
	if len(j.unread) > 0 {
		s := j.unread[0]
		if n := len(j.unread) - 1; n > 0 {
			s += fmt.Sprintf(" (and %d more)", n)
		}
		r := ruleResult{outcome: Unknown, reason: s}
		if j.noService {
			r.lacks = LacksService
		}
		return r
	}
	if j.ignored > 0 {
		return ruleResult{outcome: Unknown, reason: fmt.Sprintf("%s, and %s beyond the limit", j.unmet(t), untrusted.Number(j.ignored, "more"))}
	}
	return ruleResult{outcome: Rejected, reason: j.unmet(t)}
}

// nothing says that there is nothing that the rule asks for, and where it was looked
// for: another rule, or another place, may be what was meant.
func (t *trial) nothing(what string, isIndex bool) string {
	s := "no " + what + " found"
	if env, ok := t.rule.Approvals(); ok {
		s = "nobody has approved it for " + untrusted.Quoted(env)
	}
	var places []string
	for _, a := range t.rule.Authorities {
		for _, in := range a.Repositories() {
			if place := in.String(); place != "" && !slices.Contains(places, place) {
				places = append(places, place)
			}
		}
	}
	if len(places) > 0 {
		s += " in " + strings.Join(places, ", ")
	}
	if isIndex && t.rule.Manifest == policy.ManifestIndex {
		s += " beside the index; manifest: platforms in the rule asks its images"
	}
	return s
}

// unmet says what was found and why it does not meet the rule.
func (j *judge) unmet(t *trial) string {
	what, seen := "signature", j.found(t)
	if t.rule.Attested() {
		what = "attestation"
	}
	_, approvals := t.rule.Approvals()
	switch other := t.why == nil || t.why.Rank == mismatch.RankOtherKind; {
	case seen == 0 && !other:
		return t.why.Text
	case seen == 0, approvals && t.nobody() && (other || t.why.Rank == mismatch.RankOtherType):
		return t.nothing(what, j.isIndex)
	}
	s := untrusted.Number(seen, what) + ", " + t.shortfall()
	// A rule may be open although every signature was good for another one.
	if t.why != nil && (what == "signature" || t.why.Rank != mismatch.RankOtherKind) {
		s += ": " + t.why.Text
	}
	return s
}
