package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/expression"
	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote/objects"
	"go.yaml.in/yaml/v3"
)

// maxVariables bounds how many variables a policy has.
const maxVariables = 500

// admission is a ValidatingAdmissionPolicy.
type admission struct {
	place string // file:line
	name  string
	warn  bool // no binding of it denies
	spec  admissionSpec

	conditions, validations []compiled
	variables               []compiled
}

// compiled is an expression of a policy.
type compiled struct {
	name, message, place string
	program              *expression.Program
	messageProgram       *expression.Program
}

// admissionSpec is what is read of a policy's spec.
type admissionSpec struct {
	ParamKind        yaml.Node `yaml:"paramKind"`
	MatchConstraints struct {
		ResourceRules        []resourceRule `yaml:"resourceRules"`
		ExcludeResourceRules []resourceRule `yaml:"excludeResourceRules"`
		NamespaceSelector    yaml.Node      `yaml:"namespaceSelector"`
		ObjectSelector       yaml.Node      `yaml:"objectSelector"`
	} `yaml:"matchConstraints"`
	MatchConditions []named `yaml:"matchConditions"`
	Variables       []named `yaml:"variables"`
	Validations     []struct {
		Expression        yaml.Node `yaml:"expression"`
		Message           string    `yaml:"message"`
		MessageExpression yaml.Node `yaml:"messageExpression"`
	} `yaml:"validations"`
}

type named struct {
	Name       string    `yaml:"name"`
	Expression yaml.Node `yaml:"expression"`
}

// resourceRule says which objects a policy is about.
type resourceRule struct {
	APIGroups   []string `yaml:"apiGroups"`
	APIVersions []string `yaml:"apiVersions"`
	Operations  []string `yaml:"operations"`
	Resources   []string `yaml:"resources"`
	Names       []string `yaml:"resourceNames"`
}

// language is what expressions may use.
func language() expression.Language {
	return expression.Language{Example: "object.spec.replicas <= 5", Optional: true, Variables: []expression.Variable{
		{Name: "object", Type: expression.Any}, {Name: "oldObject", Type: expression.Any}, {Name: "request", Type: expression.Map},
		{Name: "params", Type: expression.Any}, {Name: "namespaceObject", Type: expression.Any}, {Name: "variables", Type: expression.Map},
		{Name: "promotion", Type: expression.Map},
	}}
}

func loadCEL(r *reader, name string) ([]*admission, error) {
	all, err := r.read(name, ".yaml", ".yml", ".json")
	if err != nil {
		return nil, err
	}
	var out []*admission
	bound := make(map[string][]string) // actions of bindings, by policy
	for _, f := range all {
		docs, err := documents(f)
		if err != nil {
			return nil, err
		}
		for _, n := range docs {
			var head struct {
				Kind     string `yaml:"kind"`
				Metadata struct {
					Name string `yaml:"name"`
				} `yaml:"metadata"`
				Spec yaml.Node `yaml:"spec"`
			}
			if n.Decode(&head) != nil {
				continue // no object
			}
			switch head.Kind {
			case "ValidatingAdmissionPolicy":
				p := &admission{place: fmt.Sprintf("%s:%d", f.name, n.Line), name: head.Metadata.Name}
				if err := p.compile(f, &head.Spec); err != nil {
					return nil, err
				}
				out = append(out, p)
			case "ValidatingAdmissionPolicyBinding":
				var b struct {
					PolicyName        string   `yaml:"policyName"`
					ValidationActions []string `yaml:"validationActions"`
				}
				if err := head.Spec.Decode(&b); err != nil {
					return nil, fail(f.name, head.Spec.Line, head.Spec.Column, "", "the binding cannot be read: %v", err)
				}
				bound[b.PolicyName] = append(bound[b.PolicyName], b.ValidationActions...)
			}
		}
	}
	if len(out) == 0 {
		return nil, &Error{name + " has no ValidatingAdmissionPolicy", "kind: ValidatingAdmissionPolicy"}
	}
	for _, p := range out {
		p.warn = len(bound[p.name]) > 0 && !slices.Contains(bound[p.name], "Deny")
	}
	return out, nil
}

