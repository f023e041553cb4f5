package policy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/rego"
	"github.com/kubepromote/kubepromote/promote/objects"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// regoSet is the rules of modules that Conftest would ask.
type regoSet struct {
	compiler *ast.Compiler
	data     map[string]any
	rules    []regoRule
}

// regoRule is a rule deny, violation or warn, with whatever follows an underscore.
type regoRule struct {
	name  string // main.deny
	warn  bool
	query ast.Body
	// The first of its name stands here.
	file string
	at   *ast.Location
}

// fail is an error about it.
func (r *regoRule) fail(hint, format string, args ...any) *Error {
	return fail(r.file, r.at.Row, r.at.Col, hint, "rule "+r.name+" "+format, args...)
}

func loadRego(ctx context.Context, r *reader, s Source) (*regoSet, error) {
	all, err := r.read(s.Rego, ".rego")
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, &Error{s.Rego + " has no rules in Rego", "a file that ends in .rego"}
	}
	modules := make(map[string]*ast.Module)
	for _, f := range all {
		m, err := rego.ParseModule(f.name, string(f.data))
		if err != nil {
			return nil, regoError(f.name, err)
		}
		modules[f.name] = m
	}
	set := &regoSet{data: make(map[string]any)}
	for _, name := range s.Data {
		if err := set.loadData(r, name); err != nil {
			return nil, err
		}
	}
	set.compiler = ast.NewCompiler().WithCapabilities(rego.Capabilities()).SetErrorLimit(1)
	if set.compiler.Compile(modules); set.compiler.Failed() {
		return nil, regoError(s.Rego, set.compiler.Errors)
	}
	if err := set.checkData(); err != nil {
		return nil, err
	}
	namespaces := s.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{"main"}
	}
	if err := set.find(modules, namespaces, s.Rego); err != nil {
		return nil, err
	}
	return set, set.test(ctx, modules)
}

func regoError(name string, err error) error {
	p := rego.Problem(name, err)
	return fail(p.File, p.Line, p.Col, p.Hint, "%s", p.Msg)
}

// loadData reads files as OPA does: what is in a folder of a folder stands below its name.
func (s *regoSet) loadData(r *reader, name string) error {
	all, err := r.read(name, ".yaml", ".yml", ".json")
	if err != nil {
		return err
	}
	for _, f := range all {
		docs, err := documents(f)
		if err != nil {
			return err
		}
		to := s.data
		if rest, ok := strings.CutPrefix(path.Dir(f.name), path.Clean(name)+"/"); ok {
			for _, step := range strings.Split(rest, "/") {
				below, ok := to[step].(map[string]any)
				if !ok {
					below = make(map[string]any)
					to[step] = below
				}
				to = below
			}
		}
		for _, n := range docs {
			var values map[string]any
			if err := n.Decode(&values); err != nil {
				return fail(f.name, n.Line, n.Column, "", "is no mapping with keys that are texts, as data has to be")
			}
			maps.Copy(to, values)
		}
	}
	return nil
}

// checkData refuses names below data that neither a module nor a file has. They would
// have no value, and a rule that hangs on one would never speak.
func (s *regoSet) checkData() error {
	for _, file := range slices.Sorted(maps.Keys(s.compiler.Modules)) {
		if strings.HasSuffix(file, "_test.rego") {
			continue
		}
		var bad error
		check := func(ref ast.Ref) bool {
			at := ref.GroundPrefix()
			if bad != nil || !ref.HasPrefix(ast.DefaultRootRef) || len(s.compiler.GetRules(at)) > 0 || s.has(at) {
				return false
			}
			line, col := 0, 0
			if l := ref[0].Location; l != nil {
				line, col = l.Row, l.Col
			}
			bad = fail(file, line, col, "data: [policies/data]", "neither a module nor a file has %s", at)
			return false
		}
		for _, imported := range s.compiler.Modules[file].Imports {
			ast.WalkRefs(imported, check)
		}
		for _, rule := range s.compiler.Modules[file].Rules {
			ast.WalkRefs(rule, check)
		}
		if bad != nil {
			return bad
		}
	}
	return nil
}

// has tells whether files have something where a reference begins.
func (s *regoSet) has(ref ast.Ref) bool {
	if len(ref) < 2 {
		return len(s.data) > 0
	}
	key, ok := ref[1].Value.(ast.String)
	_, has := s.data[string(key)]
	return ok && has
}

