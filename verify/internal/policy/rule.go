package policy

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// The most there may be of something in a policy.
const (
	maxAuthorities = 64
	maxThreshold   = 8
)

func (d *decoder) spec(p *Policy, n *yaml.Node) {
	f := d.fields(n, "spec", "mode", "unmatched", "trustedRoot", "rules")
	if f == nil {
		return
	}
	warn := false
	if v := f.get("mode"); v != nil {
		warn = d.mode(v)
	}
	if v := d.need(f, "unmatched", "unmatched: reject"); v != nil {
		p.Allow = d.choice(v, "unmatched", "reject", "allow") == "allow"
	}
	if v := f.get("trustedRoot"); v != nil {
		d.trust = d.trustedRoot(v)
	}
	for _, e := range d.needList(f, "rules") {
		p.Rules = append(p.Rules, d.rule(e, warn))
	}
}

// mode says whether rules are only to warn.
func (d *decoder) mode(n *yaml.Node) (warn bool) {
	return d.choice(n, "mode", "enforce", "warn") == "warn"
}

func (d *decoder) rule(n *yaml.Node, warn bool) *Rule {
	r := &Rule{Place: fmt.Sprintf("%s:%d:%d", d.name, max(n.Line, 1), max(n.Column, 1)), Warn: warn, Manifest: ManifestIndex, Require: 1}
	f := d.fields(n, "a rule", "images", "mode", "manifest", "require", "maxAge", "checkName", "names", "authorities")
	if f == nil {
		return r
	}
	if v := f.get("mode"); v != nil {
		r.Warn = d.mode(v)
	}
	for _, e := range d.needList(f, "images") {
		r.images = append(r.images, d.pattern(e))
	}
	if v := f.get("manifest"); v != nil {
		r.Manifest = manifestMode(d.choice(v, "manifest",
			string(ManifestIndex), string(ManifestPlatforms), string(ManifestEither)))
	}
	if v := f.get("checkName"); v != nil {
		r.CheckName = d.boolean(v, "checkName")
	}
	if v := f.get("names"); v != nil {
		r.Names = d.renamings(v)
		if !r.CheckName {
			d.fail(v, "checkName: true", "names have no meaning where the signed name is not checked")
		}
	}
	if v := d.need(f, "authorities", ""); v != nil {
		r.Authorities = d.authorities(v)
	}
	if v := f.get("require"); v != nil {
		r.Require = d.require(v, r.Authorities)
	}
	if v := f.get("maxAge"); v != nil {
		r.MaxAge = d.duration(v, "maxAge")
		d.needTime(v, r.Authorities...)
	}
	return r
}

// Attested says that every authority is asked for attestations, and none for a
// signature.
func (r *Rule) Attested() bool {
	return !slices.ContainsFunc(r.Authorities, func(a *Authority) bool { return len(a.Attestations) == 0 })
}

// Approvals says that nothing but approvals is asked for, and for which environment.
func (r *Rule) Approvals() (environment string, ok bool) {
	for _, a := range r.Authorities {
		for _, at := range a.Attestations {
			if at.PredicateType != statement.ApprovalType {
				return "", false
			}
			environment = at.Environment
		}
	}
	return environment, r.Attested() && environment != ""
}

func (d *decoder) pattern(n *yaml.Node) pattern {
	s, ok := d.text(n, "a pattern")
	if !ok {
		return pattern{}
	}
	p, err := parsePattern(s)
	d.refused(n, err)
	return p
}

func (d *decoder) authorities(n *yaml.Node) []*Authority {
	var all []*Authority
	seen := map[string]bool{}
	list := d.list(n, "authorities")
	if len(list) > maxAuthorities {
		d.fail(n, "", "rule has %d authorities, and %d are the most", len(list), maxAuthorities)
		return nil
	}
	for _, e := range list {
		a, at := d.authority(e)
		if a.Name != "" && seen[a.Name] {
			d.fail(at, "", "authority %q is in this rule already", untrusted.OneLine(a.Name))
		}
		seen[a.Name] = true
		all = append(all, a)
	}
	return all
}

// Require reads how many have to sign. A number that can never be reached is an
// error, as it would otherwise be found out on the day it matters.
func (d *decoder) require(n *yaml.Node, authorities []*Authority) int {
	if i, ok := d.number(n, "require", maxAuthorities); ok {
		if most := mostSigners(authorities); most >= 0 && i > most {
			d.fail(n, "", "require is %d, and the authorities have %s between them", i, untrusted.Number(most, "signer"))
		}
		return i
	}
	v := yamlfile.Resolve(n)
	switch {
	case v.Kind == yaml.ScalarNode && v.Value == "any":
		return 1
	case v.Kind == yaml.ScalarNode && v.Value == "all":
		return RequireAll
	}
	d.fail(n, "require: 2", "require must be any, all or a number of signers")
	return 1
}

// mostSigners is the number of distinct signers there can be, or -1 if identities
// do not bound it.
func mostSigners(authorities []*Authority) int {
	keys := map[string]bool{}
	for _, a := range authorities {
		for _, s := range a.Signers {
			id := s.only()
			if id == "" {
				return -1
			}
			keys[id] = true
		}
	}
	return len(keys)
}

// needTime demands of authorities that each of their signatures has a time.
func (d *decoder) needTime(n *yaml.Node, authorities ...*Authority) {
	for _, a := range authorities {
		if len(a.Signers) > 0 && a.Logs == 0 && a.Timestamps == 0 {
			d.fail(n, "transparencyLog: required, or timestamp: required",
				"maxAge needs a time, and signatures of authority %q need none", untrusted.OneLine(a.Name))
		}
	}
}