// compile compiles a policy. What it asks for that is not known here is an error: left out,
// it would let pass what a cluster refuses.
func (p *admission) compile(f file, spec *yaml.Node) error {
	if err := spec.Decode(&p.spec); err != nil {
		return fail(f.name, spec.Line, spec.Column, "", "the policy cannot be read: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	for what, n := range map[string]*yaml.Node{"paramKind": &p.spec.ParamKind, "namespaceSelector": &p.spec.MatchConstraints.NamespaceSelector, "objectSelector": &p.spec.MatchConstraints.ObjectSelector} {
		if n.Kind != 0 && len(n.Content) > 0 {
			return fail(f.name, n.Line, n.Column, "matchConditions over object", "%s is not served here", what)
		}
	}
	if len(p.spec.Validations) == 0 {
		return fail(f.name, spec.Line, spec.Column, "validations: [{expression: object.spec.replicas <= 5}]", "policy %q has no validations", p.name)
	}
	if len(p.spec.Variables) > maxVariables { // each may be evaluated within the next one
		return fail(f.name, spec.Line, spec.Column, "", "policy %q has more than %d variables", p.name, maxVariables)
	}
	for _, v := range p.spec.Variables {
		c, err := p.expression(f, &v.Expression, language().CompileValue)
		if err != nil {
			return err
		}
		c.name = v.Name
		p.variables = append(p.variables, c)
	}
	for _, m := range p.spec.MatchConditions {
		c, err := p.expression(f, &m.Expression, language().Compile)
		if err != nil {
			return err
		}
		p.conditions = append(p.conditions, c)
	}
	for _, v := range p.spec.Validations {
		c, err := p.expression(f, &v.Expression, language().Compile)
		if err != nil {
			return err
		}
		c.message = v.Message
		if v.MessageExpression.Value != "" {
			m, err := p.expression(f, &v.MessageExpression, language().CompileValue)
			if err != nil {
				return err
			}
			c.messageProgram = m.program
		}
		p.validations = append(p.validations, c)
	}
	return nil
}

func (p *admission) expression(f file, n *yaml.Node, compile func(string) (*expression.Program, error)) (compiled, error) {
	program, err := compile(n.Value)
	if e, ok := errors.AsType[*expression.Error](err); ok {
		line, col := n.Line, n.Column
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			line, col = line+max(e.Line, 1), e.Col
		} else if e.Line == 1 {
			col += e.Col - 1
		}
		return compiled{}, fail(f.name, line, col, e.Hint, "%s", e.Msg)
	}
	return compiled{place: fmt.Sprintf("%s:%d", f.name, n.Line), program: program}, err
}

