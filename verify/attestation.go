package verify

import (
	"context"
	"errors"
	"time"

	"go.yaml.in/yaml/v3"
)

// attestation reads what an authority demands in place of a signature.
func (d *decoder) attestation(n *yaml.Node, a *authority) *attestationRule {
	r := &attestationRule{}
	f := d.fields(n, "an attestation", "predicateType", "cel", "rego", "maxAge")
	if f == nil {
		return r
	}
	if v := d.need(f, "predicateType", "predicateType: https://slsa.dev/provenance/v1"); v != nil {
		r.predicateType = d.predicateType(v)
	}
	if v := f.get("cel"); v != nil {
		if s, ok := d.text(v, "cel"); ok {
			d.condition(v, r, func() (predicateRule, error) { return compileCEL(s) })
		}
	}
	if v := f.get("rego"); v != nil {
		d.rego(v, r)
	}
	if v := f.get("maxAge"); v != nil {
		r.maxAge = d.duration(v, "maxAge")
		d.needTime(v, a)
	}
	return r
}

// predicateType reads the type of a predicate: a URI, or the name that cosign has
// for it.
func (d *decoder) predicateType(n *yaml.Node) string {
	s, ok := d.text(n, "predicateType")
	if !ok {
		return ""
	}
	full := PredicateTypeURI(s)
	if full == "" {
		d.fail(n, "a URI, or slsaprovenance1, slsaprovenance, spdxjson, cyclonedx, vuln, openvex, vsa or approval",
			"predicateType %q is neither a URI nor a known name", oneLine(s))
	}
	return full
}

func (d *decoder) rego(n *yaml.Node, r *attestationRule) {
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
		name = resolve(v).Value
	}
	d.condition(at, r, func() (predicateRule, error) { return compileRego(map[string]string{name: string(data)}) })
}

// condition compiles a condition. What is wrong with it is told at the place in
// the policy where it begins.
func (d *decoder) condition(n *yaml.Node, r *attestationRule, compile func() (predicateRule, error)) {
	c, err := compile()
	if err != nil {
		hint := ""
		if bad, ok := errors.AsType[*ruleError](err); ok {
			hint = bad.hint
		}
		d.fail(n, hint, "%s", clean(err.Error(), maxMessage))
		return
	}
	r.conditions = append(r.conditions, c)
}

// holds evaluates the conditions on a statement whose signature holds.
func (r *attestationRule) holds(ctx context.Context, c *candidate, repository, digest string, now time.Time) error {
	conditions := r.conditions
	if r.predicateType == approvalPredicateType {
		conditions = append([]predicateRule{approvalRule{ApprovalWant{Environment: r.environment, Now: now}}}, conditions...)
	}
	if len(conditions) == 0 {
		return nil
	}
	fields, err := c.decoded(digest)
	if err != nil {
		return err
	}
	in := predicateInput{statement: fields, image: repository, digest: digest}
	for _, condition := range conditions {
		err := condition.eval(ctx, in)
		if m, ok := errors.AsType[*mismatch](err); ok {
			return &mismatch{rankCondition, m.text}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
