package policy

import (
	"go.yaml.in/yaml/v3"

	"github.com/kubepromote/kubepromote/internal/yamlfile"
	"github.com/kubepromote/kubepromote/verify/internal/condition"
	"github.com/kubepromote/kubepromote/verify/internal/statement"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

// attestation reads what an authority demands in place of a signature.
func (d *decoder) attestation(n *yaml.Node, a *Authority) *Attestation {
	r := &Attestation{}
	f := d.fields(n, "an attestation", "predicateType", "cel", "rego", "maxAge")
	if f == nil {
		return r
	}
	if v := d.need(f, "predicateType", "predicateType: https://slsa.dev/provenance/v1"); v != nil {
		r.PredicateType = d.predicateType(v)
	}
	if v := f.get("cel"); v != nil {
		if s, ok := d.text(v, "cel"); ok {
			d.condition(v, r, func() (condition.Condition, error) { return condition.CEL(s) })
		}
	}
	if v := f.get("rego"); v != nil {
		d.rego(v, r)
	}
	if v := f.get("maxAge"); v != nil {
		r.MaxAge = d.duration(v, "maxAge")
		d.needTime(v, a)
	}
	return r
}

// PredicateType reads the type of a predicate: a URI, or the name that cosign has
// for it.
func (d *decoder) predicateType(n *yaml.Node) string {
	s, ok := d.text(n, "predicateType")
	if !ok {
		return ""
	}
	full := statement.PredicateTypeURI(s)
	if full == "" {
		d.fail(n, "a URI, or slsaprovenance1, slsaprovenance, spdxjson, cyclonedx, vuln, openvex, vsa or approval",
			"predicateType %q is neither a URI nor a known name", untrusted.OneLine(s))
	}
	return full
}

func (d *decoder) rego(n *yaml.Node, r *Attestation) {
	const form = "rego: {file: policy.rego}"
	f := d.fields(n, "rego", "file", "data")
	if f == nil {
		return
	}
	if len(f.values) != 1 {
		d.fail(n, form, "rego needs one of file and data")
		return
	}
	at, data := d.content(f, "rego")
	if data == nil {
		return
	}
	name := "rego"
	if v := f.get("file"); v != nil {
		name = yamlfile.Resolve(v).Value
	}
	d.condition(at, r, func() (condition.Condition, error) { return condition.Rego(map[string]string{name: string(data)}) })
}

// condition compiles a condition. What is wrong with it is told at the place in
// the policy where it begins.
func (d *decoder) condition(n *yaml.Node, r *Attestation, compile func() (condition.Condition, error)) {
	c, err := compile()
	if d.refused(n, err) {
		return
	}
	r.Conditions = append(r.Conditions, c)
}
