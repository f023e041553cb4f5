package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// judge takes in what is found about one digest and arrives at a verdict on each
// rule.
type judge struct {
	digest     v1.Hash
	repository string // the name that rules and signatures are compared with
	now        time.Time
	trials     []*trial
	seen       int      // candidates, and things that should have been some
	unread     []string // what could not be read
	ignored    int      // candidates beyond the limits
}

// trial is one rule, and what has been found for it so far.
type trial struct {
	rule  *rule
	found [][][]finding     // by authority, then by what it demands
	why   *mismatch         // why the candidates so far do not count
	same  map[string]string // ids of signers that are another one as well
}

// finding is a candidate that counts, and whose it is.
type finding struct {
	id       string
	evidence Evidence
}

// verdict is the answer for one rule.
type verdict struct {
	outcome  Outcome
	reason   string
	evidence []Evidence
}

func newJudge(digest v1.Hash, repository string, now time.Time, rules []*rule) *judge {
	j := &judge{digest: digest, repository: repository, now: now}
	for _, r := range rules {
		t := &trial{rule: r}
		for _, a := range r.authorities {
			found := make([][]finding, max(1, len(a.attestations)))
			if a.always {
				found[0] = []finding{{"", Evidence{Authority: a.name, Kind: KindStatic}}}
			}
			if a.never != "" {
				t.why = &mismatch{rankCondition, a.never}
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
// attestations, from a place.
func (j *judge) wants(p place, attestations bool) bool {
	return slices.ContainsFunc(j.trials, func(t *trial) bool {
		return !t.met() && slices.ContainsFunc(t.rule.authorities, func(a *authority) bool {
			return len(a.attestations) > 0 == attestations && slices.Contains(a.places(), p)
		})
	})
}

// consider tries a candidate with the authorities of every rule that is open.
func (j *judge) consider(ctx context.Context, c *candidate) {
	j.seen++
	for _, t := range j.trials {
		for i, a := range t.rule.authorities {
			if t.met() || ctx.Err() != nil {
				break
			}
			if !slices.Contains(a.places(), c.place) {
				continue
			}
			if len(a.attestations) == 0 {
				j.try(ctx, t, i, 0, c, nil)
			}
			for k, r := range a.attestations {
				j.try(ctx, t, i, k, c, r)
			}
		}
	}
}

// try compares a candidate with one demand of an authority.
func (j *judge) try(ctx context.Context, t *trial, i, k int, c *candidate, r *attestationRule) {
	a := t.rule.authorities[i]
	want := signPredicateType
	if r != nil {
		want = r.predicateType
	}
	if err := c.isFor(want); err != nil {
		j.note(t, err)
		return
	}
	for _, s := range a.parties {
		p, err := guarded(func() (*proof, error) {
			return s.check(c, j.digest.String(), demand{a.trust, a.logs, a.timestamps})
		})
		if err == nil {
			err = j.accept(ctx, t.rule, a, r, c, p)
		}
		if err != nil {
			j.note(t, err)
			continue
		}
		for _, id := range p.also {
			t.join(p.id, id)
		}
		t.found[i][k] = append(t.found[i][k], finding{p.id, evidenceOf(a, c, p, j.digest.String())})
	}
}

// accept looks at what else is demanded of a signature that holds.
func (j *judge) accept(ctx context.Context, r *rule, a *authority, at *attestationRule, c *candidate, p *proof) error {
	digest := j.digest.String()
	if err := r.checkSignedName(c.names(digest), j.repository); err != nil {
		return err
	}
	for key, want := range a.annotations {
		if got, ok := c.annotation(digest, key); !ok || got != want {
			return &mismatch{rankCondition, fmt.Sprintf("its annotation %s is not %s", quoted(key), quoted(want))}
		}
	}
	limit := r.maxAge
	if at != nil && at.maxAge > 0 && (limit == 0 || at.maxAge < limit) {
		limit = at.maxAge
	}
	if limit > 0 {
		t, ok := p.first()
		if !ok {
			return &mismatch{rankNoTime, "nothing says when it was made"}
		}
		age := j.now.Sub(t.at)
		if age < -clockSkew {
			return &mismatch{rankAge, "made in the future, at " + t.at.UTC().Format(time.RFC3339)}
		}
		if age > limit {
			return &mismatch{rankAge, fmt.Sprintf("made at %s, more than %s ago", t.at.UTC().Format(time.RFC3339), limit)}
		}
	}
	if at != nil {
		return at.holds(ctx, c, j.repository, digest, j.now)
	}
	return nil
}

// malformed counts something that stands where a signature should, and is none.
func (j *judge) malformed(err error) {
	j.seen++
	for _, t := range j.trials {
		j.note(t, err)
	}
}

func (j *judge) note(t *trial, err error) {
	m, ok := errors.AsType[*mismatch](err)
	if !ok {
		j.missed(err)
		return
	}
	if t.why == nil || m.rank > t.why.rank {
		t.why = m
	}
}

// maxUnread bounds the list of what could not be read.
const maxUnread = 64

// missed records that something which may have held a signature was not read.
func (j *judge) missed(err error) {
	if len(j.unread) < maxUnread {
		j.unread = append(j.unread, clean(err.Error(), maxMessage))
	}
}

// nothing says that no signature was found and nothing stood in the way.
func (j *judge) nothing() bool { return j.seen == 0 && len(j.unread) == 0 && j.ignored == 0 }

// verdict is the answer for one of the rules.
func (j *judge) verdict(t *trial) verdict {
	if chosen := t.chosen(); chosen != nil {
		v := verdict{outcome: Verified}
		for _, f := range chosen {
			v.evidence = append(v.evidence, f.evidence)
		}
		return v
	}
	if len(j.unread) > 0 {
		s := j.unread[0]
		if n := len(j.unread) - 1; n > 0 {
			s += fmt.Sprintf(" (and %d more)", n)
		}
		return verdict{outcome: Unknown, reason: s}
	}
	if j.ignored > 0 {
		return verdict{outcome: Unknown, reason: fmt.Sprintf("%s, and %s beyond the limit", j.unmet(t), count(j.ignored, "more"))}
	}
	return verdict{outcome: Rejected, reason: j.unmet(t)}
}

// unmet says what was found and why it does not meet the rule.
func (j *judge) unmet(t *trial) string {
	what, attest := "signature", 0
	for _, a := range t.rule.authorities {
		attest += min(1, len(a.attestations))
	}
	if attest == len(t.rule.authorities) {
		what = "attestation"
	}
	if j.seen == 0 {
		s := "no " + what + " found"
		if t.why != nil {
			s = t.why.text
		}
		return s
	}
	s := count(j.seen, what) + ", " + t.shortfall()
	// A rule may be open although every candidate was good for another one.
	if t.why != nil {
		s += ": " + t.why.text
	}
	return s
}

func count(n int, what string) string {
	if n != 1 && what != "more" {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// guarded turns a panic into an error. The libraries that parse what comes
// from a registry have panicked on crafted input before, and whoever may write
// to a repository must not be able to end the process that reads it.
func guarded[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a signature could not be judged: %v", p)
		}
	}()
	return f()
}
