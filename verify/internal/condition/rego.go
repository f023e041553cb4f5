package condition

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/kubepromote/kubepromote/internal/rego"
	"github.com/kubepromote/kubepromote/verify/internal/mismatch"
	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const (
	maxRegoModules = 32
	maxRegoReasons = 5 // of the reasons of a refusal
	maxRegoErrors  = 3
)

// regoRule is a condition in Rego.
type regoRule struct {
	compiler  *ast.Compiler
	decisions []decision
}

// decision is one rule whose value decides.
type decision struct {
	name  string // isCompliant
	deny  bool   // the rule lists reasons against, instead of saying yes
	query ast.Body
}

// Rego compiles modules, by file name. Three conventions are known, and
// at least one of their rules must be there; all that are there must agree:
//
//   - package sigstore, rule isCompliant: the policy-controller's. It is true,
//     or it is a set of objects of which one has the field result: true; the
//     field error of the others is the reason.
//   - package signature, rule allow: that of cosign verify-attestation. It is
//     true.
//   - package main or sigstore, rules deny and violation, also deny_… and
//     violation_…: Conftest's. They are sets of reasons, strings or objects with
//     the field msg, and must be empty. Rules warn decide nothing.
//
// input is the in-toto statement, so that input.predicate is the predicate;
// data.kubepromote.image and data.kubepromote.digest are the repository and
// the digest. Both versions of the language are read. Built-in functions that
// reach out, take the time, roll dice or look at the machine do not exist. A
// built-in function that fails makes the whole condition fail: skipped, as OPA
// does it by itself, it would silence a rule deny.
// The error is a *ruleError.
func Rego(modules map[string]string) (Condition, error) {
	return compiled(func() (Condition, error) { return newRego(modules) })
}

func newRego(modules map[string]string) (Condition, error) {
	parsed, err := parseRego(modules)
	if err != nil {
		return nil, err
	}
	c := ast.NewCompiler().WithCapabilities(rego.Capabilities()).SetErrorLimit(maxRegoErrors)
	if c.Compile(parsed); c.Failed() {
		return nil, regoError("", c.Errors)
	}
	if err := checkData(c); err != nil {
		return nil, err
	}
	r := &regoRule{compiler: c}
	for _, file := range slices.Sorted(maps.Keys(parsed)) {
		if err := r.decide(file, parsed[file]); err != nil {
			return nil, err
		}
	}
	if len(r.decisions) == 0 {
		return nil, &Error{
			msg:  "no rule decides: there is neither sigstore.isCompliant, signature.allow nor main.deny",
			Hint: "package sigstore, and a rule isCompliant that is true for a good predicate"}
	}
	return r, nil
}

func parseRego(modules map[string]string) (map[string]*ast.Module, error) {
	if len(modules) > maxRegoModules {
		return nil, &Error{msg: fmt.Sprintf("there are %d modules, and %d are the most", len(modules), maxRegoModules)}
	}
	parsed, size := map[string]*ast.Module{}, 0
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		if size += len(modules[file]); size > maxRuleText {
			return nil, &Error{file: file, msg: fmt.Sprintf("modules are over %d KiB", maxRuleText>>10)}
		}
		m, err := rego.ParseModule(file, modules[file])
		if err != nil {
			return nil, regoError(file, err)
		}
		parsed[file] = m
	}
	return parsed, nil
}

// regoError is the first of the problems that the compiler has found.
func regoError(file string, err error) *Error {
	p := rego.Problem(file, err)
	return &Error{file: p.File, line: p.Line, col: p.Col, msg: p.Msg, Hint: p.Hint}
}

// checkData refuses names below data that no module defines. They would have
// no value, and a rule deny that hangs on one would never speak.
func checkData(c *ast.Compiler) error {
	own := ast.MustParseRef("data.kubepromote")
	for _, file := range slices.Sorted(maps.Keys(c.Modules)) {
		var bad *Error
		check := func(ref ast.Ref) bool {
			path := ref.GroundPrefix()
			if bad == nil && ref.HasPrefix(ast.DefaultRootRef) && !path.HasPrefix(own) && len(c.GetRules(path)) == 0 {
				bad = &Error{file: file, msg: "no module defines " + untrusted.OneLine(path.String()),
					Hint: "write the values into a module: there are no data files here"}
				if at := ref[0].Location; at != nil {
					bad.line, bad.col = at.Row, at.Col
				}
			}
			return false
		}
		for _, imported := range c.Modules[file].Imports {
			ast.WalkRefs(imported, check)
		}
		for _, rule := range c.Modules[file].Rules {
			ast.WalkRefs(rule, check)
		}
		if bad != nil {
			return bad
		}
	}
	return nil
}