// check asks the policy about the objects that it is about.
func (p *admission) check(ctx context.Context, before, after []objects.Object, promotion map[string]any) ([]Finding, error) {
	old := make(map[string]*objects.Object)
	for n := range before {
		old[before[n].Kind+" "+before[n].String()] = &before[n]
	}
	var out []Finding
	for n := range after {
		o := &after[n]
		was := old[o.Kind+" "+o.String()]
		request, ok, err := p.about(o, was != nil)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		values := map[string]any{"object": plain(o.Fields), "oldObject": nil, "request": request, "params": nil, "namespaceObject": nil, "promotion": plain(promotion)}
		if was != nil {
			values["oldObject"] = plain(was.Fields)
		}
		found, err := p.validate(ctx, o, values)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// about tells whether the policy is about an object, and gives the request that a cluster
// would be sent. What a custom resource is called there is not always known: where that
// decides, it is an error.
func (p *admission) about(o *objects.Object, exists bool) (map[string]any, bool, error) {
	operation := "CREATE"
	if exists {
		operation = "UPDATE"
	}
	group, version := o.Group(), o.APIVersion[strings.LastIndexByte(o.APIVersion, '/')+1:]
	called := resourceOf(group, version, o.Kind)
	find := func(rules []resourceRule) (best match, name string) {
		for _, r := range rules {
			if !has(r.APIGroups, group) || !has(r.APIVersions, version) || !has(r.Operations, operation) || len(r.Names) > 0 && !slices.Contains(r.Names, o.Name) {
				continue
			}
			for _, n := range r.Resources {
				if m := called.matches(n); m > best {
					best, name = m, n
				}
			}
		}
		return best, name
	}
	in, name := find(p.spec.MatchConstraints.ResourceRules)
	out, not := find(p.spec.MatchConstraints.ExcludeResourceRules)
	switch {
	case in == other || out == same:
		return nil, false, nil
	case in == maybe, out != other:
		if out != other {
			name = not
		}
		return nil, false, &Error{fault.OneLine(fmt.Sprintf("%s: cannot be applied to %s: nobody knows here whether a cluster calls %s %q", p.place, o, o.Kind, name)),
			"resources: ['*'], and matchConditions over object.kind"}
	}
	resource := map[string]any{"group": group, "version": version}
	switch { // without a name that is known, asking for it is an error
	case in == likely:
		resource["resource"] = strings.TrimSuffix(name, "/*")
	case len(called.names) == 1:
		resource["resource"] = called.names[0]
	}
	return map[string]any{
		"operation": operation, "name": o.Name, "namespace": o.Namespace, "userInfo": map[string]any{}, "dryRun": true, "subResource": "",
		"kind": map[string]any{"group": group, "version": version, "kind": o.Kind}, "resource": resource,
	}, true, nil
}

// has tells whether a list has a text, or all.
func has(list []string, s string) bool {
	return slices.Contains(list, s) || slices.Contains(list, "*") || slices.Contains(list, "*/*")
}

func (p *admission) validate(ctx context.Context, o *objects.Object, values map[string]any) ([]Finding, error) {
	values["variables"] = p.lazily(ctx, values)
	for _, c := range p.conditions {
		holds, err := c.program.Holds(ctx, values)
		if err != nil {
			return nil, p.unknown(c, o, err)
		}
		if !holds {
			return nil, nil
		}
	}
	var out []Finding
	for _, c := range p.validations {
		holds, err := c.program.Holds(ctx, values)
		if err != nil {
			return nil, p.unknown(c, o, err)
		}
		if holds {
			continue
		}
		msg := cmp.Or(c.message, "failed expression: "+strings.TrimSpace(c.program.Text()))
		if c.messageProgram != nil {
			if v, err := c.messageProgram.Value(ctx, values); err == nil {
				msg = cmp.Or(strings.TrimSpace(fmt.Sprint(v)), msg)
			}
		}
		out = append(out, Finding{Rule: p.name + " (" + c.place + ")", Object: o, Msg: fault.OneLine(msg), Warn: p.warn})
	}
	return out, nil
}

// lazily gives the variables of a policy. As in a cluster each is evaluated when something
// asks for it, once, and knows those that stand before it: what a condition leaves out asks
// for none.
func (p *admission) lazily(ctx context.Context, values map[string]any) any {
	type result struct {
		value any
		err   error
	}
	known := make(map[int]result)
	var before func(int) any
	before = func(end int) any {
		return expression.Lazy(func(name string) (any, bool, error) {
			n := slices.IndexFunc(p.variables[:end], func(c compiled) bool { return c.name == name })
			if n < 0 {
				return nil, false, nil
			}
			r, ok := known[n]
			if !ok {
				sees := maps.Clone(values)
				sees["variables"] = before(n)
				r.value, r.err = p.variables[n].program.Value(ctx, sees)
				known[n] = r
			}
			return r.value, true, r.err
		})
	}
	return before(len(p.variables))
}

func (p *admission) unknown(c compiled, o *objects.Object, err error) error {
	hint := ""
	if strings.Contains(err.Error(), "no such key") {
		hint = "has(object.spec.x) && …"
	}
	return &Error{fault.OneLine(fmt.Sprintf("%s: cannot be applied to %s: %v", c.place, o, err)), hint}
}

// plain is a value as expressions read it, with numbers as numbers.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = plain(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for n, e := range v {
			out[n] = plain(e)
		}
		return out
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		n, _ := v.Float64()
		return n
	}
	return v
}
