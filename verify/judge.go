package verify

import (
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
)

// candidate is one signature as it was found in a registry, read but not
// believed. Exactly one of legacy and bundle is set.
type candidate struct {
	location string
	legacy   *legacySignature
	bundle   *bundle.Bundle
}

// checker is what makes an authority an authority: it says whether a candidate
// is its signature of the digest. The error says why not in the terms of the
// reader; a *mismatch if the candidate was understood well enough to tell.
type checker interface {
	check(c candidate, digest v1.Hash) (Evidence, error)
}

// mismatch is the reason why a candidate does not count. The one of the highest
// rank tells the reader most.
type mismatch struct {
	rank int
	text string
}

const (
	rankMalformed = iota
	rankOtherKey
	rankOtherDigest
	rankOtherStatement
)

func (m *mismatch) Error() string { return m.text }

func malformed(format string, args ...any) error {
	return &mismatch{rankMalformed, "malformed: " + oneLine(fmt.Sprintf(format, args...))}
}

// judge takes in what is found about one image and arrives at the outcome.
type judge struct {
	digest   v1.Hash
	rules    []*rule
	evidence []*Evidence // one for each rule, nil while the rule is not met
	seen     int         // candidates, and things that should have been some
	why      *mismatch   // why the candidates so far do not count
	unread   []string    // what could not be read
	ignored  int         // candidates beyond the limits
}

func newJudge(digest v1.Hash, rules []*rule) *judge {
	return &judge{digest: digest, rules: rules, evidence: make([]*Evidence, len(rules))}
}

// done says that nothing more has to be read.
func (j *judge) done() bool { return j.open() == nil }

// open is the first rule that is not met.
func (j *judge) open() *rule {
	for i, r := range j.rules {
		if j.evidence[i] == nil {
			return r
		}
	}
	return nil
}

// consider tries a candidate with the authorities of every rule that is open.
func (j *judge) consider(c candidate) {
	j.seen++
	for i, r := range j.rules {
		for _, a := range r.authorities {
			if j.evidence[i] != nil {
				break
			}
			e, err := guarded(func() (Evidence, error) { return a.check.check(c, j.digest) })
			if err != nil {
				j.note(err)
				continue
			}
			j.evidence[i] = &e
		}
	}
}

// malformed counts something that stands where a signature should, and is none.
func (j *judge) malformed(err error) {
	j.seen++
	j.note(err)
}

func (j *judge) note(err error) {
	m, ok := errors.AsType[*mismatch](err)
	if !ok {
		j.missed(err)
		return
	}
	if j.why == nil || m.rank > j.why.rank {
		j.why = m
	}
}

// missed records that something which may have held a signature was not read.
func (j *judge) missed(err error) { j.unread = append(j.unread, clean(err.Error(), maxMessage)) }

// nothing says that no signature was found and nothing stood in the way.
func (j *judge) nothing() bool { return j.seen == 0 && len(j.unread) == 0 && j.ignored == 0 }

// result is the outcome of everything taken in.
func (j *judge) result() Result {
	r := Result{Ignored: j.ignored}
	open := j.open()
	switch {
	case open == nil:
		r.Outcome = Verified
		var names []string
		for _, e := range j.evidence {
			r.Evidence = append(r.Evidence, *e)
			names = append(names, fmt.Sprintf("%q", e.Authority))
		}
		r.Reason = "signed by " + strings.Join(names, ", ")
	case len(j.unread) > 0:
		r.Outcome = Unknown
		r.Reason = j.unread[0]
		if n := len(j.unread) - 1; n > 0 {
			r.Reason += fmt.Sprintf(" (and %d more)", n)
		}
	case j.ignored > 0:
		r.Outcome = Unknown
		r.Reason = fmt.Sprintf("%s, and %s beyond the limit", j.verdict(open), count(j.ignored, "more"))
	default:
		r.Outcome = Rejected
		r.Reason = j.verdict(open)
	}
	return r
}

// verdict says what was found and why it does not meet the rule.
func (j *judge) verdict(r *rule) string {
	if j.seen == 0 {
		return "no signature found"
	}
	var names []string
	for _, a := range r.authorities {
		names = append(names, fmt.Sprintf("%q", a.name))
	}
	s := fmt.Sprintf("%s, none by authority %s", count(j.seen, "signature"), strings.Join(names, " or "))
	// A rule may be open although every candidate was good for another one.
	if j.why != nil {
		s += ": " + j.why.text
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