// decide finds the rules of a module that decide.
func (r *regoRule) decide(file string, m *ast.Module) error {
	for _, rule := range m.Rules {
		name := string(rule.Head.Ref()[0].Value.(ast.Var))
		path := strings.TrimPrefix(m.Package.Path.String(), "data.") + "." + name
		pkg := strings.TrimSuffix(path, "."+name)
		deny := (pkg == "main" || pkg == "sigstore") && rego.Refuses(name)
		if !deny && path != "sigstore.isCompliant" && path != "signature.allow" {
			continue
		}
		if slices.ContainsFunc(r.decisions, func(d decision) bool { return d.name == path }) {
			continue
		}
		if len(rule.Head.Args) > 0 {
			return &Error{file: file, line: rule.Location.Row, col: rule.Location.Col,
				msg: "rule " + name + " decides, and can be no function"}
		}
		body, err := ast.ParseBody("x = data." + path)
		if err == nil {
			body, err = r.compiler.QueryCompiler().Compile(body)
		}
		if err != nil {
			return regoError(file, err)
		}
		r.decisions = append(r.decisions, decision{path, deny, body})
	}
	return nil
}

// Eval implements [Condition].
func (r *regoRule) Eval(ctx context.Context, in Input) error {
	return withinTime(ctx, maxRuleTime, func(ctx context.Context) error {
		input, err := ast.InterfaceToValue(in.Statement)
		if err != nil {
			return fmt.Errorf("the condition cannot take the statement: %w", err)
		}
		store := inmem.NewFromObject(map[string]any{
			"kubepromote": map[string]any{"image": in.Image, "digest": in.Digest}})
		return storage.Txn(ctx, store, storage.TransactionParams{}, func(txn storage.Transaction) error {
			for _, d := range r.decisions {
				q := topdown.NewQuery(d.query).WithCompiler(r.compiler).WithStore(store).WithTransaction(txn).
					WithInput(ast.NewTerm(input))
				if err := d.ask(ctx, q); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// ask evaluates one rule and judges its value.
func (d *decision) ask(ctx context.Context, q *topdown.Query) error {
	value, err := rego.Ask(ctx, q)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return mismatch.NotMet("rule %s cannot be applied: %v", d.name, err)
	case d.deny:
		return d.denied(value)
	}
	return d.allowed(value)
}

// allowed judges isCompliant and allow.
func (d *decision) allowed(value *ast.Term) error {
	if value == nil {
		return mismatch.NotMet("rule %s has no value", d.name)
	}
	if b, ok := value.Value.(ast.Boolean); ok {
		if b {
			return nil
		}
		return mismatch.NotMet("rule %s is false", d.name)
	}
	var reasons []string
	for _, e := range rego.Elements(value.Value) {
		o, ok := e.Value.(ast.Object)
		if !ok {
			return mismatch.NotMet("rule %s is neither true nor a set of objects", d.name)
		}
		if result := o.Get(ast.StringTerm("result")); result != nil && result.Value.Compare(ast.Boolean(true)) == 0 {
			return nil
		}
		reasons = append(reasons, textOf(o.Get(ast.StringTerm("error"))))
	}
	return mismatch.NotMet("rule %s has no result that is true%s", d.name, listed(reasons))
}

// denied judges deny and violation.
func (d *decision) denied(value *ast.Term) error {
	if value == nil {
		return nil
	}
	switch value.Value.(type) {
	case ast.Set, *ast.Array, ast.Object:
	default:
		return mismatch.NotMet("rule %s is %s and no set of reasons", d.name, untrusted.Quoted(value.String()))
	}
	var reasons []string
	for _, e := range rego.Elements(value.Value) {
		if o, ok := e.Value.(ast.Object); ok {
			if msg := o.Get(ast.StringTerm("msg")); msg != nil {
				e = msg
			}
		}
		reasons = append(reasons, textOf(e))
	}
	if len(reasons) == 0 {
		return nil
	}
	return mismatch.NotMet("rule %s refuses%s", d.name, listed(reasons))
}

func textOf(t *ast.Term) string {
	if t == nil {
		return ""
	}
	if s, ok := t.Value.(ast.String); ok {
		return untrusted.OneLine(string(s))
	}
	return untrusted.OneLine(t.String())
}

// listed joins the first few reasons, for a message.
func listed(reasons []string) string {
	reasons = slices.DeleteFunc(reasons, func(s string) bool { return s == "" })
	more := max(len(reasons)-maxRegoReasons, 0)
	if len(reasons) == 0 {
		return ""
	}
	s := ": " + strings.Join(reasons[:len(reasons)-more], "; ")
	if more > 0 {
		s += fmt.Sprintf(" (and %d more)", more)
	}
	return s
}
