package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// maxRegexp bounds a regular expression of a policy.
const maxRegexp = 2000

// Matcher compares a text exactly, or with a regular expression that has to
// match all of it. The zero value matches nothing.
type Matcher struct {
	Exact string
	re    *regexp.Regexp
}

// Match says whether a text of a certificate is the one meant.
func (m Matcher) Match(s string) bool {
	switch {
	case s == "":
		return false
	case m.re != nil:
		return m.re.MatchString(s)
	}
	return m.Exact != "" && m.Exact == s
}

// newRegexp compiles an expression so that it matches whole texts only. It is
// compiled as it stands first: what is put around it must not make an
// expression of something that is none.
func newRegexp(s string) (Matcher, error) {
	if len(s) > maxRegexp {
		return Matcher{}, fmt.Errorf("regular expression has %d characters, and %d are the most", len(s), maxRegexp)
	}
	if _, err := regexp.Compile(s); err != nil {
		return Matcher{}, errors.New(untrusted.OneLine(err.Error()))
	}
	re, err := regexp.Compile(`\A(?:` + s + `)\z`)
	if err != nil {
		return Matcher{}, errors.New(untrusted.OneLine(err.Error()))
	}
	return Matcher{re: re}, nil
}

// matchesEverything tries texts that have nothing in common.
func (m Matcher) matchesEverything() bool {
	return m.re != nil && !slices.ContainsFunc(
		[]string{"a", "1@x.org", "https://example.com/a/b?c", "ü ~"},
		func(s string) bool { return !m.re.MatchString(s) })
}

// matcher reads one of two fields: name, or name with Regexp behind it.
func (d *decoder) matcher(f *fieldSet, name string) (m Matcher, ok bool) {
	exact, re := f.get(name), f.get(name+"Regexp")
	switch {
	case exact == nil && re == nil:
		return m, false
	case exact != nil && re != nil:
		d.fail(re, "", "%s and %sRegexp stand side by side", name, name)
		return m, false
	case exact != nil:
		m.Exact, ok = d.text(exact, name)
		return m, ok
	}
	return d.regexp(re, name+"Regexp")
}

func (d *decoder) regexp(n *yaml.Node, what string) (m Matcher, ok bool) {
	s, ok := d.text(n, what)
	if !ok {
		return m, false
	}
	m, err := newRegexp(s)
	if err != nil {
		d.fail(n, "", "%s: %s", what, err)
		return m, false
	}
	if m.matchesEverything() {
		d.warn(n, "say who it is, as far as it is known", "%s %q matches everything", what, untrusted.OneLine(s))
	}
	return m, true
}

// keyless reads the identity of certificates of Fulcio: the subject, and who
// has confirmed it. A subject alone means nothing, as every issuer has its own.
func (d *decoder) keyless(n *yaml.Node) Signer {
	const hint = "keyless: {issuer: https://token.actions.githubusercontent.com, subject: ...}"
	known := []string{"issuer", "issuerRegexp", "subject", "subjectRegexp"}
	for _, c := range ClaimNames() {
		known = append(known, c, c+"Regexp")
	}
	f := d.fields(n, "keyless", known...)
	if f == nil {
		return nil
	}
	before := d.failed
	s := &IdentitySigner{}
	var ok bool
	if s.Issuer, ok = d.matcher(f, "issuer"); !ok && d.failed == before {
		d.fail(n, hint, "keyless has neither issuer nor issuerRegexp")
	}
	between := d.failed
	if s.Subject, ok = d.matcher(f, "subject"); !ok && d.failed == between {
		d.fail(n, hint, "keyless has neither subject nor subjectRegexp")
	}
	for _, c := range ClaimNames() {
		if m, ok := d.matcher(f, c); ok {
			s.Claims = append(s.Claims, Claim{c, m})
		}
	}
	return s
}
