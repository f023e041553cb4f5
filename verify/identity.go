package verify

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// maxRegexp bounds a regular expression of a policy.
const maxRegexp = 2000

// matcher compares a text exactly, or with a regular expression that has to
// match all of it. The zero value matches nothing.
type matcher struct {
	exact string
	re    *regexp.Regexp
	any   bool // everything, because the policy does not ask
}

func (m matcher) match(s string) bool {
	switch {
	case m.any:
		return true
	case s == "":
		return false
	case m.re != nil:
		return m.re.MatchString(s)
	}
	return m.exact != "" && m.exact == s
}

// newRegexp compiles an expression so that it matches whole texts only. It is
// compiled as it stands first: what is put around it must not make an
// expression of something that is none.
func newRegexp(s string) (matcher, error) {
	if len(s) > maxRegexp {
		return matcher{}, fmt.Errorf("regular expression has %d characters, and %d are the most", len(s), maxRegexp)
	}
	if _, err := regexp.Compile(s); err != nil {
		return matcher{}, errors.New(oneLine(err.Error()))
	}
	re, err := regexp.Compile(`\A(?:` + s + `)\z`)
	if err != nil {
		return matcher{}, errors.New(oneLine(err.Error()))
	}
	return matcher{re: re}, nil
}

// matchesEverything tries texts that have nothing in common.
func (m matcher) matchesEverything() bool {
	return m.re != nil && !slices.ContainsFunc(
		[]string{"a", "1@x.org", "https://example.com/a/b?c", "ü ~"},
		func(s string) bool { return !m.re.MatchString(s) })
}

// matcher reads one of two fields: name, or name with Regexp behind it.
func (d *decoder) matcher(f *fieldSet, name string) (m matcher, ok bool) {
	exact, re := f.get(name), f.get(name+"Regexp")
	switch {
	case exact == nil && re == nil:
		return m, false
	case exact != nil && re != nil:
		d.fail(re, "", "%s and %sRegexp stand side by side", name, name)
		return m, false
	case exact != nil:
		m.exact, ok = d.text(exact, name)
		return m, ok
	}
	return d.regexp(re, name+"Regexp")
}

func (d *decoder) regexp(n *yaml.Node, what string) (m matcher, ok bool) {
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
		d.warn(n, "say who it is, as far as it is known", "%s %q matches everything", what, oneLine(s))
	}
	return m, true
}

// keyless reads the identity of certificates of Fulcio: the subject, and who
// has confirmed it. A subject alone means nothing, as every issuer has its own.
func (d *decoder) keyless(n *yaml.Node) party {
	const hint = "keyless: {issuer: https://token.actions.githubusercontent.com, subject: ...}"
	f := d.fields(n, "keyless", "issuer", "issuerRegexp", "subject", "subjectRegexp")
	if f == nil {
		return nil
	}
	before := len(d.problems)
	s := &identityParty{}
	var ok bool
	if s.issuer, ok = d.matcher(f, "issuer"); !ok && len(d.problems) == before {
		d.fail(n, hint, "keyless has neither issuer nor issuerRegexp")
	}
	between := len(d.problems)
	if s.subject, ok = d.matcher(f, "subject"); !ok && len(d.problems) == between {
		d.fail(n, hint, "keyless has neither subject nor subjectRegexp")
	}
	return s
}