// find notes the rules of namespaces.
func (s *regoSet) find(modules map[string]*ast.Module, namespaces []string, from string) error {
	known := make(map[string]bool)
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		for _, rule := range modules[file].Rules {
			name := string(rule.Head.Ref()[0].Value.(ast.Var))
			pkg := strings.TrimPrefix(modules[file].Package.Path.String(), "data.")
			kind, _, _ := strings.Cut(name, "_")
			if !slices.Contains(namespaces, pkg) || !rego.Refuses(name) && kind != "warn" || known[pkg+"."+name] {
				continue
			}
			known[pkg+"."+name] = true
			if len(rule.Head.Args) > 0 {
				return fail(file, rule.Location.Row, rule.Location.Col, "", "rule %s decides, and can be no function", name)
			}
			query, err := s.query(pkg + "." + name)
			if err != nil {
				return regoError(file, err)
			}
			s.rules = append(s.rules, regoRule{pkg + "." + name, kind == "warn", query, file, rule.Location})
		}
	}
	if len(s.rules) == 0 {
		return &Error{fmt.Sprintf("%s: no rule decides: there is neither deny, violation nor warn in package %s", from, strings.Join(namespaces, ", ")), "namespaces: [PACKAGE]"}
	}
	return nil
}

func (s *regoSet) query(name string) (ast.Body, error) {
	body, err := ast.ParseBody("x = data." + name)
	if err != nil {
		return nil, err
	}
	return s.compiler.QueryCompiler().Compile(body)
}

// ask gives the value of a query for an input.
func (s *regoSet) ask(ctx context.Context, query ast.Body, input any) (value *ast.Term, err error) {
	store := inmem.NewFromObject(s.data)
	err = storage.Txn(ctx, store, storage.TransactionParams{}, func(txn storage.Transaction) error {
		q := topdown.NewQuery(query).WithCompiler(s.compiler).WithStore(store).WithTransaction(txn)
		if input != nil {
			v, err := ast.InterfaceToValue(input)
			if err != nil {
				return err
			}
			q = q.WithInput(ast.NewTerm(v))
		}
		value, err = rego.Ask(ctx, q)
		return err
	})
	return value, err
}

// test runs the rules whose names begin with test_: rules whose tests fail are not to be
// relied on.
func (s *regoSet) test(ctx context.Context, modules map[string]*ast.Module) error {
	for _, file := range slices.Sorted(maps.Keys(modules)) {
		for _, rule := range modules[file].Rules {
			name := string(rule.Head.Ref()[0].Value.(ast.Var))
			if !strings.HasPrefix(name, "test_") {
				continue
			}
			query, err := s.query(strings.TrimPrefix(modules[file].Package.Path.String(), "data.") + "." + name)
			if err != nil {
				return regoError(file, err)
			}
			value, err := s.ask(ctx, query, nil)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				return fail(file, rule.Location.Row, rule.Location.Col, "", "%s cannot be run: %v", name, err)
			case value == nil || value.Value.Compare(ast.Boolean(true)) != 0:
				return fail(file, rule.Location.Row, rule.Location.Col, "mend the rule, or its test", "%s fails", name)
			}
		}
	}
	return nil
}

// check asks all rules about each object, one by one.
func (s *regoSet) check(ctx context.Context, all []objects.Object, promotion map[string]any) ([]Finding, error) {
	var out []Finding
	for n := range all {
		o := &all[n]
		input := maps.Clone(o.Fields)
		input["promotion"] = promotion
		for _, r := range s.rules {
			value, err := s.ask(ctx, r.query, input)
			if ctx.Err() != nil {
				return nil, r.fail("timeout: 2m in the gate, or a rule that looks at less", "was not evaluated in time")
			}
			if err != nil {
				return nil, r.fail("", "cannot be applied to %s: %v", o, err)
			}
			found, err := r.findings(o, value)
			if err != nil {
				return nil, err
			}
			out = append(out, found...)
		}
	}
	return out, nil
}

var errNoReasons = errors.New("is no set of reasons")

func (r *regoRule) findings(o *objects.Object, value *ast.Term) ([]Finding, error) {
	if value == nil {
		return nil, nil
	}
	switch value.Value.(type) {
	case ast.Set, *ast.Array, ast.Object:
	default:
		return nil, r.fail("", "%v: %s", errNoReasons, value)
	}
	var out []Finding
	for _, e := range rego.Elements(value.Value) {
		if fields, ok := e.Value.(ast.Object); ok {
			if msg := fields.Get(ast.StringTerm("msg")); msg != nil {
				e = msg
			}
		}
		text := e.String()
		if s, ok := e.Value.(ast.String); ok {
			text = string(s)
		}
		out = append(out, Finding{Rule: r.name, Object: o, Msg: fault.OneLine(text), Warn: r.warn})
	}
	return out, nil
}
